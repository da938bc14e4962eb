//! The builder of payment links.

use serde_json::json;

use crate::object::Object;

/// Builds an active link without lines.
pub fn payment_link(id: String, url: String) -> Object {
    Object::of(json!({
        "id": id,
        "object": "payment_link",
        "active": true,
        "after_completion": { "hosted_confirmation": { "custom_message": null }, "type": "hosted_confirmation" },
        "allow_promotion_codes": false,
        "application": null,
        "application_fee_amount": null,
        "application_fee_percent": null,
        "automatic_tax": { "enabled": false, "liability": null },
        "billing_address_collection": "auto",
        "consent_collection": null,
        "currency": null,
        "custom_fields": [],
        "custom_text": {
            "after_submit": null, "shipping_address": null, "submit": null, "terms_of_service_acceptance": null,
        },
        "customer_creation": "if_required",
        "inactive_message": null,
        "invoice_creation": null,
        "livemode": false,
        "managed_payments": { "enabled": false },
        "metadata": {},
        "on_behalf_of": null,
        "payment_intent_data": null,
        "payment_method_collection": "always",
        "payment_method_options": null,
        "payment_method_types": null,
        "phone_number_collection": { "enabled": false },
        "restrictions": null,
        "shipping_address_collection": null,
        "shipping_options": [],
        "submit_type": "auto",
        "subscription_data": null,
        "tax_id_collection": { "enabled": false, "required": "never" },
        "transfer_data": null,
        "url": url,
    }))
}
