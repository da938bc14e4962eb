//! Finds names in a scenario's events that the business does not have: prices in Stripe events, plans and metadata fields in commands, and
//! meters of measurements. A step that expects a refusal may contain any name.

use super::Names;
use super::known::Named;
use crate::loaded::Loaded;
use host_business::yaml::Node;
use host_business::yaml::guess::misspells;
use host_scenario::error::BadInput;
use std::collections::BTreeSet;

/// Commands whose payload is a product.
const OF_PRODUCTS: [&str; 4] = ["product.create", "product.update", "product.list", "instance.create"];
/// Commands that refer to a product of the catalog.
const OF_PLANS: [&str; 2] = ["purchase.create", "subscription.change"];
/// Names for the plan of an instance that are accepted in addition to its field.
pub(super) const PLAN_ALIASES: [&str; 2] = ["plan", "parent_product_id"];
/// The event of a new subscription.
const NEW_SUBSCRIPTION: &str = "customer.subscription.created";
/// Members of a Stripe event's changes that contain a price.
const PRICES: [&str; 2] = ["price", "phase_price"];

impl Names {
    /// Returns the unknown names of all events of a scenario.
    pub(super) fn of_events(&self, document: &Node) -> Vec<BadInput> {
        let steps = document.member("events").and_then(Node::items).unwrap_or_default();
        steps.iter().filter(|step| !expects_refusal(step)).flat_map(|step| self.of_event(step)).collect()
    }

    fn of_event(&self, step: &Node) -> Vec<BadInput> {
        let mut found = Vec::new();
        let command = step.member("command").and_then(Node::scalar).unwrap_or_default();
        let payload = step.member("payload");
        if OF_PRODUCTS.contains(&command.as_str()) {
            found.extend(payload.into_iter().flat_map(|payload| self.of_product(payload)));
        }
        if let (Some(data), true) = (step.member("data"), step.member("product").is_some()) {
            found.extend(self.of_product(data));
        }
        if OF_PLANS.contains(&command.as_str()) && !self.changes_catalog {
            let products = self.loaded.products.iter().map(String::as_str);
            let named = ["plan_id", "product_id"].into_iter().filter_map(|key| Named::text(payload?.member(key)?));
            found.extend(named.filter_map(|name| name.unless("not a product of the catalog", products.clone())));
        }
        if let Some(usage) = step.member("usage").filter(|_| !self.changes_types) {
            let all = usage.items().unwrap_or(std::slice::from_ref(usage));
            let meters = all.iter().filter_map(|measurement| Named::text(measurement.member("meter")?));
            let known = self.meters.iter().map(String::as_str);
            found.extend(meters.filter_map(|meter| meter.unless("not a meter of the business", known.clone())));
        }
        if let Some(kind) = step.member("stripe").and_then(Node::scalar).filter(|_| !self.changes_catalog) {
            found.extend(self.of_prices(&kind, step));
        }
        found
    }

    /// Checks the prices in a Stripe event. Stripe may have prices that are not in the catalog, so a price is wrong only if it misspells
    /// one of the catalog's, or if a new subscription has no other price.
    fn of_prices(&self, kind: &str, step: &Node) -> Vec<BadInput> {
        let mut prices = Vec::new();
        let changes = step.entries().unwrap_or_default().iter().filter(|entry| is_change(&entry.key));
        changes.for_each(|entry| prices_in(&entry.value, &mut prices));
        let known = || self.loaded.prices.iter().map(String::as_str);
        let is_new = kind == NEW_SUBSCRIPTION && prices.iter().all(|price| !self.loaded.prices.contains(price.name));
        let wrong = prices.iter().filter(|price| is_new || known().any(|known| misspells(price.name, known)));
        wrong.filter_map(|price| price.unless("not a price of the catalog", known())).collect()
    }

    /// Checks a product's metadata against its type, or without a type, against any type.
    fn of_product(&self, product: &Node) -> Vec<BadInput> {
        let Some(metadata) = product.member("metadata").filter(|_| !self.changes_types) else { return Vec::new() };
        let named = ["product_type", "type"].into_iter().find_map(|key| product.member(key)?.scalar());
        let is_of = |names: &BTreeSet<String>| named.as_ref().is_none_or(|named| names.contains(named));
        let types = self.loaded.types.iter().filter(|of| is_of(&of.names));
        let Some(fields) = Loaded::fields(types) else { return Vec::new() };
        let known = || fields.iter().map(String::as_str);
        let keys = metadata.entries().unwrap_or_default().iter();
        let keys = keys.filter(|entry| !PLAN_ALIASES.contains(&entry.key.as_str()));
        keys.filter_map(|entry| Named::key(entry).unless("not a metadata field of the type", known())).collect()
    }
}

/// Finds the prices in the changes of an event, including those in its lists of items and lines.
fn prices_in<'d>(changes: &'d Node, found: &mut Vec<Named<'d>>) {
    for entry in changes.entries().unwrap_or_default() {
        if PRICES.contains(&entry.key.as_str()) || entry.key.ends_with(".price.id") {
            found.extend(Named::text(&entry.value));
        }
        entry.value.items().unwrap_or_default().iter().for_each(|item| prices_in(item, found));
    }
}

/// Returns true for `set`, `add`, and the same for one API version.
fn is_change(key: &str) -> bool {
    matches!(key.split('@').next(), Some("set" | "add"))
}

/// Returns true if a step expects that its event is refused or ignored.
fn expects_refusal(step: &Node) -> bool {
    let Some(expect) = step.member("expect") else { return false };
    let outcome = |node: &Node| {
        node.scalar().is_some_and(|outcome| ["rejected", "ignored", "failed"].contains(&outcome.as_str()))
    };
    outcome(expect) || ["outcome", "then"].into_iter().filter_map(|key| expect.member(key)).any(outcome)
}
