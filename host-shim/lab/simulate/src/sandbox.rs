//! A local Stripe that sells the offers of a catalog and delivers events to an endpoint.

use extension_contract::Timestamp;
use local_stripe::event::Event;
use local_stripe::object::Object;
use local_stripe::sandbox::{Request, Sandbox, json_of, own_request};
use local_stripe::settings::Settings;
use local_stripe::shapes;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Objects of which a host asks for a member that Stripe omits otherwise.
const EXPANDED: [(&str, &str); 2] = [("charge", "refunds"), ("invoice", "payments")];

/// Start of all stories: 2026-01-01T00:00:00Z, in milliseconds since the epoch.
pub const START_MS: Timestamp = 1_767_225_600_000;

/// A card that can be charged.
pub const GOOD_CARD: &str = "pm_card_visa";
/// A card that can be saved but not charged.
pub const BAD_CARD: &str = "pm_card_chargeCustomerFail";
/// A card that can be charged, but whose refunds fail.
pub const NO_REFUND_CARD: &str = "pm_card_refundFail";

/// A price on sale.
#[derive(Clone, Debug, PartialEq, Eq)]
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

/// The id of a price without an id in the catalog: the scripted Stripe names it after its product, interval and amount.
pub fn synced_price(product: &str, amount: i64, interval: &str) -> String {
    format!("price_{product}_{interval}_{amount}")
}

/// Millionths of the currency's unit in one minor unit.
pub(crate) fn minor_micros(currency: &str) -> i64 {
    match local_stripe::money::exponent(currency) {
        Some(0) => 1_000_000,
        Some(3) => 1_000,
        _ => 10_000,
    }
}

/// The step of the amounts that can be charged and refunded, in minor units: Stripe takes amounts with three decimals
/// only if the last one is 0.
pub(crate) fn step_minor(currency: &str) -> i64 {
    if local_stripe::money::exponent(currency) == Some(3) { 10 } else { 1 }
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

/// The local Stripe of one account, from [`START_MS`] on. A clone is another handle on the same Stripe.
#[derive(Clone)]
pub struct Stripe {
    open: Arc<Mutex<Open>>,
    /// Stripe ids of the prices, in the order of the offers.
    prices: Vec<String>,
    /// Currency of the offers.
    currency: Arc<str>,
}

struct Open {
    sandbox: Sandbox,
    /// Our ids by the ids of the local Stripe.
    names: BTreeMap<String, String>,
    /// Our ids of checkouts that the host ended before they existed at the local Stripe.
    expired: BTreeSet<String>,
    /// Number of taken events.
    taken: u64,
}

/// Stripe's answer to a request of a client.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// The HTTP status and the JSON body.
    Status(u16, Value),
    /// The answer is lost; the request may have been carried out.
    Lost,
}

impl Stripe {
    /// Starts a local Stripe with offers and an endpoint for these event types. `name` makes its ids unique.
    ///
    /// # Errors
    ///
    /// Fails if the local Stripe refuses an offer or an event type.
    pub fn selling(name: &str, event_types: &[&str], offers: &[Offer]) -> Result<Self, SandboxError> {
        Self::selling_in("usd", name, event_types, offers)
    }

    /// Starts a local Stripe with offers in a currency; see [`Stripe::selling`].
    ///
    /// # Errors
    ///
    /// Fails if the local Stripe refuses an offer or an event type.
    pub(crate) fn selling_in(
        currency: &str,
        name: &str,
        event_types: &[&str],
        offers: &[Offer],
    ) -> Result<Self, SandboxError> {
        let seed = name.bytes().fold(0, |seed, byte| seed << 8 | u64::from(byte));
        let settings = Settings { start_s: START_MS / 1_000, seed, ..Settings::default() };
        let (names, expired) = (BTreeMap::new(), BTreeSet::new());
        let open = Open { sandbox: Sandbox::new(settings), names, expired, taken: 0 };
        let mut made = Self { open: Arc::new(Mutex::new(open)), prices: Vec::new(), currency: currency.into() };
        for offer in offers {
            // If the product has several prices, it exists already from the second price on.
            made.post("/v1/products", &[("id", &offer.product), ("name", &offer.product)]);
            let amount = offer.amount.to_string();
            let mut form =
                vec![("product", offer.product.as_str()), ("currency", currency), ("unit_amount", amount.as_str())];
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
        made.listen(event_types, false)?;
        Ok(made)
    }

    /// The currency of all amounts, by its lower-case code.
    pub fn currency(&self) -> &str {
        &self.currency
    }

    /// Creates an endpoint for these event types; `of_connected` is true for events of connected accounts.
    ///
    /// # Errors
    ///
    /// Fails if the local Stripe refuses an event type.
    pub fn listen(&self, event_types: &[&str], of_connected: bool) -> Result<(), SandboxError> {
        let mut endpoint = vec![("url", "http://127.0.0.1:9/")];
        if of_connected {
            endpoint.push(("connect", "true"));
        }
        endpoint.extend(event_types.iter().map(|kind| ("enabled_events[]", *kind)));
        let event_types = || event_types.iter().map(|kind| (*kind).to_owned()).collect();
        let made = self.try_send("POST", "/v1/webhook_endpoints", &endpoint);
        made.map(drop).map_err(|message| SandboxError::Endpoint { event_types: event_types(), message })
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        // A panic of another thread ends the simulation anyway.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a request as a client of the API does. The faults that [`Stripe::fail`] asks for apply to it.
    pub fn ask(&self, method: &str, path: &str, form: &[(&str, &str)], idempotency_key: Option<&str>) -> Answer {
        let idempotency_key = idempotency_key.map(str::to_owned);
        let request = Request { is_own: false, idempotency_key, ..own_request(method, path, form) };
        let response = self.open().sandbox.handle(&request);
        match response.lost {
            Some(_) => Answer::Lost,
            None => Answer::Status(response.status, json_of(&response)),
        }
    }

    /// Lets all requests of clients fail that have this method and path (any, if none): with status 429, 500, or
    /// without an answer (`cut`). `is_done` is true if they are carried out nevertheless.
    pub fn fail(&self, answer: &str, is_done: bool, of: Option<(&str, &str)>) {
        let done = is_done.to_string();
        let mut form = vec![("answer", answer), ("done", &done), ("times", "1000")];
        if let Some((method, path)) = of {
            form.extend([("method", method), ("path", path)]);
        }
        let response = self.open().sandbox.handle(&own_request("POST", "/_sandbox/api_faults", &form));
        assert!(response.status == 200, "{form:?}: {}", response.body);
    }

    /// Ends the faults.
    pub fn succeed(&self) {
        self.open().sandbox.handle(&own_request("DELETE", "/_sandbox/api_faults", &[]));
    }

    /// Notes that the host ended a checkout, given by our id. Returns false if the checkout is paid.
    pub fn expire(&self, session: &str) -> bool {
        let mut open = self.open();
        let is_paid = open.names.values().any(|ours| ours == session);
        if !is_paid {
            open.expired.insert(session.to_owned());
        }
        !is_paid
    }

    /// True if the host ended a checkout, given by our id.
    pub fn is_expired(&self, session: &str) -> bool {
        self.open().expired.contains(session)
    }

    /// True if events for the endpoint were not taken.
    pub fn has_new(&self) -> bool {
        let open = self.open();
        let state = open.sandbox.state();
        (open.taken..state.event_count()).filter_map(|at| state.event(at)).any(|event| event.pending_webhooks > 0)
    }

    /// Sum of the balance transactions, after fees, in minor units.
    pub fn balance(&self) -> i64 {
        self.all("balance_transaction").iter().map(|movement| movement.int("net")).sum()
    }

    /// Sends a POST. Returns the id of the object, or an empty string if it was refused.
    pub fn post(&self, path: &str, form: &[(&str, &str)]) -> String {
        self.send("POST", path, form)
    }

    /// Sends a DELETE. Returns the id of the object, or an empty string if it was refused.
    pub fn delete(&self, path: &str) -> String {
        self.send("DELETE", path, &[])
    }

    fn send(&self, method: &str, path: &str, form: &[(&str, &str)]) -> String {
        let response = self.open().sandbox.handle(&own_request(method, path, form));
        assert!(response.status < 500, "{method} {path} {form:?}: {}", response.body);
        json_of(&response)["id"].as_str().unwrap_or_default().to_owned()
    }

    /// Sends a request. Returns the id of the object, or the message of the refusal.
    fn try_send(&self, method: &str, path: &str, form: &[(&str, &str)]) -> Result<String, String> {
        let response = self.open().sandbox.handle(&own_request(method, path, form));
        let body = json_of(&response);
        let text = |value: &Value| value.as_str().map(str::to_owned);
        text(&body["id"]).ok_or_else(|| text(&body["error"]["message"]).unwrap_or_default())
    }

    /// Advances the clock by `seconds` and runs the actions that become due.
    pub fn wait(&self, seconds: i64) {
        if seconds > 0 {
            self.advance_to(self.now_s() + seconds);
        }
    }

    /// Advances the clock to `until_s` and runs the actions that become due. Does nothing if this time has passed.
    pub fn advance_to(&self, until_s: i64) {
        if until_s > self.now_s() {
            self.open().sandbox.tick(until_s).expect("a sandbox in memory");
        }
    }

    /// The second of the next due action, if it is before `until_s`.
    pub fn next_due_s(&self, until_s: i64) -> Option<i64> {
        self.open().sandbox.state().next_due("", until_s).map(|(due_s, _)| due_s)
    }

    /// The clock, in seconds since the epoch.
    pub fn now_s(&self) -> i64 {
        self.open().sandbox.state().clock_s()
    }

    /// All objects of a kind, newest first.
    pub fn all(&self, kind: &str) -> Vec<Arc<Object>> {
        self.open().sandbox.state().newest(kind, None).collect()
    }

    /// An object in the shape of an API version.
    pub fn shown(&self, id: &str, version: &str) -> Value {
        let version = version.parse().expect("a version of the local Stripe");
        let object = self.open().sandbox.state().copy(id);
        shapes::render(&object.value(), &version)
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
    pub fn rename(&self, id: &str, known_as: String) {
        self.open().names.insert(id.to_owned(), known_as);
    }

    /// All events from number `from` on, including events that are not sent to the endpoint.
    pub fn history(&self, from: u64) -> Vec<Arc<Event>> {
        let open = self.open();
        let state = open.sandbox.state();
        (from..state.event_count()).filter_map(|at| state.event(at)).collect()
    }

    /// Takes the events for the endpoint since the last call, in Stripe's order.
    pub fn take_events(&self) -> Vec<Arc<Event>> {
        let mut open = self.open();
        let state = open.sandbox.state();
        let (first, end) = (open.taken, state.event_count());
        let events = (first..end).filter_map(|at| state.event(at)).filter(|event| event.pending_webhooks > 0).collect();
        open.taken = end;
        open.sandbox.set_delivered(end).expect("a sandbox in memory");
        events
    }

    /// The JSON of an event in an API version.
    pub fn event_body(&self, event: &Event, version: &str) -> String {
        let version = version.parse().expect("a version of the local Stripe");
        self.renamed(event.render(&version).to_string())
    }

    /// An object in an API version, with our ids and with what a host asks to be expanded; None if it does not exist.
    pub fn retrieve(&self, id: &str, version: &str) -> Option<Value> {
        let named = self.open().names.iter().find(|(_, ours)| *ours == id).map(|(theirs, _)| theirs.clone());
        let named = named.as_deref().unwrap_or(id);
        let object = self.open().sandbox.state().seek(named)?.text("object").to_owned();
        let shown = match EXPANDED.iter().find(|(name, _)| *name == object) {
            Some((_, member)) => {
                let asked = own_request("GET", &format!("/v1/{object}s/{named}"), &[("expand[]", member)]);
                json_of(&self.open().sandbox.handle(&Request { version: Some(version.to_owned()), ..asked }))
            }
            None => self.shown(named, version),
        };
        let text = self.renamed(shown.to_string());
        Some(serde_json::from_str(&text).expect("ids need no escapes"))
    }

    fn renamed(&self, mut text: String) -> String {
        for (theirs, ours) in &self.open().names {
            if text.contains(theirs.as_str()) {
                text = text.replace(theirs.as_str(), ours);
            }
        }
        text
    }
}
