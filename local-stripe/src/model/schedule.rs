//! Builders of subscription schedules and their phases.

use serde_json::{Value, json};

use crate::billing::items::Priced;
use crate::model::price::plan_of;
use crate::object::Object;

/// Builds a phase of a schedule; its times are in Unix seconds.
pub fn phase(start_s: i64, end_s: i64, items: &[Priced], proration_behavior: &str) -> Value {
    let shown = items.iter().map(|item| {
        json!({
            "billing_thresholds": null,
            "discounts": [],
            "metadata": item.metadata,
            "plan": plan_of(&item.price.value())["id"],
            "price": item.price.id(),
            "quantity": item.quantity,
            "tax_rates": [],
        })
    });
    json!({
        "add_invoice_items": [],
        "application_fee_percent": null,
        "billing_cycle_anchor": null,
        "billing_thresholds": null,
        "collection_method": null,
        "currency": items.first().map(|i| i.price.get("currency").clone()),
        "default_payment_method": null,
        "default_tax_rates": [],
        "description": null,
        "discounts": [],
        "end_date": end_s,
        "invoice_settings": null,
        "items": shown.collect::<Vec<_>>(),
        "metadata": {},
        "on_behalf_of": null,
        "proration_behavior": proration_behavior,
        "start_date": start_s,
        "transfer_data": null,
        "trial_end": null,
    })
}

/// Builds a schedule that has not started.
pub fn schedule(id: String, created_s: i64, customer: &Object, phases: Vec<Value>, end_behavior: &str) -> Object {
    Object::of(json!({
        "id": id,
        "object": "subscription_schedule",
        "application": null,
        "billing_mode": { "flexible": { "proration_discounts": "included" }, "type": "flexible" },
        "canceled_at": null,
        "completed_at": null,
        "created": created_s,
        "current_phase": null,
        "customer": customer.id(),
        "customer_account": null,
        "default_settings": {
            "application_fee_percent": null,
            "automatic_tax": { "disabled_reason": null, "enabled": false, "liability": null },
            "billing_cycle_anchor": "automatic",
            "billing_thresholds": null,
            "collection_method": "charge_automatically",
            "default_payment_method": null,
            "description": null,
            "invoice_settings": {
                "account_tax_ids": null, "custom_fields": null, "days_until_due": null, "description": null,
                "footer": null, "issuer": { "type": "self" },
            },
            "on_behalf_of": null,
            "transfer_data": null,
        },
        "end_behavior": end_behavior,
        "livemode": false,
        "metadata": {},
        "phases": phases,
        "released_at": null,
        "released_subscription": null,
        "status": "not_started",
        "subscription": null,
        "test_clock": customer.get("test_clock"),
    }))
}
