//! Billing thresholds: the usage of a period is invoiced before the period ends, once it reaches an amount or a
//! quantity.

use serde_json::Value;

use crate::billing::invoicing::invoice::{self, Draft};
use crate::billing::invoicing::usage;
use crate::billing::{items, period};
use crate::discount;
use crate::error::ApiError;
use crate::model::billing::{NewLine, subscription_parent};
use crate::object::Object;
use crate::pricing;
use crate::state::State;

/// The usage of an item that has not been invoiced yet.
struct Open {
    item: Value,
    /// The total quantity of the period.
    used: i64,
    /// The quantity that has not been invoiced yet.
    open: i64,
    /// The cost of that quantity, in minor units.
    amount: i64,
}

/// Invoices the open usage of a customer's subscriptions once it reaches a threshold.
///
/// # Errors
/// The usage or an amount is too large.
pub fn check(st: &mut State, customer: &str) -> Result<(), ApiError> {
    let has_threshold = |sub: &&std::sync::Arc<Object>| {
        let of_item = sub.list_at("items").iter().any(|item| item["billing_thresholds"].is_object());
        matches!(sub.text("status"), "active" | "past_due") && (of_item || sub.get("billing_thresholds").is_object())
    };
    let subs: Vec<Object> = st
        .newest("subscription", Some(customer))
        .filter(|sub| has_threshold(&sub))
        .map(|sub| Object::clone(&sub))
        .collect();
    subs.iter().try_for_each(|sub| check_one(st, sub))
}

fn check_one(st: &mut State, sub: &Object) -> Result<(), ApiError> {
    let (Some((start, _)), now) = (period::period(sub), st.now(sub)) else { return Ok(()) };
    let mut open = Vec::new();
    for item in sub.list_at("items").iter().filter(|item| pricing::is_metered(&item["price"])) {
        // Usage at this very second counts.
        let used = usage::of_item(st, sub, item, (start, now + 1))?;
        let (rest, amount) = usage::rest(sub, item, start, used)?;
        open.push(Open { item: item.clone(), used, open: rest, amount });
    }
    let sum: i64 = open.iter().map(|one| one.amount).sum();
    let reaches =
        |one: &Open| one.item["billing_thresholds"]["usage_gte"].as_i64().is_some_and(|least| one.open >= least);
    let of_amount = sub.int_at("billing_thresholds.amount_gte").is_some_and(|least| sum >= least);
    if sum == 0 || !of_amount && !open.iter().any(reaches) {
        return Ok(());
    }
    let line = |one: &Open| NewLine {
        amount: one.amount,
        currency: sub.text("currency").to_owned(),
        description: items::words(st, &one.item["price"], one.open),
        period: (start, now),
        price: one.item["price"].clone(),
        quantity: one.open,
        parent: subscription_parent(sub.id(), one.item["id"].as_str().unwrap_or_default(), false),
        metadata: sub.get("metadata").clone(),
        tax_rates: one.item["tax_rates"].clone(),
        discounts: discount::item::in_force(st, sub.text("customer"), &one.item),
    };
    let lines = open.iter().filter(|one| one.open > 0).map(line).collect();
    let draft = Draft {
        customer: sub.text("customer"),
        currency: sub.text("currency"),
        reason: "subscription_threshold",
        subscription: Some(sub),
        lines,
        takes_pending: true,
        period: Some((start, now)),
    };
    invoice::draft(st, draft, |_| {})?;
    st.change(sub.id(), |sub| {
        for one in &open {
            usage::note_invoiced(sub, one.item["id"].as_str().unwrap_or_default(), start, one.used);
        }
    });
    st.emit_since(sub.id(), "customer.subscription.updated", sub);
    Ok(())
}
