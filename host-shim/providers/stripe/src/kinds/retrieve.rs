//! `stripe.retrieve`: an object as it is now.

use crate::api::Api;
use crate::failure::Failed;
use crate::payload::Payload;
use host_provider_api::Call;
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};

/// Where an object is asked for by its id, and what of it is left out unless it is asked for.
const OBJECTS: [(&str, &str, Option<&str>); 24] = [
    ("account", "accounts", None),
    ("balance_transaction", "balance_transactions", None),
    ("charge", "charges", Some("refunds")),
    ("checkout.session", "checkout/sessions", None),
    ("coupon", "coupons", None),
    ("credit_note", "credit_notes", None),
    ("customer", "customers", None),
    ("dispute", "disputes", None),
    ("event", "events", None),
    ("invoice", "invoices", Some("payments")),
    ("invoice_payment", "invoice_payments", None),
    ("invoiceitem", "invoiceitems", None),
    ("payment_intent", "payment_intents", None),
    ("payment_method", "payment_methods", None),
    ("payout", "payouts", None),
    ("price", "prices", None),
    ("product", "products", None),
    ("promotion_code", "promotion_codes", None),
    ("quote", "quotes", None),
    ("refund", "refunds", None),
    ("setup_intent", "setup_intents", None),
    ("subscription", "subscriptions", None),
    ("subscription_schedule", "subscription_schedules", None),
    ("transfer", "transfers", None),
];

/// `object`, `id`, `connected_account`; gives `date_ms`, `api_version`, `object`.
pub(crate) fn retrieve(api: &Api<'_>, call: &Call) -> Result<Value, Failed> {
    let payload = Payload::of(call);
    let (object, id) = (payload.text("object")?, payload.id("id")?);
    let known = OBJECTS.iter().find(|(name, ..)| *name == object);
    let (_, path, expand) = known.ok_or_else(|| Failed::UnknownObject(object.to_owned()))?;
    let query: Vec<_> = expand.map(|name| ("expand[]", name)).into_iter().collect();
    let api = api.on_behalf_of(payload.maybe_id("connected_account")?);
    let answered = api.get(format!("/{path}/{id}"), &query)?;
    Ok(json!({
        "date_ms": answered.date_ms.unwrap_or_else(now_ms),
        "api_version": answered.api_version,
        "object": answered.object,
    }))
}

/// For an answer without `Date`, which Stripe's all have.
fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
