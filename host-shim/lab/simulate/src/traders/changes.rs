//! Moves that change what a subscription has: the plan, the tier of an add-on, the quantity, the items; and the payment
//! of invoices that are sent.

use super::AccountDriver;
use crate::catalog::Ware;
use crate::moves::Move;
use crate::rates::{BILLED, NEVER_PAID, OUT_OF_BAND, TWO_ITEMS, UNPAID_CHANGES, UNPAID_PLANS, VOIDED};
use crate::sandbox::{BAD_CARD, GOOD_CARD};
use crate::trade::MoveKind;
use local_stripe::object::Object;
use serde_json::Value;

/// Days until an invoice that was sent is due.
const DUE_DAYS: [&str; 3] = ["7", "14", "30"];

fn id_of(item: &Value) -> &str {
    item["id"].as_str().unwrap_or_default()
}

fn quantity_of(item: &Value) -> i64 {
    item["quantity"].as_i64().unwrap_or(1)
}

impl AccountDriver<'_> {
    /// Index of the ware of an item.
    fn ware_of(&self, item: &Value) -> usize {
        self.customer.stripe.plan(item["price"]["id"].as_str().unwrap_or_default())
    }

    /// True if a subscription can change: it is active, and no earlier change of it is unpaid. Stripe credits the rest
    /// of an unpaid price at the next change, and what such a credit pays for is an open question.
    fn can_change(&self, subscription: &Object) -> bool {
        let is_unpaid = |invoice: &Object| {
            invoice.text_at("parent.subscription_details.subscription") == Some(subscription.id())
                && invoice.text("billing_reason") != "subscription_cycle"
                && invoice.text("status") != "paid"
        };
        subscription.text("status") == "active"
            && !self.customer.stripe.all("invoice").iter().any(|invoice| is_unpaid(invoice))
    }

    /// Charges a change to a card that can be charged, or to one that can't.
    fn use_card_of_change(&mut self, each: &Move<MoveKind>, unpaid: usize) {
        let fails = self.is_simulated && each.chance("the payment of a change", unpaid);
        self.customer.use_card(if fails { BAD_CARD } else { GOOD_CARD });
    }

    /// Changes the items of a subscription, with an invoice of the difference.
    fn change_items(&mut self, subscription: &Object, members: &[(&str, &str)]) {
        let form = [members, &[("proration_behavior", "always_invoice")]].concat();
        self.customer.stripe.post(&format!("/v1/subscriptions/{}", subscription.id()), &form);
    }

    /// Changes the price of an item and keeps its quantity.
    fn change_price(&mut self, each: &Move<MoveKind>, subscription: &Object, item: &Value, ware: usize) {
        let is_plan = self.catalog.wares[ware].family.is_some() && quantity_of(item) == 1;
        self.use_card_of_change(each, if is_plan { UNPAID_PLANS } else { UNPAID_CHANGES });
        let (price, quantity) = (self.customer.stripe.price(ware), quantity_of(item).to_string());
        let mut members = vec![("items[0][id]", id_of(item)), ("items[0][price]", price.as_str())];
        if self.is_simulated {
            members.push(("items[0][quantity]", &quantity));
        }
        self.change_items(subscription, &members);
    }

    /// Changes the plan within its family.
    pub(super) fn change_plan(&mut self, each: &Move<MoveKind>) {
        let Some(subscription) = self.customer.pick(each, |sub| self.can_change(sub)) else { return };
        let wares = &self.catalog.wares;
        let is_plan = |item: &&Value| wares[self.ware_of(item)].family.is_some();
        let items = subscription.list_at("items");
        let Some(item) = items.iter().find(is_plan).or(items.first()) else { return };
        let held = self.ware_of(item);
        let is_other = |other: &usize| {
            *other != held
                && wares[*other].family.is_some()
                && wares[*other].family == wares[held].family
                && self.fits_beside(items, *other)
        };
        let others: Vec<usize> = self.choice().into_iter().filter(is_other).collect();
        let Some(other) = usize::from(each.flags >> 4).checked_rem(others.len()) else { return };
        self.change_price(each, &subscription, item, others[other]);
    }

    /// True if a price can stand among the items of a subscription: if there are several, their intervals are equal.
    fn fits_beside(&self, items: &[Value], ware: usize) -> bool {
        let interval = self.catalog.wares[ware].offer.interval.as_deref();
        interval.is_some() && (items.len() < 2 || self.interval_of(items) == interval)
    }

    fn interval_of(&self, items: &[Value]) -> Option<&str> {
        let first = items.first()?;
        self.catalog.wares[self.ware_of(first)].offer.interval.as_deref()
    }

    /// Changes an add-on to another tier or interval that the account does not have otherwise.
    pub(super) fn change_tier(&mut self, each: &Move<MoveKind>) {
        let wares = &self.catalog.wares;
        let is_tier = |item: &Value| {
            let ware = &wares[self.ware_of(item)];
            ware.family.is_none() && ware.share.is_none()
        };
        let fits = |sub: &Object| self.can_change(sub) && sub.list_at("items").iter().any(is_tier);
        let Some(subscription) = self.customer.pick(each, fits) else { return };
        let items = subscription.list_at("items");
        let tiers: Vec<&Value> = items.iter().filter(|item| is_tier(item)).collect();
        let Some(item) = each.number("the add-on").checked_rem(tiers.len()).map(|at| tiers[at]) else { return };
        let held = self.ware_of(item);
        let is_free = |other: usize| {
            let is_same_item = wares[other].item.is_some() && wares[other].item == wares[held].item;
            is_same_item || self.oracle.is_free(self.catalog, &self.customer.stripe, other)
        };
        // Stripe refuses a second item with the same price.
        let is_held = |ware: usize| items.iter().any(|item| self.ware_of(item) == ware);
        let is_other = |other: &usize| {
            !is_held(*other)
                && wares[*other].kind == wares[held].kind
                && self.fits_beside(items, *other)
                && self.is_sold(*other)
                && is_free(*other)
        };
        let others: Vec<usize> = self.choice().into_iter().filter(is_other).collect();
        let Some(other) = each.number("the tier").checked_rem(others.len()) else { return };
        self.change_price(each, &subscription, item, others[other]);
    }

    /// Changes the quantity of an item. While a rise is unpaid, the quantity only falls, to at most what is paid.
    pub(super) fn change_quantity(&mut self, each: &Move<MoveKind>) {
        let most = |item: &Value| self.catalog.wares[self.ware_of(item)].most;
        let fits = |sub: &Object| {
            matches!(sub.text("status"), "active" | "past_due")
                && sub.list_at("items").iter().any(|item| most(item) > 1)
        };
        let Some(subscription) = self.customer.pick(each, fits) else { return };
        let Some(item) = subscription.list_at("items").iter().find(|item| most(item) > 1) else { return };
        let (held, paid) = (quantity_of(item), self.oracle.paid_of(id_of(item)).map_or(0, |(_, paid)| paid));
        let is_paid = self.can_change(&subscription) && paid == held;
        let most = if is_paid { most(item) } else { paid };
        let Some(wanted) = (each.number("the quantity") as i64).checked_rem(most).map(|rest| rest + 1) else { return };
        if wanted == held {
            return;
        }
        self.use_card_of_change(each, UNPAID_CHANGES);
        let quantity = wanted.to_string();
        self.change_items(&subscription, &[("items[0][id]", id_of(item)), ("items[0][quantity]", &quantity)]);
    }

    /// The add-ons that can become another item of a subscription with these items.
    fn beside(&self, items: &[Value], interval: Option<&str>) -> Vec<usize> {
        let is_held = |ware: usize| items.iter().any(|item| self.ware_of(item) == ware);
        let fits = |index: &usize| {
            let ware: &Ware = &self.catalog.wares[*index];
            ware.family.is_none()
                && ware.offer.interval.as_deref() == interval
                && interval.is_some()
                && !is_held(*index)
                && self.is_sold(*index)
                && self.oracle.is_free(self.catalog, &self.customer.stripe, *index)
        };
        self.choice().into_iter().filter(fits).collect()
    }

    /// Adds an add-on to a subscription, as another item.
    pub(super) fn add_item(&mut self, each: &Move<MoveKind>) {
        let Some(subscription) = self.customer.pick(each, |sub| self.can_change(sub)) else { return };
        let items = subscription.list_at("items");
        let others = self.beside(items, self.interval_of(items));
        let Some(other) = each.number("the add-on").checked_rem(others.len()).map(|at| others[at]) else { return };
        self.use_card_of_change(each, UNPAID_CHANGES);
        let price = self.customer.stripe.price(other);
        let quantity = 1 + each.number("the quantity") as i64 % self.catalog.wares[other].most;
        let quantity = quantity.to_string();
        self.change_items(&subscription, &[("items[0][price]", &price), ("items[0][quantity]", &quantity)]);
    }

    /// Removes an add-on from a subscription that has other items. An add-on with a share stays: what the rest of its
    /// period is worth to its creator is not known.
    pub(super) fn remove_item(&mut self, each: &Move<MoveKind>) {
        let wares = &self.catalog.wares;
        let is_add_on = |item: &&Value| {
            let ware = &wares[self.ware_of(item)];
            ware.family.is_none() && ware.share.is_none()
        };
        let fits = |sub: &Object| {
            self.can_change(sub)
                && sub.list_at("items").len() > 1
                && sub.list_at("items").iter().any(|it| is_add_on(&it))
        };
        let Some(subscription) = self.customer.pick(each, fits) else { return };
        let Some(item) = subscription.list_at("items").iter().rev().find(is_add_on) else { return };
        self.change_items(&subscription, &[("items[0][id]", id_of(item)), ("items[0][deleted]", "true")]);
    }

    /// Creates a subscription whose invoices are sent, or one with a second item. Returns false if the move asks for
    /// neither.
    pub(super) fn subscribe_specially(&mut self, each: &Move<MoveKind>, ware: usize) -> bool {
        if !self.is_simulated {
            return false;
        }
        let wanted = &self.catalog.wares[ware];
        let price = self.customer.stripe.price(ware);
        if wanted.share.is_none() && each.chance("is billed", BILLED) {
            let days = DUE_DAYS[each.number("days until due") % DUE_DAYS.len()];
            let members =
                [("items[0][price]", price.as_str()), ("collection_method", "send_invoice"), ("days_until_due", days)];
            self.customer.subscribe_with(GOOD_CARD, &members);
            return true;
        }
        if !each.chance("has two items", TWO_ITEMS) {
            return false;
        }
        let is_other_item = |other: &usize| {
            let other = &self.catalog.wares[*other];
            *other.offer.price != wanted.offer.price && (other.item.is_none() || other.item != wanted.item)
        };
        let others = self.beside(&[], wanted.offer.interval.as_deref());
        let others: Vec<usize> = others.into_iter().filter(is_other_item).collect();
        let Some(other) = each.number("the second item").checked_rem(others.len()).map(|at| others[at]) else {
            return false;
        };
        let second = self.customer.stripe.price(other);
        let card = if each.chance("the payment of a change", UNPAID_CHANGES) { BAD_CARD } else { GOOD_CARD };
        self.customer.subscribe_with(card, &[("items[0][price]", &price), ("items[1][price]", &second)]);
        true
    }

    /// Subscribes for a year, without a checkout. Returns false if nothing fits.
    pub(crate) fn subscribe_yearly(&mut self, each: &Move<MoveKind>) -> bool {
        let fits = |index: &usize| {
            let ware = &self.catalog.wares[*index];
            ware.offer.interval.as_deref() == Some("year")
                && self.is_sold(*index)
                && self.oracle.is_free(self.catalog, &self.customer.stripe, *index)
        };
        let yearly: Vec<usize> = self.choice().into_iter().filter(fits).collect();
        let Some(ware) = each.of(yearly.len()).map(|at| yearly[at]) else { return false };
        self.customer.subscribe(ware, GOOD_CARD, false, None);
        true
    }

    /// Pays the oldest open invoice that was sent, by card or out of band. Some are never paid.
    pub(super) fn pay_bill(&mut self, each: &Move<MoveKind>) {
        let is_open = |invoice: &Object| {
            let never = invoice.id().bytes().fold(0_usize, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
            invoice.text("collection_method") == "send_invoice"
                && invoice.text("status") == "open"
                && never % 100 >= NEVER_PAID
        };
        let all = self.customer.stripe.all("invoice");
        let Some(open) = all.iter().rev().find(|invoice| is_open(invoice)) else { return };
        let path = format!("/v1/invoices/{}/pay", open.id());
        if each.chance("out of band", OUT_OF_BAND) {
            self.customer.stripe.post(&path, &[("paid_out_of_band", "true")]);
        } else {
            self.customer.use_card(GOOD_CARD);
            self.customer.stripe.post(&path, &[]);
        }
    }

    /// Voids the unpaid first invoice of a subscription, which Stripe then calls `active`. Returns false if the move
    /// asks for something else.
    pub(super) fn void_first(&mut self, each: &Move<MoveKind>) -> bool {
        if !self.is_simulated || !each.chance("void the first invoice", VOIDED) {
            return false;
        }
        let Some(subscription) = self.customer.pick(each, |sub| sub.text("status") == "incomplete") else {
            return false;
        };
        self.customer.stripe.post(&format!("/v1/invoices/{}/void", subscription.text("latest_invoice")), &[]);
        true
    }
}
