//! Refunds a payment, the newest payment of an invoice, or the payments of a subscription's newest paid invoices, one after the other.

use super::only_id;
use crate::stripe::api::Api;
use crate::stripe::failure::Failed;
use crate::stripe::marks::Marks;
use crate::stripe::payload::Payload;
use crate::stripe::recovery;
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
/// `id`. An amount of a subscription can be more than its newest payment: then earlier payments go back, too, and `id` is that of the
/// first refund.
pub(crate) fn create(api: &Api<'_>, call: &Call) -> Result<Value, Failed> {
    let (payload, marks) = (Payload::of(call), Marks::of(call));
    let Some(payment) = named(api, payload)? else {
        if payload.maybe_id("subscription")?.is_some() {
            return of_subscription(api, call, payload, &marks);
        }
        let expected = "an id, or `charge`, `invoice` or `subscription` instead";
        return Err(Failed::Payload { member: "payment_intent", expected });
    };
    let amount = payload.maybe_amount("amount_minor")?;
    only_id(&refund(api, call, payload, &marks, &payment, amount, "refund")?)
}

/// Refunds a payment, unless an earlier call has done so. `step` tells the refunds of one call apart.
fn refund(
    api: &Api<'_>,
    call: &Call,
    payload: Payload<'_>,
    marks: &Marks,
    payment: &Payment,
    amount: Option<i64>,
    step: &str,
) -> Result<Value, Failed> {
    let mut metadata = payload.metadata()?;
    let mut request = CreateRefund::new();
    match payload.text("reason")? {
        "duplicate" => request = request.reason(CreateRefundReason::Duplicate),
        "fraudulent" => request = request.reason(CreateRefundReason::Fraudulent),
        "requested_by_customer" => request = request.reason(CreateRefundReason::RequestedByCustomer),
        // Stripe accepts only these three reasons. Another reason is stored as metadata.
        other => drop(metadata.insert("reason".to_owned(), other.to_owned())),
    }
    if let Some(amount) = amount {
        request = request.amount(amount);
    }
    request = request.metadata(marks.on(metadata));
    let (name, id) = match payment {
        Payment::Intent(id) => ("payment_intent", id.as_str()),
        Payment::Charge(id) => ("charge", id.as_str()),
    };
    request = match payment {
        Payment::Intent(id) => request.payment_intent(id.as_str()),
        Payment::Charge(id) => request.charge(id.as_str()),
    };
    if recovery::may_be_done(call)
        && let Some(made) = recovery::in_list(api, marks, "/refunds", &[(name, id)])?
    {
        return Ok(made);
    }
    api.post(request.build(), marks, step)
}

/// Refunds an amount of a subscription: of its newest paid invoice in the currency, and what is more of the earlier ones.
fn of_subscription(api: &Api<'_>, call: &Call, payload: Payload<'_>, marks: &Marks) -> Result<Value, Failed> {
    let (subscription, currency) = (payload.id("subscription")?, payload.text("currency")?);
    // The amount is required: without it, whole payments would be refunded, which may be for something else.
    let amount = payload.amount("amount_minor")?;
    let filter = [("subscription", subscription), ("status", "paid"), ("limit", INVOICES)];
    let invoices = api.get("/invoices".to_owned(), &filter)?.object;
    let paid = |invoice: &&Value| {
        let amount = invoice.get("amount_paid").and_then(Value::as_i64).unwrap_or(0);
        amount > 0 && invoice.get("currency").and_then(Value::as_str) == Some(currency)
    };
    let all = invoices.get("data").and_then(Value::as_array);
    let ids: Vec<&str> = all.into_iter().flatten().filter(paid).filter_map(|of| of.get("id")?.as_str()).collect();
    if ids.is_empty() {
        return Err(Failed::Inconsistent(format!("`{subscription}` has no paid invoice in {currency}")));
    }
    let (mut first, mut left) = (None, amount);
    for invoice in ids {
        // What was paid outside of Stripe, a person gives back.
        let Some(payment) = payment_of(api, invoice)? else { continue };
        let (refundable, ours) = of_payment(api, marks, &payment)?;
        // A refund of an earlier attempt counts.
        for earlier in ours {
            left -= earlier.get("amount").and_then(Value::as_i64).unwrap_or(0);
            first.get_or_insert(earlier);
        }
        let part = left.min(refundable);
        if part > 0 {
            // Each payment has its own request, however many invoices there are at the next attempt.
            let made = refund(api, call, payload, marks, &payment, Some(part), &format!("refund-{invoice}"))?;
            left -= part;
            first.get_or_insert(made);
        }
        if left <= 0 {
            break;
        }
    }
    match (first, left) {
        (Some(made), ..=0) => only_id(&made),
        (_, left) => {
            Err(Failed::Inconsistent(format!("`{subscription}`: {left} of {amount} were not paid, or went back")))
        }
    }
}

/// Returns what can still be refunded of a payment, in minor units, and the refunds of it that this call has made before.
fn of_payment(api: &Api<'_>, marks: &Marks, payment: &Payment) -> Result<(i64, Vec<Value>), Failed> {
    let (name, id, path) = match payment {
        Payment::Intent(id) => ("payment_intent", id, format!("/payment_intents/{id}")),
        Payment::Charge(id) => ("charge", id, format!("/charges/{id}")),
    };
    let object = api.get(path, &[])?.object;
    let int = |name: &str| object.get(name).and_then(Value::as_i64);
    let received = int("amount_received").or(int("amount_captured")).or(int("amount")).unwrap_or(0);
    let (mut back, mut ours) = (0, Vec::new());
    recovery::pages(api, "/refunds", &[(name, id)], recovery::PAGES_MAX, &mut |refund| {
        let has_failed = matches!(refund.get("status").and_then(Value::as_str), Some("failed" | "canceled"));
        let amount = refund.get("amount").and_then(Value::as_i64).unwrap_or(0);
        if !has_failed {
            back += amount;
            if marks.made(&refund)? {
                ours.push(refund);
            }
        }
        Ok(true)
    })?;
    Ok(((received - back).max(0), ours))
}

/// Returns the payment that the payload names, or whose invoice it names.
fn named(api: &Api<'_>, payload: Payload<'_>) -> Result<Option<Payment>, Failed> {
    if let Some(intent) = payload.maybe_id("payment_intent")? {
        return Ok(Some(Payment::Intent(intent.to_owned())));
    }
    if let Some(charge) = payload.maybe_id("charge")? {
        return Ok(Some(Payment::Charge(charge.to_owned())));
    }
    let Some(invoice) = payload.maybe_id("invoice")? else { return Ok(None) };
    let unpaid = || Failed::Inconsistent(format!("`{invoice}` was not paid through Stripe"));
    payment_of(api, invoice)?.ok_or_else(unpaid).map(Some)
}

/// Returns the newest successful payment of an invoice; `None` if it was not paid through Stripe.
fn payment_of(api: &Api<'_>, invoice: &str) -> Result<Option<Payment>, Failed> {
    let filter = [("invoice", invoice), ("status", "paid"), ("limit", "1")];
    let payments = api.get("/invoice_payments".to_owned(), &filter)?.object;
    let payment = payments.pointer("/data/0/payment");
    let text = |name: &str| payment?.get(name)?.as_str().map(str::to_owned);
    Ok(text("payment_intent").map(Payment::Intent).or_else(|| text("charge").map(Payment::Charge)))
}
