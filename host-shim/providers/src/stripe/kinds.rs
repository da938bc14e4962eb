//! Handlers of the effect kinds, one file per part of Stripe's API.

pub mod catalog;
pub mod checkout;
pub mod connect;
pub mod customer;
pub mod invoice;
mod lines;
pub mod meter_event;
pub mod payment;
pub mod preview;
pub mod promotion_code;
pub mod refund;
pub mod retrieve;
pub mod subscription;
pub mod transfer;

use crate::stripe::failure::Failed;
use serde_json::{Value, json};
use stripe_types::Currency;

/// Stripe's error code if an object with the requested id exists.
const EXISTS: &str = "resource_already_exists";

/// Returns outputs that contain only the `id` of an object.
fn only_id(object: &Value) -> Result<Value, Failed> {
    Ok(json!({"id": member(object, "id")?}))
}

/// Returns a required string member of an object.
fn member<'o>(object: &'o Value, name: &'static str) -> Result<&'o str, Failed> {
    let reason = match name {
        "id" => "an object without `id`",
        "url" => "an object without `url`",
        _ => "an object that lacks a text",
    };
    object.get(name).and_then(Value::as_str).ok_or(Failed::Unreadable { status: 200, reason })
}

/// Parses a currency of a payload, for example `usd`.
pub(super) fn currency(text: &str) -> Result<Currency, Failed> {
    let wrong = Failed::Payload { member: "currency", expected: "a currency of three lower case letters" };
    let is_right = text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_lowercase());
    // The parser accepts every string, so the format is checked here.
    text.parse().ok().filter(|_| is_right).ok_or(wrong)
}
