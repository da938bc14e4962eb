//! Determines what is paid of a subscription's items, from the events of the local Stripe.
//!
//! A rise of a price or a quantity counts when its invoice is paid, or when a whole later period is paid. A fall counts
//! at once, except a change to a cheaper add-on whose invoice is unpaid: the add-on before it is paid. A trial is paid. An item
//! that was never paid gives nothing, whatever Stripe calls the subscription.

use crate::catalog::Catalog;
use crate::sandbox::Stripe;
use local_stripe::event::Event;
use local_stripe::object::Object;
use std::collections::{BTreeMap, BTreeSet};

/// Index of a ware, with a quantity.
type Level = (usize, i64);

/// An item of a subscription.
#[derive(Clone, Debug)]
struct Item {
    /// What the item has at Stripe.
    wanted: Level,
    /// What is paid of it.
    paid: Option<Level>,
}

/// What is paid of all items of an account's subscriptions.
#[derive(Clone, Debug, Default)]
pub(crate) struct Payments {
    items: BTreeMap<String, Item>,
    /// What each invoice asks money for: the item, and what it has with the payment.
    asked: BTreeMap<String, Vec<(String, Level)>>,
    /// Ids of paid invoices.
    settled: BTreeSet<String>,
    /// True if an unpaid add-on has replaced one that is paid.
    has_unpaid_exchange: bool,
}

/// The smaller of two levels: its price and its quantity are at most those of both.
fn least(catalog: &Catalog, a: Level, b: Level) -> Level {
    let ware = if catalog.wares[b.0].level() < catalog.wares[a.0].level() { b.0 } else { a.0 };
    (ware, a.1.min(b.1))
}

/// True if a ware is an add-on: it replaces no lower plan and is replaced by no higher one.
fn is_addon(catalog: &Catalog, ware: usize) -> bool {
    catalog.wares[ware].family.is_none()
}

/// The larger of two levels.
fn most(catalog: &Catalog, a: Level, b: Level) -> Level {
    let ware = if catalog.wares[b.0].level() >= catalog.wares[a.0].level() { b.0 } else { a.0 };
    (ware, a.1.max(b.1))
}

impl Payments {
    /// Reads an event of Stripe. Call it once for each event, in order.
    pub(crate) fn read(&mut self, catalog: &Catalog, stripe: &Stripe, event: &Event) {
        if event.kind == "invoice.paid" {
            let invoice = event.object.id();
            self.settled.insert(invoice.to_owned());
            self.settle(catalog, invoice);
        } else if event.object.text("object") == "subscription" {
            self.change(catalog, stripe, &event.object);
        }
    }

    fn change(&mut self, catalog: &Catalog, stripe: &Stripe, subscription: &Object) {
        let invoice = subscription.text("latest_invoice").to_owned();
        let is_new = !invoice.is_empty() && !self.asked.contains_key(&invoice);
        let is_of_change = stripe
            .all("invoice")
            .iter()
            .any(|it| it.id() == invoice && it.text("billing_reason") == "subscription_update");
        let mut asked = Vec::new();
        for item in subscription.list_at("items") {
            let id = item["id"].as_str().unwrap_or_default().to_owned();
            let ware = stripe.plan(item["price"]["id"].as_str().unwrap_or_default());
            let wanted = (ware, item["quantity"].as_i64().unwrap_or(1));
            let known = self.items.get(&id);
            let is_rise = known.is_none_or(|known| least(catalog, known.wanted, wanted) != wanted);
            let is_exchange = is_addon(catalog, ware) && known.is_some_and(|known| known.wanted.0 != ware);
            if !is_of_change || is_rise || is_exchange {
                asked.push((id.clone(), wanted));
            }
            // Without an invoice, there is nothing that could be unpaid.
            let waits = is_addon(catalog, ware) && (is_new || !is_exchange);
            self.has_unpaid_exchange |= is_new && is_exchange && known.is_some_and(|known| known.paid.is_some());
            let mut paid = known.and_then(|known| known.paid).map(|paid| match waits {
                true => (paid.0, paid.1.min(wanted.1)),
                false => least(catalog, paid, wanted),
            });
            if subscription.text("status") == "trialing" {
                paid = Some(wanted);
            }
            self.items.insert(id, Item { wanted, paid });
        }
        if is_new {
            self.asked.insert(invoice.clone(), asked);
            if self.settled.contains(&invoice) {
                self.settle(catalog, &invoice);
            }
        }
    }

    fn settle(&mut self, catalog: &Catalog, invoice: &str) {
        for (id, level) in self.asked.get(invoice).into_iter().flatten() {
            let Some(item) = self.items.get_mut(id) else { continue };
            let is_what_the_item_has = is_addon(catalog, level.0) && level.0 == item.wanted.0;
            let level = least(catalog, *level, item.wanted);
            item.paid = item.paid.filter(|paid| !is_what_the_item_has || paid.0 == level.0);
            item.paid = Some(item.paid.map_or(level, |paid| most(catalog, paid, level)));
        }
    }

    /// True once after an unpaid add-on has replaced one that is paid. Until its invoice is known, the host takes the new one for paid.
    pub(crate) fn take_unpaid_exchange(&mut self) -> bool {
        std::mem::take(&mut self.has_unpaid_exchange)
    }

    /// True if all that an item has at Stripe is paid.
    pub(crate) fn is_settled(&self, item: &str) -> bool {
        self.items.get(item).is_some_and(|item| item.paid == Some(item.wanted))
    }

    /// What is paid of an item: the index of its ware, and the quantity. None if the item was never paid.
    pub(crate) fn of(&self, item: &str) -> Option<Level> {
        self.items.get(item)?.paid
    }
}
