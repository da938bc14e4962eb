//! The legacy parameters of subscriptions: `plan` and `quantity` for a single item, and `coupon` or `promotion_code` for a
//! single discount.
//!
//! Stripe's reference no longer lists them, but clients such as Laravel Cashier still send them.

use serde_json::{Value, json};

use crate::error::ApiError;
use crate::object::Object;
use crate::params::Args;

/// Replaces the legacy parameters of a request with `items` and `discounts`. In an update, `sub` is the subscription.
///
/// # Errors
/// A legacy parameter is given together with another parameter for the same purpose, or a `quantity` is given for a subscription with
/// several items.
pub fn spell_out(args: &Args, sub: Option<&Object>) -> Result<Args, ApiError> {
    let mut next = args.clone();
    if let Some(item) = item(args, sub)? {
        next.put("items", json!([item]));
    }
    if let Some(discounts) = discounts(args)? {
        next.put("discounts", discounts);
    }
    for member in ["plan", "quantity", "coupon", "promotion_code"] {
        next.remove(member);
    }
    Ok(next)
}

/// Returns the item that `plan` and `quantity` describe.
fn item(args: &Args, sub: Option<&Object>) -> Result<Option<Value>, ApiError> {
    let Some(member) = ["plan", "quantity"].into_iter().find(|member| args.given(member).is_some()) else {
        return Ok(None);
    };
    if args.has("items") {
        return Err(only_one_of(member, "items"));
    }
    let mut item = match sub.map(|sub| sub.list_at("items")) {
        None => json!({}),
        Some([only]) => json!({ "id": only["id"] }),
        Some(_) => {
            let message = format!(
                "The subscription has several items. Use `items` to say which item the parameter `{member}` is for."
            );
            return Err(ApiError::invalid(message).about(member));
        }
    };
    for member in ["plan", "quantity"] {
        if let Some(given) = args.given(member) {
            item[member] = given.clone();
        }
    }
    Ok(Some(item))
}

/// Returns the discount of `coupon` or `promotion_code` as `discounts`. An empty parameter removes all discounts.
fn discounts(args: &Args) -> Result<Option<Value>, ApiError> {
    let given: Vec<&str> = ["coupon", "promotion_code"].into_iter().filter(|member| args.has(member)).collect();
    let Some(first) = given.first() else { return Ok(None) };
    if let Some(other) = given.get(1).or(args.has("discounts").then_some(&"discounts")) {
        return Err(only_one_of(first, other));
    }
    Ok(Some(match args.given(first) {
        Some(id) => json!([{ *first: id }]),
        None => json!([]),
    }))
}

fn only_one_of(first: &str, other: &str) -> ApiError {
    ApiError::invalid(format!("You may only specify one of these parameters: {first}, {other}.")).about(first)
}
