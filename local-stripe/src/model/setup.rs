//! Builders of setup intents, which save a card without a payment, and of their attempts.

use serde_json::{Value, json};

use crate::object::Object;

/// Builds a setup intent that waits for a payment method.
pub fn setup_intent(id: String, created_s: i64, usage: &str, secret: &str) -> Object {
    Object::of(json!({
        "client_secret": format!("{id}_secret_{secret}"),
        "id": id,
        "object": "setup_intent",
        "application": null,
        "automatic_payment_methods": null,
        "cancellation_reason": null,
        "created": created_s,
        "customer": null,
        "description": null,
        "excluded_payment_method_types": null,
        "flow_directions": null,
        "last_setup_error": null,
        "latest_attempt": null,
        "livemode": false,
        "mandate": null,
        "metadata": {},
        "next_action": null,
        "on_behalf_of": null,
        "payment_method": null,
        "payment_method_configuration_details": null,
        "payment_method_options": options(),
        "payment_method_types": ["card"],
        "single_use_mandate": null,
        "status": "requires_payment_method",
        "usage": usage,
    }))
}

/// Builds the member `payment_method_options` of a new setup intent.
pub fn options() -> Value {
    json!({ "card": { "mandate_options": null, "network": null, "request_three_d_secure": "automatic" } })
}

/// Builds an attempt of a setup intent.
pub fn setup_attempt(
    id: String,
    created_s: i64,
    intent: &Object,
    method: &Object,
    status: &str,
    error: Value,
) -> Object {
    let kind = method.text("type");
    let mut details = json!({ "type": kind });
    details[kind] = if kind == "card" { card_details(method.get("card")) } else { json!({}) };
    Object::of(json!({
        "id": id,
        "object": "setup_attempt",
        "application": null,
        "created": created_s,
        "customer": intent.get("customer"),
        "customer_account": null,
        "flow_directions": null,
        "livemode": false,
        "on_behalf_of": null,
        "payment_method": method.id(),
        "payment_method_details": details,
        "setup_error": error,
        "setup_intent": intent.id(),
        "status": status,
        "usage": intent.get("usage"),
    }))
    .on_clock_of(intent)
}

fn card_details(card: &Value) -> Value {
    json!({
        "brand": card["brand"],
        "checks": card["checks"],
        "country": card["country"],
        "exp_month": card["exp_month"],
        "exp_year": card["exp_year"],
        "fingerprint": card["fingerprint"],
        "funding": card["funding"],
        "last4": card["last4"],
        "network": card["brand"],
        "three_d_secure": null,
        "wallet": null,
    })
}
