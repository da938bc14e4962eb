//! A local Stripe that sells what a catalog has, and what it tells an endpoint.

use crate::world::START_MS;
use host_providers::scripted::short_hash;
use local_stripe::event::Event;
use local_stripe::object::Object;
use local_stripe::sandbox::{Sandbox, json_of, own_request};
use local_stripe::settings::Settings;
use local_stripe::shapes;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A card that pays.
pub const GOOD_CARD: &str = "pm_card_visa";
/// A card that can be kept but not charged.
pub const BAD_CARD: &str = "pm_card_chargeCustomerFail";
/// A card that pays, and whose refunds fail.
pub const NO_REFUND_CARD: &str = "pm_card_refundFail";

/// What is on sale.
#[derive(Clone, Debug)]
pub struct Offer {
    /// The product of the catalog.
    pub product: String,
    /// The catalog's name of its price.
    pub price: String,
    /// Minor units.
    pub amount: i64,
    /// `month` or `year`; none is paid once.
    pub interval: Option<String>,
}

/// The name of a price without an id in the catalog: the sync makes one, and the provider derives it from the effect's key.
pub fn synced_price(product: &str, amount: i64, interval: &str) -> String {
    format!("price_{}", short_hash(&format!("sync:price:{product}:{amount}usd:{interval}")))
}

/// The plans of Solobase.
pub fn plans() -> [Offer; 3] {
    let plan = |product: &str, price: String, amount| {
        let (product, interval) = (product.to_owned(), Some("month".to_owned()));
        Offer { product, price, amount, interval }
    };
    [
        plan("prod_hobby", "price_xyz789".to_owned(), 500),
        plan("prod_professional", "price_professional_monthly".to_owned(), 7_900),
        plan("prod_starter", synced_price("prod_starter", 1_500, "month"), 1_500),
    ]
}

/// The product of a plan, by number.
pub fn product(plan: usize) -> String {
    let plans = plans();
    plans[plan % plans.len()].product.clone()
}

/// The local Stripe of one account, from [`START_MS`] on.
pub struct Stripe {
    sandbox: Sandbox,
    /// Ids of the plans' prices.
    prices: Vec<String>,
    /// What it calls an object, and what our catalog and our provider do.
    names: BTreeMap<String, String>,
    /// Events that were taken already.
    taken: u64,
}

impl Stripe {
    /// One with the plans of Solobase.
    pub fn new(name: &str, heard: &[&str]) -> Self {
        Stripe::selling(name, heard, &plans())
    }

    /// One with what is on sale, and with an endpoint that hears of some types of events. `name` makes its ids others
    /// than those of another.
    pub fn selling(name: &str, heard: &[&str], offers: &[Offer]) -> Self {
        let seed = name.bytes().fold(0, |seed, byte| seed << 8 | u64::from(byte));
        let settings = Settings { start_s: START_MS / 1_000, seed, ..Settings::default() };
        let (prices, names) = (Vec::new(), BTreeMap::new());
        let mut made = Self { sandbox: Sandbox::new(settings), prices, names, taken: 0 };
        for offer in offers {
            // One product may have several prices; the second time it is there already.
            made.post("/v1/products", &[("id", &offer.product), ("name", &offer.product)]);
            let amount = offer.amount.to_string();
            let mut form =
                vec![("product", offer.product.as_str()), ("currency", "usd"), ("unit_amount", amount.as_str())];
            if let Some(interval) = &offer.interval {
                form.push(("recurring[interval]", interval));
            }
            let price = made.post("/v1/prices", &form);
            assert_ne!(price, "", "{offer:?} can be sold");
            made.rename(&price, offer.price.clone());
            made.prices.push(price);
        }
        let mut endpoint = vec![("url", "http://127.0.0.1:9/")];
        endpoint.extend(heard.iter().map(|kind| ("enabled_events[]", *kind)));
        assert_ne!(made.post("/v1/webhook_endpoints", &endpoint), "", "{heard:?} are Stripe's types of events");
        made
    }

    /// Makes a call, and gives the id of what it made or changed; an empty one if it was refused.
    pub fn post(&mut self, path: &str, form: &[(&str, &str)]) -> String {
        self.send("POST", path, form)
    }

    /// Deletes, in the same way.
    pub fn delete(&mut self, path: &str) -> String {
        self.send("DELETE", path, &[])
    }

    fn send(&mut self, method: &str, path: &str, form: &[(&str, &str)]) -> String {
        let response = self.sandbox.handle(&own_request(method, path, form));
        assert!(response.status < 500, "{method} {path} {form:?}: {}", response.body);
        json_of(&response)["id"].as_str().unwrap_or_default().to_owned()
    }

    /// Lets seconds pass, and everything happen that is due.
    pub fn wait(&mut self, seconds: i64) {
        if seconds > 0 {
            self.post("/_sandbox/clock", &[("advance_by", &seconds.to_string())]);
        }
    }

    /// Its clock in seconds since the epoch.
    pub fn now_s(&self) -> i64 {
        self.sandbox.state().clock_s()
    }

    /// All objects of a kind, the newest first.
    pub fn all(&self, kind: &str) -> Vec<Arc<Object>> {
        self.sandbox.state().newest(kind, None).collect()
    }

    /// An object as an API version shows it.
    pub fn shown(&self, id: &str, version: &str) -> Value {
        let version = version.parse().expect("a version of the local Stripe");
        shapes::render(&self.sandbox.state().copy(id).value(), &version)
    }

    /// The price of a plan, by number.
    pub fn price(&self, plan: usize) -> String {
        self.prices[plan % self.prices.len()].clone()
    }

    /// Whether a price is one of those on sale.
    pub fn sells(&self, price: &str) -> bool {
        self.prices.iter().any(|id| id == price)
    }

    /// The number of the plan with that price.
    pub fn plan(&self, price: &str) -> usize {
        self.prices.iter().position(|id| id == price).unwrap_or_default()
    }

    /// In what it tells, an object has another id: the one that our side knows it by.
    pub fn rename(&mut self, id: &str, known_as: String) {
        self.names.insert(id.to_owned(), known_as);
    }

    /// Every event so far, whether anybody hears of it or not, from a number on.
    pub fn history(&self, from: u64) -> impl Iterator<Item = Arc<Event>> {
        let state = self.sandbox.state();
        (from..state.event_count()).filter_map(|at| state.event(at))
    }

    /// What the endpoint hears since the last call, in Stripe's order.
    pub fn take_events(&mut self) -> Vec<Arc<Event>> {
        let state = self.sandbox.state();
        let (first, end) = (self.taken, state.event_count());
        let heard = (first..end).filter_map(|at| state.event(at)).filter(|event| event.pending_webhooks > 0).collect();
        self.taken = end;
        self.sandbox.set_delivered(end).expect("a sandbox in memory keeps everything");
        heard
    }

    /// An event as an endpoint of an API version gets it.
    pub fn tell(&self, event: &Event, version: &str) -> Value {
        let version = version.parse().expect("a version of the local Stripe");
        let mut text = event.render(&version).to_string();
        for (theirs, ours) in &self.names {
            text = text.replace(theirs, ours);
        }
        serde_json::from_str(&text).expect("ids need no escapes")
    }
}
