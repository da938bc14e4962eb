//! The builder of mandates.

use serde_json::{Value, json};

use crate::object::Object;

/// Builds a mandate for a payment method. `single_use` is the amount in minor units and the currency of the only payment that it allows;
/// without it, the mandate covers any number of payments. `reference` identifies it at the bank.
pub fn mandate(
    id: String,
    method: &Object,
    acceptance: Value,
    single_use: Option<(i64, &str)>,
    reference: &str,
    url: String,
) -> Object {
    let kind = method.text("type");
    let mut details = json!({ "type": kind });
    details[kind] = match kind {
        "sepa_debit" => json!({ "reference": reference, "url": url }),
        _ => json!({}),
    };
    let mut made = Object::of(json!({
        "id": id,
        "object": "mandate",
        "customer_acceptance": acceptance,
        "livemode": false,
        "payment_method": method.id(),
        "payment_method_details": details,
        // A mandate for one payment is used by the payment that creates it.
        "status": if single_use.is_some() { "inactive" } else { "active" },
        "type": if single_use.is_some() { "single_use" } else { "multi_use" },
    }));
    match single_use {
        Some((amount, currency)) => made.set("single_use", json!({ "amount": amount, "currency": currency })),
        None => made.set("multi_use", json!({})),
    }
    made
}
