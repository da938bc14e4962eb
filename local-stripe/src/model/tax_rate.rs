//! The builder of tax rates.

use serde_json::{Value, json};

use crate::object::Object;

/// Builds a tax rate.
pub fn tax_rate(id: String, created_s: i64, display_name: &str, inclusive: bool, percentage: Value) -> Object {
    Object::of(json!({
        "id": id,
        "object": "tax_rate",
        "active": true,
        "country": null,
        "created": created_s,
        "description": null,
        "display_name": display_name,
        "effective_percentage": percentage,
        "flat_amount": null,
        "inclusive": inclusive,
        "jurisdiction": null,
        "jurisdiction_level": null,
        "livemode": false,
        "metadata": {},
        "percentage": percentage,
        "rate_type": "percentage",
        "state": null,
        "tax_type": null,
    }))
}
