//! The builder of tax ids.

use serde_json::{Value, json};

use crate::object::Object;
use crate::tax_ids;

/// Builds the tax id of a customer, or of the own account.
pub fn tax_id(
    id: String,
    created_s: i64,
    customer: Option<&Object>,
    kind: &str,
    value: &str,
    country: Value,
) -> Object {
    let customer_id = customer.map_or(Value::Null, |customer| customer.get("id").clone());
    let owner = if customer.is_some() { "customer" } else { "self" };
    let made = Object::of(json!({
        "id": id,
        "object": "tax_id",
        "country": country,
        "created": created_s,
        "customer": customer_id,
        "customer_account": null,
        "livemode": false,
        "owner": { "account": null, "application": null, "customer": customer_id, "customer_account": null, "type": owner },
        "type": kind,
        "value": value,
        "verification": {
            "status": tax_ids::first_status(kind), "verified_address": null, "verified_name": null,
        },
    }));
    match customer {
        Some(customer) => made.on_clock_of(customer),
        None => made,
    }
}
