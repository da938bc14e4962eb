//! Metered usage: how much a meter counted, and how much an item used in a period.

use std::ops::Range;
use std::sync::Arc;

use serde_json::Value;

use crate::billing::invoicing::invoice;
use crate::billing::items;
use crate::error::ApiError;
use crate::model::billing::NewLine;
use crate::object::Object;
use crate::object::own::ItemUsage;
use crate::pricing;
use crate::state::State;

/// Returns the name of the series that holds a customer's meter events with this event name.
pub fn series(customer: &str, event_name: &str) -> String {
    format!("{customer}:{event_name}")
}

/// Returns the value that a meter counted for a customer from `from_s` (included) to `until_s` (excluded), in Unix
/// seconds.
///
/// # Errors
/// The sum overflows.
pub fn counted(st: &State, meter: &Object, customer: &str, from_s: i64, until_s: i64) -> Result<i64, ApiError> {
    counted_after(st, meter, customer, from_s..until_s, i64::MIN)
}

/// Does what [`counted`] does, but counts only meter events that were reported after the object with this number.
///
/// # Errors
/// The sum overflows.
pub fn counted_after(
    st: &State,
    meter: &Object,
    customer: &str,
    within_s: Range<i64>,
    number: i64,
) -> Result<i64, ApiError> {
    let series = series(customer, meter.text("event_name"));
    let counts = |event: &Arc<Object>| !event.as_meter_event().cancelled && event.seq > number;
    let mut events = st.series(series, within_s).filter(counts);
    match meter.text_at("default_aggregation.formula") {
        Some("count") => Ok(i64::try_from(events.count()).unwrap_or(i64::MAX)),
        Some("last") => Ok(events.next().map_or(0, |event| event.as_meter_event().value)),
        _ => {
            let mut sum = 0_i64;
            for event in events {
                let too_large = || ApiError::coded("amount_too_large", "The meter counted more than can be billed.");
                sum = sum.checked_add(event.as_meter_event().value).ok_or_else(too_large)?;
            }
            Ok(sum)
        }
    }
}

/// Returns the usage of a metered item in a period. Usage before the item got its current price does not count.
///
/// # Errors
/// The sum overflows.
pub fn of_item(st: &State, sub: &Object, item: &Value, period: (i64, i64)) -> Result<i64, ApiError> {
    let meter = st.copy_if_any(item["price"]["recurring"]["meter"].as_str().unwrap_or_default());
    counted(st, &meter, sub.text("customer"), since(sub, item, period.0), period.1)
}

/// Returns the time from which an item's usage counts in a period, in Unix seconds.
fn since(sub: &Object, item: &Value, start_s: i64) -> i64 {
    billed(sub, item).and_then(|usage| usage.from_s).map_or(start_s, |from| from.max(start_s))
}

fn billed<'s>(sub: &'s Object, item: &Value) -> Option<&'s ItemUsage> {
    sub.as_subscription().usage.get(item["id"].as_str()?)
}

/// Marks that an item has its price from now on. Earlier usage does not count towards this price.
pub fn begin(sub: &mut Object, item: &str, now_s: i64) {
    sub.as_subscription_mut().usage.insert(item.to_owned(), ItemUsage { from_s: Some(now_s), invoiced: None });
}

/// Records that this quantity has been invoiced for an item's period, which begins at a time in Unix seconds.
pub fn note_invoiced(sub: &mut Object, item: &str, start_s: i64, used: i64) {
    sub.as_subscription_mut().usage.entry(item.to_owned()).or_default().invoiced = Some((start_s, used));
}

/// Returns the part of the quantity `used` in a period that has not been invoiced yet, and its cost in minor units. With tiers, the cost is
/// that of the whole quantity less that of the invoiced part.
///
/// # Errors
/// An amount is too large.
pub fn rest(sub: &Object, item: &Value, start_s: i64, used: i64) -> Result<(i64, i64), ApiError> {
    let invoiced = billed(sub, item).and_then(|usage| usage.invoiced).filter(|(start, _)| *start == start_s);
    let before = invoiced.map_or(0, |(_, before)| before).min(used);
    let price = &item["price"];
    let amount = pricing::amount(price, used)?;
    Ok((used - before, if before > 0 { amount - pricing::amount(price, before)? } else { amount }))
}

/// Bills an item's usage so far on the next invoice, because its price is removed or replaced before the period ends.
///
/// # Errors
/// The usage or its amount is too large.
pub fn close(st: &mut State, sub: &Object, item: &Value, now_s: i64) -> Result<(), ApiError> {
    let price = &item["price"];
    let start = since(sub, item, item["current_period_start"].as_i64().unwrap_or(now_s));
    if !pricing::is_metered(price) {
        return Ok(());
    }
    let used = of_item(st, sub, item, (start, now_s))?;
    let (used, amount) = rest(sub, item, item["current_period_start"].as_i64().unwrap_or(now_s), used)?;
    if used == 0 {
        return Ok(());
    }
    let line = NewLine {
        amount,
        currency: sub.text("currency").to_owned(),
        description: items::words(st, price, used),
        period: (start, now_s),
        price: price.clone(),
        quantity: used,
        parent: Value::Null,
        metadata: sub.get("metadata").clone(),
        tax_rates: item["tax_rates"].clone(),
        discounts: Vec::new(),
    };
    invoice::add_pending_item(st, sub, item, line, |_| {});
    Ok(())
}
