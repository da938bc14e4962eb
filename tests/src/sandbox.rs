//! Stories of the local Stripe: one customer's steps in, the events that a real integration would see out.

use crate::story::{Delivery, Part};
use crate::world::START_MS;
use host_providers::scripted::short_hash;
use local_stripe::sandbox::{Sandbox, json_of, own_request};
use local_stripe::settings::Settings;
use proptest::prelude::*;
use serde_json::Value;

const DAY_S: i64 = 86_400;
/// Seconds between two steps, so that no two of them share a second.
const PAUSE_S: i64 = 60;
/// The cards that a customer may have: one that pays, and one that can be kept but not charged.
const CARDS: [&str; 2] = ["pm_card_visa", "pm_card_chargeCustomerFail"];

/// What a customer or a clerk does.
#[derive(Clone, Copy, Debug)]
pub enum Step {
    /// Subscribes to a plan by number, perhaps with days of trial.
    Subscribe(u8, bool),
    /// The subscription by number takes a plan by number, whose difference is invoiced at once.
    ChangePlan(u8, u8),
    /// Has another default card, which pays or doesn't.
    ChangeCard(bool),
    /// Pays an invoice by number with a good card.
    Pay(u8),
    /// Lets a subscription by number end with its period, or not after all.
    CancelAtEnd(u8, bool),
    /// Ends a subscription by number at once.
    Cancel(u8),
    /// Gives back of a charge by number some hundredths.
    Refund(u8, u8),
    /// Days pass.
    Wait(u8),
}

/// One step.
pub fn a_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (any::<u8>(), any::<bool>()).prop_map(|(plan, trial)| Step::Subscribe(plan, trial)),
        2 => (any::<u8>(), any::<u8>()).prop_map(|(of, plan)| Step::ChangePlan(of, plan)),
        2 => any::<bool>().prop_map(Step::ChangeCard),
        1 => any::<u8>().prop_map(Step::Pay),
        1 => (any::<u8>(), any::<bool>()).prop_map(|(of, ends)| Step::CancelAtEnd(of, ends)),
        1 => any::<u8>().prop_map(Step::Cancel),
        2 => (any::<u8>(), 1..=100u8).prop_map(|(of, part)| Step::Refund(of, part)),
        4 => (1..40u8).prop_map(Step::Wait),
    ]
}

/// A local Stripe with the catalog's plans and one customer, `user:A`.
pub struct Customer {
    sandbox: Sandbox,
    id: String,
    /// The local Stripe's id of a price, and the catalog's.
    prices: Vec<(String, String)>,
}

impl Customer {
    /// The account after some steps. A step that Stripe refuses is none.
    pub fn after(steps: &[Step]) -> Self {
        let settings = Settings { start_s: START_MS / 1_000, ..Settings::default() };
        let mut made = Self { sandbox: Sandbox::new(settings), id: String::new(), prices: Vec::new() };
        // Starter has no price id in the catalog: the sync makes one, and the provider derives it from the effect's key.
        let synced = format!("price_{}", short_hash("sync:price:prod_starter:1500usd:month"));
        for (product, price, amount) in [
            ("prod_hobby", "price_xyz789", "500"),
            ("prod_starter", synced.as_str(), "1500"),
            ("prod_professional", "price_professional_monthly", "7900"),
        ] {
            made.post("/v1/products", &[("id", product), ("name", product)]);
            let form =
                [("product", product), ("currency", "usd"), ("unit_amount", amount), ("recurring[interval]", "month")];
            let id = made.post("/v1/prices", &form);
            made.prices.push((id, price.to_owned()));
        }
        let form = [
            ("email", "customer@example.com"),
            ("metadata[user_id]", "A"),
            ("payment_method", CARDS[0]),
            ("invoice_settings[default_payment_method]", CARDS[0]),
        ];
        made.id = made.post("/v1/customers", &form);
        for step in steps {
            made.post("/_sandbox/clock", &[("advance_by", &PAUSE_S.to_string())]);
            made.play(*step);
        }
        made
    }

    /// Makes a call, and gives the id of what it made; empty if it was refused.
    fn post(&mut self, path: &str, form: &[(&str, &str)]) -> String {
        self.send("POST", path, form)
    }

    fn send(&mut self, method: &str, path: &str, form: &[(&str, &str)]) -> String {
        let response = self.sandbox.handle(&own_request(method, path, form));
        assert!(response.status < 500, "{method} {path} {form:?}: {}", response.body);
        json_of(&response)["id"].as_str().unwrap_or_default().to_owned()
    }

    fn pick(&self, kind: &str, number: u8) -> String {
        let all: Vec<String> = self.sandbox.state().newest(kind, None).map(|object| object.id().to_owned()).collect();
        all.get(usize::from(number) % all.len().max(1)).cloned().unwrap_or_else(|| "none".to_owned())
    }

    fn price(&self, plan: u8) -> String {
        self.prices[usize::from(plan) % self.prices.len()].0.clone()
    }

    fn play(&mut self, step: Step) {
        match step {
            Step::Subscribe(plan, trial) => {
                let (customer, price) = (self.id.clone(), self.price(plan));
                let mut form = vec![
                    ("customer", customer.as_str()),
                    ("items[0][price]", price.as_str()),
                    ("metadata[user_id]", "A"),
                ];
                if trial {
                    form.push(("trial_period_days", "14"));
                }
                self.post("/v1/subscriptions", &form);
            }
            Step::ChangePlan(of, plan) => {
                let (id, price) = (self.pick("subscription", of), self.price(plan));
                let sub = self.sandbox.state().copy(&id);
                let Some(item) = sub.list_at("items").first().and_then(|item| item["id"].as_str()) else { return };
                let form = [
                    ("items[0][id]", item),
                    ("items[0][price]", price.as_str()),
                    ("proration_behavior", "always_invoice"),
                ];
                self.post(&format!("/v1/subscriptions/{id}"), &form);
            }
            Step::ChangeCard(good) => {
                let customer = self.id.clone();
                let path = format!("/v1/payment_methods/{}/attach", CARDS[usize::from(!good)]);
                let card = self.post(&path, &[("customer", &customer)]);
                let form = [("invoice_settings[default_payment_method]", card.as_str())];
                self.post(&format!("/v1/customers/{customer}"), &form);
            }
            Step::Pay(of) => {
                let invoice = self.pick("invoice", of);
                self.post(&format!("/v1/invoices/{invoice}/pay"), &[("payment_method", CARDS[0])]);
            }
            Step::CancelAtEnd(of, ends) => {
                let ends = ends.to_string();
                let path = format!("/v1/subscriptions/{}", self.pick("subscription", of));
                self.post(&path, &[("cancel_at_period_end", &ends)]);
            }
            Step::Cancel(of) => {
                let path = format!("/v1/subscriptions/{}", self.pick("subscription", of));
                self.send("DELETE", &path, &[]);
            }
            Step::Refund(of, part) => {
                let charge = self.pick("charge", of);
                let amount = (self.sandbox.state().copy(&charge).int("amount") * i64::from(part) / 100).to_string();
                self.post("/v1/refunds", &[("charge", &charge), ("amount", &amount)]);
            }
            Step::Wait(days) => {
                let seconds = (i64::from(days) * DAY_S).to_string();
                self.post("/_sandbox/clock", &[("advance_by", &seconds)]);
            }
        }
    }

    /// All events in an API version, in Stripe's order, those of a second together.
    pub fn told_in(&self, version: &str) -> Vec<Part> {
        let version = version.parse().expect("a version of the local Stripe");
        let mut parts: Vec<Part> = Vec::new();
        for event in self.sandbox.state().events() {
            let shown = event.render(&version);
            let clock = shown["created"].as_i64().unwrap_or_default() * 1_000;
            let id = shown["id"].as_str().unwrap_or_default().to_owned();
            let mut text = shown.to_string();
            for (ours, catalogs) in &self.prices {
                text = text.replace(ours, catalogs);
            }
            let delivery = Delivery { id, bytes: text.into_bytes() };
            match parts.last_mut().filter(|part| part.clock == clock) {
                Some(part) => part.events.push(delivery),
                None => parts.push(Part { clock, events: vec![delivery], commands: Vec::new() }),
            }
        }
        parts
    }

    /// Id and status of each subscription.
    pub fn statuses(&self) -> Vec<(String, String)> {
        let all = self.sandbox.state().newest("subscription", None);
        all.map(|object| (object.id().to_owned(), object.text("status").to_owned())).collect()
    }

    /// What came in by charges and did not go back, in minor units.
    pub fn takings(&self) -> i64 {
        let all = self.sandbox.state().newest("charge", None);
        let paid = all.filter(|charge| charge.get("paid") == &Value::Bool(true));
        paid.map(|charge| charge.int("amount") - charge.int("amount_refunded")).sum()
    }
}
