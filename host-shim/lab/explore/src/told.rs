//! Reads the bodies of a story and the catalog of its business: the subscriptions at Stripe, the invoices, and what is for sale.

use host_scenario::business::BusinessFolder;
use host_scenario::prepare::Case;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// A subscription according to its newest body.
#[derive(Clone, Debug)]
pub(crate) struct Subscription {
    pub id: String,
    pub customer: String,
    pub status: String,
    pub metadata: Value,
    /// Whether it ends together with its period.
    pub ends: bool,
    pub items: Vec<Item>,
    /// Whether an earlier body had different items, or the items have their own periods.
    pub was_changed: bool,
    /// Time of the newest body whose items differ from those before it, in seconds since the epoch.
    pub changed_at: Option<i64>,
    /// Start and end of the period, in seconds since the epoch.
    pub period: (i64, i64),
    /// Time of the body, in seconds since the epoch.
    pub told_at: i64,
}

/// An item of a subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    pub id: String,
    pub price: String,
    pub quantity: i64,
}

/// An invoice according to its newest body.
#[derive(Clone, Debug)]
pub(crate) struct Invoice {
    pub subscription: Option<String>,
    /// Prices of its lines.
    pub prices: BTreeSet<String>,
    pub status: String,
    pub total_minor: i64,
    pub currency: String,
    /// Time of the body, in seconds since the epoch.
    pub told_at: i64,
}

/// The objects at Stripe that occur in a story's events.
#[derive(Clone, Debug, Default)]
pub(crate) struct Told {
    pub subscriptions: BTreeMap<String, Subscription>,
    pub invoices: BTreeMap<String, Invoice>,
    /// Whether an event of each connected account was delivered.
    pub connected: Vec<String>,
}

/// Returns the id in a member that is either an id or an object with one.
pub(crate) fn id_of(value: &Value) -> Option<&str> {
    value.as_str().or_else(|| value["id"].as_str())
}

impl Told {
    /// Reads the events of a story in one API version.
    pub fn by(case: &Case) -> Told {
        let mut told = Told::default();
        for delivery in case.deliveries.iter().flatten() {
            let Ok(event) = serde_json::from_slice::<Value>(&delivery.bytes) else { continue };
            if event["object"] == "event" {
                told.read(&event);
            }
        }
        told
    }

    /// Reads an event.
    pub fn read(&mut self, event: &Value) {
        let (object, at) = (&event["data"]["object"], event["created"].as_i64().unwrap_or(0));
        if let Some(account) = event["account"].as_str() {
            if !self.connected.iter().any(|known| known == account) {
                self.connected.push(account.to_owned());
            }
            return;
        }
        let Some(id) = object["id"].as_str() else { return };
        match object["object"].as_str() {
            Some("subscription") if self.subscriptions.get(id).is_none_or(|known| known.told_at <= at) => {
                let known = self.subscriptions.get(id).cloned();
                if let Some(mut found) = subscription(object, at) {
                    if let Some(known) = known {
                        let is_change = known.items != found.items;
                        found.was_changed |= known.was_changed || is_change;
                        found.changed_at = if is_change { Some(at) } else { known.changed_at };
                    }
                    self.subscriptions.insert(id.to_owned(), found);
                }
            }
            Some("invoice") if self.invoices.get(id).is_none_or(|known| known.told_at <= at) => {
                let of_parent = &object["parent"]["subscription_details"]["subscription"];
                let lines = object["lines"]["data"].as_array().into_iter().flatten();
                let price = |line: &Value| {
                    id_of(&line["price"]).or(line["pricing"]["price_details"]["price"].as_str()).map(str::to_owned)
                };
                let invoice = Invoice {
                    subscription: id_of(&object["subscription"]).or(id_of(of_parent)).map(str::to_owned),
                    prices: lines.filter_map(price).collect(),
                    status: object["status"].as_str().unwrap_or("paid").to_owned(),
                    total_minor: object["total"].as_i64().unwrap_or(0),
                    currency: object["currency"].as_str().unwrap_or("usd").to_owned(),
                    told_at: at,
                };
                self.invoices.insert(id.to_owned(), invoice);
            }
            _ => {}
        }
    }

    /// Keeps only the known objects. Also drops the subscriptions of unknown invoices, whose events are waiting or were refused.
    pub fn retain(&mut self, known: &BTreeSet<String>) {
        let unknown = self.invoices.iter().filter(|(id, _)| !known.contains(*id));
        let waiting: BTreeSet<String> = unknown.filter_map(|(_, invoice)| invoice.subscription.clone()).collect();
        self.invoices.retain(|id, _| known.contains(id));
        self.subscriptions.retain(|id, _| known.contains(id) && !waiting.contains(id));
        self.connected.retain(|id| known.contains(id));
    }

    /// Returns the subscriptions that are active, have a positive quantity of each item, and whose invoices are paid and cover these items,
    /// also since their last change. If no invoice is known, the items must never have changed.
    pub fn paid_subscriptions(&self) -> impl Iterator<Item = &Subscription> {
        self.subscriptions.values().filter(|subscription| {
            let of_it = |invoice: &&Invoice| invoice.subscription.as_ref() == Some(&subscription.id);
            let invoices: Vec<&Invoice> = self.invoices.values().filter(of_it).collect();
            let is_for = |invoice: &Invoice, item: &Item| invoice.prices.contains(&item.price);
            subscription.status == "active"
                && !subscription.ends
                && subscription.items.iter().all(|item| item.quantity > 0)
                && invoices.iter().all(|invoice| invoice.status == "paid")
                && invoices.iter().all(|invoice| subscription.items.iter().any(|item| is_for(invoice, item)))
                && match invoices.is_empty() {
                    true => !subscription.was_changed,
                    false => {
                        let is_since = |at| invoices.iter().any(|invoice| invoice.told_at >= at);
                        subscription.changed_at.is_none_or(is_since)
                            && subscription
                                .items
                                .iter()
                                .all(|item| invoices.iter().any(|invoice| is_for(invoice, item)))
                    }
                }
        })
    }
}

fn subscription(object: &Value, at: i64) -> Option<Subscription> {
    let items = object["items"]["data"].as_array()?;
    let item = |item: &Value| {
        let price = id_of(&item["price"]).or(id_of(&item["plan"]))?.to_owned();
        // A metered item has no quantity.
        let quantity = item["quantity"].as_i64()?;
        Some(Item { id: item["id"].as_str()?.to_owned(), price, quantity })
    };
    let first = items.first()?;
    let time = |name: &str| object[name].as_i64().or(first[name].as_i64());
    let has_own_periods = items.iter().any(|item| item["current_period_end"] != first["current_period_end"]);
    Some(Subscription {
        id: object["id"].as_str()?.to_owned(),
        customer: id_of(&object["customer"])?.to_owned(),
        status: object["status"].as_str()?.to_owned(),
        metadata: object["metadata"].clone(),
        ends: object["cancel_at_period_end"] == true || object["cancel_at"].is_i64(),
        items: items.iter().map(item).collect::<Option<_>>()?,
        was_changed: has_own_periods,
        changed_at: None,
        period: (time("current_period_start")?, time("current_period_end")?),
        told_at: at,
    })
}

/// A price of the catalog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Offer {
    pub product: String,
    pub product_type: String,
    /// `once`, or the interval.
    pub interval: String,
    /// Minor units of the catalog's default currency.
    pub amount: i64,
    pub price: String,
}

/// Returns the prices of a catalog with amount and id, in order of products and intervals.
pub(crate) fn offers(business: &BusinessFolder, livemode: bool) -> Vec<Offer> {
    let text = |value: &Value, name: &str| value[name].as_str().unwrap_or_default().to_owned();
    let mut found = Vec::new();
    let default = business.catalog["policies"]["currency"][0].as_str().unwrap_or_default();
    for product in business.catalog["products"].as_array().into_iter().flatten() {
        for (interval, price) in product["prices"].as_object().into_iter().flatten() {
            let of_mode = &price["id"][if livemode { "live" } else { "test" }];
            let id = price["id"].as_str().or(of_mode.as_str());
            let amount = price["amount"].as_i64().or_else(|| price["amount"][default].as_i64());
            if let (Some(amount), Some(id)) = (amount, id) {
                found.push(Offer {
                    product: text(product, "id"),
                    product_type: text(product, "product_type"),
                    interval: interval.clone(),
                    amount,
                    price: id.to_owned(),
                });
            }
        }
    }
    found
}
