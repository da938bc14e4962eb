//! The builder of quotes.

use serde_json::{Value, json};

use crate::calendar::DAY_S;
use crate::object::Object;

/// How many days a quote stays open by default.
const OPEN_DAYS: i64 = 30;

/// Returns totals without discounts, shipping and tax.
fn no_details() -> Value {
    json!({ "amount_discount": 0, "amount_shipping": 0, "amount_tax": 0 })
}

/// Builds `computed`; `recurring` is null if no line recurs.
pub fn computed(upfront: i64, recurring: Option<(i64, &Value)>) -> Value {
    let recurring = recurring.map_or(Value::Null, |(amount, every)| {
        json!({
            "amount_subtotal": amount, "amount_total": amount, "interval": every["interval"],
            "interval_count": every["interval_count"], "total_details": no_details(),
        })
    });
    let upfront = json!({ "amount_subtotal": upfront, "amount_total": upfront, "total_details": no_details() });
    json!({ "recurring": recurring, "upfront": upfront })
}

/// Builds a draft quote without lines.
pub fn quote(id: String, created_s: i64, customer: Option<&Object>) -> Object {
    Object::of(json!({
        "id": id,
        "object": "quote",
        "amount_subtotal": 0,
        "amount_total": 0,
        "application": null,
        "application_fee_amount": null,
        "application_fee_percent": null,
        "automatic_tax": { "enabled": false, "liability": null, "provider": null, "status": null },
        "collection_method": "charge_automatically",
        "computed": computed(0, None),
        "created": created_s,
        "currency": null,
        "customer": customer.map(Object::id),
        "customer_account": null,
        "default_tax_rates": [],
        "description": null,
        "discounts": [],
        "expires_at": created_s + OPEN_DAYS * DAY_S,
        "footer": null,
        "from_quote": null,
        "header": null,
        "invoice": null,
        "invoice_settings": {
            "custom_fields": null, "days_until_due": null, "description": null, "footer": null, "issuer": { "type": "self" },
        },
        "livemode": false,
        "metadata": {},
        "number": null,
        "on_behalf_of": null,
        "status": "draft",
        "status_transitions": { "accepted_at": null, "canceled_at": null, "finalized_at": null },
        "subscription": null,
        "subscription_data": {
            "billing_mode": { "type": "flexible" }, "description": null, "effective_date": null, "metadata": {},
            "trial_period_days": null,
        },
        "subscription_schedule": null,
        "test_clock": customer.map(|c| c.get("test_clock").clone()),
        "total_details": no_details(),
        "transfer_data": null,
    }))
}
