//! `stripe.retrieve`: fetches the current state of an object.

use crate::stripe::api::Api;
use crate::stripe::failure::Failed;
use crate::stripe::payload::Payload;
use host_provider_api::Call;
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};

/// Object types with their paths, and with a member to expand if Stripe omits it by default.
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

/// `stripe.retrieve`: takes `object`, `id`, `by`, `connected_account`; returns `date_ms`, `api_version`, `object`. With
/// `by: subscription` it searches the session of the subscription with this id; the object is null if there is none.
pub(crate) fn retrieve(api: &Api<'_>, call: &Call) -> Result<Value, Failed> {
    let payload = Payload::of(call);
    let (object, id) = (payload.text("object")?, payload.id("id")?);
    let known = OBJECTS.iter().find(|(name, ..)| *name == object);
    let (_, path, expand) = known.ok_or_else(|| Failed::UnknownObject(object.to_owned()))?;
    let query: Vec<_> = expand.map(|name| ("expand[]", name)).into_iter().collect();
    let api = api.on_behalf_of(payload.maybe_id("connected_account")?);
    let by = payload.maybe_text("by")?;
    let mut response = match by {
        Some("subscription") if object == "checkout.session" => api.get(format!("/{path}"), &[("subscription", id)])?,
        Some(other) => return Err(Failed::UnknownObject(format!("{object} by {other}"))),
        None => api.get(format!("/{path}/{id}"), &query)?,
    };
    if by.is_some() {
        response.object = response.object["data"].get(0).cloned().unwrap_or(Value::Null);
    }
    Ok(json!({
        "date_ms": response.date_ms.unwrap_or_else(now_ms),
        "api_version": response.api_version,
        "object": response.object,
    }))
}

/// Returns the time now in milliseconds since the epoch. Used if a response has no `Date`; Stripe's responses have one.
fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
