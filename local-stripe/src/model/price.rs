//! Builders of prices, and of the legacy plan that Stripe shows with a recurring price.

use serde_json::{Value, json};

use crate::object::Object;
use crate::pricing;

/// Returns the `plan` object of a recurring price; null for a one-time price.
pub fn plan_of(price: &Value) -> Value {
    let price = pricing::shown(price);
    let recurring = &price["recurring"];
    if !recurring.is_object() {
        return Value::Null;
    }
    json!({
        "id": price["id"],
        "object": "plan",
        "active": price["active"],
        "amount": price["unit_amount"],
        "amount_decimal": price["unit_amount_decimal"],
        "billing_scheme": price["billing_scheme"],
        "created": price["created"],
        "currency": price["currency"],
        "interval": recurring["interval"],
        "interval_count": recurring["interval_count"],
        "livemode": false,
        "metadata": price["metadata"],
        "meter": recurring["meter"],
        "nickname": price["nickname"],
        "product": price["product"],
        "tiers_mode": price["tiers_mode"],
        "transform_usage": price["transform_quantity"],
        "trial_period_days": recurring["trial_period_days"],
        "usage_type": recurring["usage_type"],
    })
}

/// The properties of a new price.
#[derive(Debug)]
pub struct NewPrice<'a> {
    /// The id.
    pub id: String,
    /// The creation time in Unix seconds.
    pub created_s: i64,
    /// The currency's lower-case code.
    pub currency: &'a str,
    /// The product's id.
    pub product: &'a str,
    /// The amount in minor units, as a decimal string.
    pub unit_amount_decimal: String,
    /// The interval and its count, such as `("month", 3)`; `None` for a one-time price.
    pub recurring: Option<(&'a str, i64)>,
    /// `recurring.trial_period_days`.
    pub trial_period_days: Value,
    /// `recurring.meter`: the meter's id for a metered price, else null.
    pub meter: Value,
}

/// Builds an active price with the billing scheme `per_unit`.
pub fn price(new: NewPrice<'_>) -> Object {
    let recurring = new.recurring.map_or(Value::Null, |(interval, interval_count)| {
        json!({
            "interval": interval, "interval_count": interval_count, "meter": new.meter,
            "trial_period_days": new.trial_period_days,
            "usage_type": if new.meter.is_null() { "licensed" } else { "metered" },
        })
    });
    let whole = new.unit_amount_decimal.parse::<i64>().map_or(Value::Null, |n| json!(n));
    Object::of(json!({
        "id": new.id,
        "object": "price",
        "active": true,
        "billing_scheme": "per_unit",
        "created": new.created_s,
        "currency": new.currency,
        "custom_unit_amount": null,
        "livemode": false,
        "lookup_key": null,
        "metadata": {},
        "nickname": null,
        "product": new.product,
        "type": if recurring.is_null() { "one_time" } else { "recurring" },
        "recurring": recurring,
        "tax_behavior": "unspecified",
        "tiers_mode": null,
        "transform_quantity": null,
        "unit_amount": whole,
        "unit_amount_decimal": new.unit_amount_decimal,
    }))
}
