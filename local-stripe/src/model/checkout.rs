//! Builders of checkout sessions and their line items.

use serde_json::{Value, json};

use crate::calendar::DAY_S;
use crate::object::Object;

/// Builds an open checkout session.
pub fn session(id: String, created_s: i64, mode: &str, url: String) -> Object {
    Object::of(json!({
        "id": id,
        "object": "checkout.session",
        "adaptive_pricing": { "enabled": false },
        "after_expiration": null,
        "allow_promotion_codes": null,
        "amount_subtotal": 0,
        "amount_total": 0,
        "automatic_tax": { "enabled": false, "liability": null, "provider": null, "status": null },
        "billing_address_collection": null,
        "cancel_url": null,
        "client_reference_id": null,
        "client_secret": null,
        "collected_information": { "business_name": null, "individual_name": null, "shipping_details": null },
        "consent": null,
        "consent_collection": null,
        "created": created_s,
        "currency": null,
        "currency_conversion": null,
        "custom_fields": [],
        "custom_text": {
            "after_submit": null, "shipping_address": null, "submit": null, "terms_of_service_acceptance": null,
        },
        "customer": null,
        "customer_account": null,
        "customer_creation": match mode { "payment" => json!("if_required"), "setup" => Value::Null, _ => json!("always") },
        "customer_details": null,
        "customer_email": null,
        "discounts": [],
        "expires_at": created_s + DAY_S,
        "integration_identifier": null,
        "invoice": null,
        "invoice_creation": if mode == "payment" { invoice_creation() } else { Value::Null },
        "livemode": false,
        "locale": null,
        "managed_payments": { "enabled": false },
        "metadata": {},
        "mode": mode,
        "origin_context": null,
        "payment_intent": null,
        "payment_link": null,
        "payment_method_collection": if mode == "payment" { "if_required" } else { "always" },
        "payment_method_configuration_details": null,
        "payment_method_options": { "card": { "request_three_d_secure": "automatic" } },
        "payment_method_types": ["card"],
        "payment_status": "unpaid",
        "permissions": null,
        "phone_number_collection": { "enabled": false },
        "recovered_from": null,
        "saved_payment_method_options": if mode == "payment" { Value::Null } else {
            json!({ "allow_redisplay_filters": ["always"], "payment_method_remove": "disabled", "payment_method_save": null })
        },
        "setup_intent": null,
        "shipping_address_collection": null,
        "shipping_cost": null,
        "shipping_options": [],
        "status": "open",
        "submit_type": null,
        "subscription": null,
        "success_url": null,
        "total_details": { "amount_discount": 0, "amount_shipping": 0, "amount_tax": 0 },
        "ui_mode": "hosted",
        "url": url,
        "wallet_options": null,
    }))
}

/// Builds the member `invoice_creation` of a session that creates no invoice.
pub fn invoice_creation() -> Value {
    json!({
        "enabled": false,
        "invoice_data": {
            "account_tax_ids": null, "custom_fields": null, "description": null, "footer": null, "issuer": null,
            "metadata": {}, "rendering_options": null,
        },
    })
}

/// Builds a line item of a session.
pub fn item(id: String, amount: i64, quantity: Value, price: &Object, description: &str) -> Value {
    json!({
        "id": id,
        "object": "item",
        "adjustable_quantity": null,
        "amount_discount": 0,
        "amount_subtotal": amount,
        "amount_tax": 0,
        "amount_total": amount,
        "currency": price.get("currency"),
        "description": description,
        "metadata": {},
        "price": price.value(),
        "quantity": quantity,
        "tax_rates": [],
    })
}

/// Builds an active shipping rate with a fixed amount.
pub fn shipping_rate(id: String, created_s: i64, name: &str, fixed_amount: &Value) -> Object {
    Object::of(json!({
        "id": id,
        "object": "shipping_rate",
        "active": true,
        "created": created_s,
        "delivery_estimate": null,
        "display_name": name,
        "fixed_amount": fixed_amount,
        "livemode": false,
        "metadata": {},
        "tax_behavior": "unspecified",
        "tax_code": null,
        "type": "fixed_amount",
    }))
}
