//! A local Stripe that sells the offers of a catalog and delivers events to an endpoint.

use extension_contract::Timestamp;
use host_provider_api::scripted::short_hash;
use local_stripe::event::Event;
use local_stripe::object::Object;
use local_stripe::sandbox::{Sandbox, json_of, own_request};
use local_stripe::settings::Settings;
use local_stripe::shapes;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Start of all stories: 2026-01-01T00:00:00Z, in milliseconds since the epoch.
pub const START_MS: Timestamp = 1_767_225_600_000;

/// A card that can be charged.
pub const GOOD_CARD: &str = "pm_card_visa";
/// A card that can be saved but not charged.
pub const BAD_CARD: &str = "pm_card_chargeCustomerFail";
/// A card that can be charged, but whose refunds fail.
pub const NO_REFUND_CARD: &str = "pm_card_refundFail";

/// A price on sale.
#[derive(Clone, Debug)]
pub struct Offer {
    /// Product of the catalog.
    pub product: String,
    /// Id of the price in the catalog.
    pub price: String,
    /// Amount in minor units.
    pub amount: i64,
    /// `month` or `year`; None for one-time prices.
    pub interval: Option<String>,
}

/// The id of a price without an id in the catalog: the sync creates the price with an id derived from the effect's key.
pub fn synced_price(product: &str, amount: i64, interval: &str) -> String {
    format!("price_{}", short_hash(&format!("sync:price:{product}:{amount}usd:{interval}")))
}

/// An error while a local Stripe is set up.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SandboxError {
    /// The local Stripe refuses an offer.
    #[error("the local Stripe refuses the price {amount} {interval} of `{product}`: {message}")]
    Offer {
        /// The product of the catalog.
        product: String,
        /// Amount in minor units.
        amount: i64,
        /// `once`, `month` or another interval.
        interval: String,
        /// Message of the refusal.
        message: String,
    },
    /// The local Stripe does not know an event type.
    #[error("the local Stripe refuses an endpoint for the event types {event_types:?}: {message}")]
    Endpoint {
        /// The event types.
        event_types: Vec<String>,
        /// Message of the refusal.
        message: String,
    },
}

/// The local Stripe of one account, from [`START_MS`] on.
pub struct Stripe {
    sandbox: Sandbox,
    /// Stripe ids of the prices, in the order of the offers.
    prices: Vec<String>,
    /// Our ids by the ids of the local Stripe.
    names: BTreeMap<String, String>,
    /// Number of taken events.
    taken: u64,
}

impl Stripe {
    /// Starts a local Stripe with offers and an endpoint for these event types. `name` makes its ids unique.
    ///
    /// # Errors
    ///
    /// Fails if the local Stripe refuses an offer or an event type.
    pub fn selling(name: &str, event_types: &[&str], offers: &[Offer]) -> Result<Self, SandboxError> {
        let seed = name.bytes().fold(0, |seed, byte| seed << 8 | u64::from(byte));
        let settings = Settings { start_s: START_MS / 1_000, seed, ..Settings::default() };
        let (prices, names) = (Vec::new(), BTreeMap::new());
        let mut made = Self { sandbox: Sandbox::new(settings), prices, names, taken: 0 };
        for offer in offers {
            // If the product has several prices, it exists already from the second price on.
            made.post("/v1/products", &[("id", &offer.product), ("name", &offer.product)]);
            let amount = offer.amount.to_string();
            let mut form =
                vec![("product", offer.product.as_str()), ("currency", "usd"), ("unit_amount", amount.as_str())];
            if let Some(interval) = &offer.interval {
                form.push(("recurring[interval]", interval));
            }
            let price = made.try_send("POST", "/v1/prices", &form).map_err(|message| SandboxError::Offer {
                product: offer.product.clone(),
                amount: offer.amount,
                interval: offer.interval.clone().unwrap_or_else(|| "once".to_owned()),
                message,
            })?;
            made.rename(&price, offer.price.clone());
            made.prices.push(price);
        }
        let mut endpoint = vec![("url", "http://127.0.0.1:9/")];
        endpoint.extend(event_types.iter().map(|kind| ("enabled_events[]", *kind)));
        let event_types = || event_types.iter().map(|kind| (*kind).to_owned()).collect();
        let made_endpoint = made.try_send("POST", "/v1/webhook_endpoints", &endpoint);
        made_endpoint.map_err(|message| SandboxError::Endpoint { event_types: event_types(), message })?;
        Ok(made)
    }

    /// Sends a POST. Returns the id of the object, or an empty string if it was refused.
    pub fn post(&mut self, path: &str, form: &[(&str, &str)]) -> String {
        self.send("POST", path, form)
    }

    /// Sends a DELETE. Returns the id of the object, or an empty string if it was refused.
    pub fn delete(&mut self, path: &str) -> String {
        self.send("DELETE", path, &[])
    }

    fn send(&mut self, method: &str, path: &str, form: &[(&str, &str)]) -> String {
        let response = self.sandbox.handle(&own_request(method, path, form));
        assert!(response.status < 500, "{method} {path} {form:?}: {}", response.body);
        json_of(&response)["id"].as_str().unwrap_or_default().to_owned()
    }

    /// Sends a request. Returns the id of the object, or the message of the refusal.
    fn try_send(&mut self, method: &str, path: &str, form: &[(&str, &str)]) -> Result<String, String> {
        let response = self.sandbox.handle(&own_request(method, path, form));
        let body = json_of(&response);
        let text = |value: &Value| value.as_str().map(str::to_owned);
        text(&body["id"]).ok_or_else(|| text(&body["error"]["message"]).unwrap_or_default())
    }

    /// Advances the clock by `seconds` and runs the actions that become due.
    pub fn wait(&mut self, seconds: i64) {
        if seconds > 0 {
            self.advance_to(self.now_s() + seconds);
        }
    }

    /// Advances the clock to `until_s` and runs the actions that become due. Does nothing if this time has passed.
    pub fn advance_to(&mut self, until_s: i64) {
        if until_s > self.now_s() {
            self.sandbox.tick(until_s).expect("a sandbox in memory");
        }
    }

    /// The second of the next due action, if it is before `until_s`.
    pub fn next_due_s(&self, until_s: i64) -> Option<i64> {
        self.sandbox.state().next_due("", until_s).map(|(due_s, _)| due_s)
    }

    /// The clock, in seconds since the epoch.
    pub fn now_s(&self) -> i64 {
        self.sandbox.state().clock_s()
    }

    /// All objects of a kind, newest first.
    pub fn all(&self, kind: &str) -> Vec<Arc<Object>> {
        self.sandbox.state().newest(kind, None).collect()
    }

    /// An object in the shape of an API version.
    pub fn shown(&self, id: &str, version: &str) -> Value {
        let version = version.parse().expect("a version of the local Stripe");
        shapes::render(&self.sandbox.state().copy(id).value(), &version)
    }

    /// The Stripe id of a price, by index.
    pub fn price(&self, plan: usize) -> String {
        self.prices[plan % self.prices.len()].clone()
    }

    /// True if a price is on sale.
    pub fn sells(&self, price: &str) -> bool {
        self.prices.iter().any(|id| id == price)
    }

    /// The index of a price; 0 if unknown.
    pub fn plan(&self, price: &str) -> usize {
        self.prices.iter().position(|id| id == price).unwrap_or_default()
    }

    /// Replaces the id of an object by `known_as`, the host's id of the object, in all bodies that leave the sandbox.
    pub fn rename(&mut self, id: &str, known_as: String) {
        self.names.insert(id.to_owned(), known_as);
    }

    /// All events from number `from` on, including events that are not sent to the endpoint.
    pub fn history(&self, from: u64) -> impl Iterator<Item = Arc<Event>> {
        let state = self.sandbox.state();
        (from..state.event_count()).filter_map(|at| state.event(at))
    }

    /// Takes the events for the endpoint since the last call, in Stripe's order.
    pub fn take_events(&mut self) -> Vec<Arc<Event>> {
        let state = self.sandbox.state();
        let (first, end) = (self.taken, state.event_count());
        let events = (first..end).filter_map(|at| state.event(at)).filter(|event| event.pending_webhooks > 0).collect();
        self.taken = end;
        self.sandbox.set_delivered(end).expect("a sandbox in memory");
        events
    }

    /// The JSON of an event in an API version.
    pub fn event_body(&self, event: &Event, version: &str) -> String {
        let version = version.parse().expect("a version of the local Stripe");
        self.renamed(event.render(&version).to_string())
    }

    /// An object in an API version, with our ids; None if it does not exist.
    pub fn retrieve(&self, id: &str, version: &str) -> Option<Value> {
        let named = self.names.iter().find(|(_, ours)| *ours == id).map_or(id, |(theirs, _)| theirs);
        self.sandbox.state().find(named)?;
        let text = self.renamed(self.shown(named, version).to_string());
        Some(serde_json::from_str(&text).expect("ids need no escapes"))
    }

    fn renamed(&self, mut text: String) -> String {
        for (theirs, ours) in &self.names {
            if text.contains(theirs.as_str()) {
                text = text.replace(theirs.as_str(), ours);
            }
        }
        text
    }
}
