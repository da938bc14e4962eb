//! Refunds a payment, the newest payment of an invoice, or the payment of a subscription's newest paid invoice.

use super::only_id;
use crate::api::Api;
use crate::failure::Failed;
use crate::marks::Marks;
use crate::payload::Payload;
use crate::recovery;
use host_provider_api::Call;
use serde_json::Value;
use stripe_client_core::StripeRequest;
use stripe_core::refund::{CreateRefund, CreateRefundReason};

/// Number of paid invoices of a subscription that are searched for the newest invoice in a currency.
const INVOICES: &str = "20";

/// The payment to refund.
enum Payment {
    Intent(String),
    Charge(String),
}

/// `stripe.refund.create`: takes one of `payment_intent`, `charge`, `invoice`, `subscription` (with `currency` and
/// `amount_minor`); `amount_minor` (by default the amount that is not yet refunded), `reason`, `metadata`; returns
/// `id`.
pub(crate) fn create(api: &Api<'_>, call: &Call) -> Result<Value, Failed> {
    let (payload, marks) = (Payload::of(call), Marks::of(call));
    let mut metadata = payload.metadata()?;
    let mut request = CreateRefund::new();
    match payload.text("reason")? {
        "duplicate" => request = request.reason(CreateRefundReason::Duplicate),
        "fraudulent" => request = request.reason(CreateRefundReason::Fraudulent),
        "requested_by_customer" => request = request.reason(CreateRefundReason::RequestedByCustomer),
        // Stripe accepts only these three reasons. Another reason is stored as metadata.
        other => drop(metadata.insert("reason".to_owned(), other.to_owned())),
    }
    if let Some(amount) = payload.maybe_amount("amount_minor")? {
        request = request.amount(amount);
    }
    request = request.metadata(marks.on(metadata));
    let payment = payment(api, payload)?;
    let (name, id) = match &payment {
        Payment::Intent(id) => ("payment_intent", id.as_str()),
        Payment::Charge(id) => ("charge", id.as_str()),
    };
    request = match &payment {
        Payment::Intent(id) => request.payment_intent(id.as_str()),
        Payment::Charge(id) => request.charge(id.as_str()),
    };
    if recovery::may_be_done(call)
        && let Some(made) = recovery::in_list(api, &marks, "/refunds", &[(name, id)])?
    {
        return only_id(&made);
    }
    only_id(&api.post(request.build(), &marks, "refund")?)
}

fn payment(api: &Api<'_>, payload: Payload<'_>) -> Result<Payment, Failed> {
    if let Some(intent) = payload.maybe_id("payment_intent")? {
        return Ok(Payment::Intent(intent.to_owned()));
    }
    if let Some(charge) = payload.maybe_id("charge")? {
        return Ok(Payment::Charge(charge.to_owned()));
    }
    if let Some(invoice) = payload.maybe_id("invoice")? {
        return payment_of(api, invoice);
    }
    let Some(subscription) = payload.maybe_id("subscription")? else {
        let expected = "an id, or `charge`, `invoice` or `subscription` instead";
        return Err(Failed::Payload { member: "payment_intent", expected });
    };
    let currency = payload.text("currency")?;
    // The amount is required: without it, the whole newest payment would be refunded, which may be for something else.
    payload.amount("amount_minor")?;
    let filter = [("subscription", subscription), ("status", "paid"), ("limit", INVOICES)];
    let invoices = api.get("/invoices".to_owned(), &filter)?.object;
    let paid = |invoice: &&Value| {
        let amount = invoice.get("amount_paid").and_then(Value::as_i64).unwrap_or(0);
        amount > 0 && invoice.get("currency").and_then(Value::as_str) == Some(currency)
    };
    let newest = invoices.get("data").and_then(Value::as_array).and_then(|all| all.iter().find(paid));
    let id = newest.and_then(|invoice| invoice.get("id")).and_then(Value::as_str);
    let nothing = || Failed::Inconsistent(format!("`{subscription}` has no paid invoice in {currency}"));
    payment_of(api, id.ok_or_else(nothing)?)
}

/// Returns the newest successful payment of an invoice.
fn payment_of(api: &Api<'_>, invoice: &str) -> Result<Payment, Failed> {
    let filter = [("invoice", invoice), ("status", "paid"), ("limit", "1")];
    let payments = api.get("/invoice_payments".to_owned(), &filter)?.object;
    let payment = payments.pointer("/data/0/payment");
    let text = |name: &str| payment?.get(name)?.as_str().map(str::to_owned);
    let found = text("payment_intent").map(Payment::Intent).or_else(|| text("charge").map(Payment::Charge));
    found.ok_or_else(|| Failed::Inconsistent(format!("`{invoice}` was not paid through Stripe")))
}
