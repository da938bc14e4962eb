//! Items with different intervals on one subscription, such as a monthly plan with a yearly add-on. Each item has its own period. All
//! periods are counted from one anchor, so that the longer ones renew together with the shortest.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::calendar;
use crate::error::ApiError;
use crate::object::Object;
use crate::params::Args;
use crate::pricing;

/// Parameters that the sandbox can't set on a new subscription with several intervals.
pub const NOT_AT_FIRST: &[&str] = &["backdate_start_date", "cancel_at", "cancel_at_period_end"];
/// Parameters that the sandbox can't change on a subscription with several intervals.
pub const FIXED: &[&str] = &["billing_cycle_anchor", "cancel_at", "cancel_at_period_end", "trial_end"];

/// The length of a price's interval: whether it is counted in months, and the number of months or days.
fn length(price: &Value) -> (bool, i64) {
    let (interval, count) = calendar::interval(price);
    match interval {
        "day" => (false, count),
        "week" => (false, 7 * count),
        "year" => (true, 12 * count),
        _ => (true, count),
    }
}

/// The lengths of the intervals of a subscription's items.
pub fn lengths(items: &[Value]) -> BTreeSet<(bool, i64)> {
    items.iter().map(|item| length(&item["price"])).collect()
}

/// Whether a subscription's items have several intervals.
pub fn is_mixed(items: &[Value]) -> bool {
    lengths(items).len() > 1
}

/// Returns the price with the shortest interval.
pub fn shortest<'p>(prices: impl Iterator<Item = &'p Object>) -> Option<&'p Object> {
    prices.min_by_key(|price| length(&price.value()))
}

/// Checks that each interval is a multiple of the shortest one, and that usage is billed in the shortest one.
///
/// # Errors
/// An interval is not a multiple of the shortest one, or a metered price has a longer interval.
pub fn check<'p>(prices: impl Iterator<Item = &'p Object> + Clone) -> Result<(), ApiError> {
    let Some(shortest) = shortest(prices.clone()).map(|price| length(&price.value())) else { return Ok(()) };
    for price in prices {
        let price = price.value();
        let own = length(&price);
        if own.0 != shortest.0 || own.1 % shortest.1 != 0 {
            let message = "The billing intervals of a subscription's items must be multiples of the shortest one.";
            return Err(ApiError::invalid(message).about("items"));
        }
        if pricing::is_metered(&price) && own != shortest {
            let message = "The local Stripe bills usage in the shortest interval of a subscription only.";
            return Err(ApiError::invalid(message).about("items"));
        }
    }
    Ok(())
}

/// Checks that a request sets none of these parameters if the subscription's items have several intervals.
///
/// # Errors
/// The request sets one of the parameters.
pub fn check_parameters(sub: &Object, args: &Args, refused: &[&str]) -> Result<(), ApiError> {
    let is_set = |name: &&&str| args.given(name).is_some_and(|given| *given != false && given != "unchanged");
    match refused.iter().find(is_set).filter(|_| is_mixed(sub.list_at("items"))) {
        Some(name) => {
            let message =
                format!("The local Stripe can't set `{name}` on a subscription whose items have several intervals.");
            Err(ApiError::invalid(message).about(name))
        }
        None => Ok(()),
    }
}

/// Checks that a change leaves the intervals of the items as they were, if there are several before or after it.
///
/// # Errors
/// The intervals differ.
pub fn check_kept(before: &[Value], after: &[Value]) -> Result<(), ApiError> {
    if (is_mixed(before) || is_mixed(after)) && lengths(before) != lengths(after) {
        let message = "The local Stripe can't change the intervals of a subscription's items one by one.";
        return Err(ApiError::invalid(message).about("items"));
    }
    Ok(())
}

/// Checks that a new period can begin for all items at once.
///
/// # Errors
/// The items have several intervals.
pub fn check_restart(items: &[Value]) -> Result<(), ApiError> {
    match is_mixed(items) {
        false => Ok(()),
        true => {
            let message = "The local Stripe can't begin a new period for items that have several intervals.";
            Err(ApiError::invalid(message))
        }
    }
}

/// Checks that the prices of a schedule's phase have one interval.
///
/// # Errors
/// The prices have several intervals.
pub fn check_single<'p>(mut prices: impl Iterator<Item = &'p Object>, param: &str) -> Result<(), ApiError> {
    let first = prices.next().map(|price| length(&price.value()));
    if prices.any(|price| Some(length(&price.value())) != first) {
        let message = "The local Stripe takes prices of one interval in a schedule.";
        return Err(ApiError::invalid(message).about(param));
    }
    Ok(())
}

/// Returns the current period of the item with the same interval as the price, in Unix seconds.
pub fn period_like(items: &[Value], price: &Value) -> Option<(i64, i64)> {
    let alike = items.iter().find(|item| length(&item["price"]) == length(price))?;
    Some((alike["current_period_start"].as_i64()?, alike["current_period_end"].as_i64()?))
}
