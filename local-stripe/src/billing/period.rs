//! The periods of subscriptions and of their items.

use serde_json::{Value, json};

use crate::calendar;
use crate::error::ApiError;
use crate::model::billing::NewLine;
use crate::money;
use crate::object::Object;
use crate::pricing;

/// A billing period of a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The start and the end, in Unix seconds.
    pub period: (i64, i64),
    /// The length of the whole interval that contains the period, in seconds.
    whole_s: i64,
}

impl Span {
    /// Returns the period that begins at `start`. It ends at the next billing date, counted from the subscription's anchor, or at
    /// `cancel_at` if that is earlier.
    pub fn beginning(sub: &Object, price: &Value, start: i64) -> Span {
        let (interval, count) = calendar::interval(price);
        let anchor = sub.int("billing_cycle_anchor");
        let end = calendar::next_after(anchor, interval, count, start);
        let whole_s = end - calendar::last_before(anchor, interval, count, end);
        // A cancellation at the period's end moves with the period.
        let planned = sub.int_at("cancel_at").filter(|_| !sub.is("cancel_at_period_end"));
        let cancelled = planned.filter(|at| (start + 1..end).contains(at));
        Span { period: (start, cancelled.unwrap_or(end)), whole_s }
    }

    /// Reduces the lines to the period's share of the whole interval. Usage is billed in full. `is_free` makes the lines of a shorter
    /// period free.
    ///
    /// # Errors
    /// A prorated amount is too large.
    pub fn prorate(self, lines: &mut [NewLine], is_free: bool) -> Result<(), ApiError> {
        let part_s = self.period.1 - self.period.0;
        if part_s >= self.whole_s {
            return Ok(());
        }
        for line in lines.iter_mut().filter(|line| !pricing::is_metered(&line.price)) {
            let share = money::prorate(line.amount, if is_free { 0 } else { part_s }, self.whole_s);
            line.parent["subscription_item_details"]["proration"] = json!(!is_free);
            line.amount = share.ok_or_else(|| ApiError::coded("amount_too_large", "The amount is too large."))?;
        }
        Ok(())
    }
}

/// Returns the start and end of a subscription's current period, in Unix seconds: that of the item whose period ends first.
pub fn period(sub: &Object) -> Option<(i64, i64)> {
    let first = sub.list_at("items").iter().min_by_key(|item| item["current_period_end"].as_i64())?;
    Some((first["current_period_start"].as_i64()?, first["current_period_end"].as_i64()?))
}

/// Begins the next period of each item whose period ends at `end`.
pub fn advance(sub: &mut Object, end: i64) {
    let mut list = sub.list_at("items").to_vec();
    for item in list.iter_mut().filter(|item| item["current_period_end"].as_i64() <= Some(end)) {
        let next = Span::beginning(sub, &item["price"], end).period;
        item["current_period_start"] = json!(next.0);
        item["current_period_end"] = json!(next.1);
    }
    sub.set_at("items.data", list);
    if sub.is("cancel_at_period_end") {
        sub.set("cancel_at", period(sub).map(|(_, end)| end));
    }
}

/// Sets the period of all items. A cancellation planned for the period's end moves to the new end.
pub fn set_period(sub: &mut Object, start: i64, end: i64) {
    let mut list = sub.list_at("items").to_vec();
    for item in &mut list {
        item["current_period_start"] = json!(start);
        item["current_period_end"] = json!(end);
    }
    sub.set_at("items.data", list);
    if sub.is("cancel_at_period_end") {
        sub.set("cancel_at", end);
    }
}
