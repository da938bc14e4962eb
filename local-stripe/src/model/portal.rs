//! Builders of the billing portal's configurations and sessions.

use serde_json::{Value, json};

use crate::object::Object;

/// Builds a configuration without enabled features.
pub fn configuration(id: String, created_s: i64) -> Object {
    Object::of(json!({
        "id": id,
        "object": "billing_portal.configuration",
        "active": true,
        "application": null,
        "business_profile": { "headline": null, "privacy_policy_url": null, "terms_of_service_url": null },
        "created": created_s,
        "default_return_url": null,
        "features": {
            "customer_update": { "allowed_updates": [], "enabled": false },
            "invoice_history": { "enabled": false },
            "payment_method_update": { "enabled": false, "payment_method_configuration": null },
            "subscription_cancel": {
                "cancellation_reason": { "enabled": false, "options": [] },
                "enabled": false,
                "mode": "at_period_end",
                "proration_behavior": "none",
            },
            "subscription_update": {
                "billing_cycle_anchor": null,
                "default_allowed_updates": [],
                "enabled": false,
                "proration_behavior": "none",
                "schedule_at_period_end": { "conditions": [] },
                "trial_update_behavior": "end_trial",
                "products": [],
            },
        },
        "is_default": false,
        "livemode": false,
        "login_page": { "enabled": false, "url": null },
        "metadata": {},
        "name": null,
        "updated": created_s,
    }))
}

/// Builds the account's default configuration, which enables all features of the portal's page.
pub fn default_configuration(id: String, created_s: i64) -> Object {
    let mut made = configuration(id, created_s);
    made.set("is_default", true);
    for feature in ["invoice_history", "payment_method_update", "subscription_cancel", "subscription_update"] {
        made.set_at(&format!("features.{feature}.enabled"), true);
    }
    made.set_at("features.subscription_cancel.cancellation_reason.enabled", true);
    made.set_at("features.subscription_cancel.cancellation_reason.options", FEEDBACK);
    made.set_at("features.subscription_update.default_allowed_updates", json!(["price"]));
    made.set_at("features.subscription_update.proration_behavior", "always_invoice");
    made
}

/// The cancellation reasons that a customer can select.
pub const FEEDBACK: &[&str] = &[
    "too_expensive",
    "missing_features",
    "switched_service",
    "unused",
    "customer_service",
    "too_complex",
    "low_quality",
    "other",
];

/// Builds a session of a customer.
pub fn session(id: String, created_s: i64, customer: &str, configuration: &str, url: String) -> Object {
    Object::of(json!({
        "id": id,
        "object": "billing_portal.session",
        "configuration": configuration,
        "created": created_s,
        "customer": customer,
        "customer_account": null,
        "flow": null,
        "livemode": false,
        "locale": null,
        "on_behalf_of": null,
        "return_url": null,
        "url": url,
    }))
}

/// Builds the `flow` of a session, which opens the portal at the step `kind` instead of its first page.
pub fn flow(kind: &str) -> Value {
    json!({
        "after_completion": {
            "hosted_confirmation": null,
            "redirect": null,
            "type": "portal_homepage",
        },
        "subscription_cancel": null,
        "subscription_update": null,
        "subscription_update_confirm": null,
        "type": kind,
    })
}
