//! Payments that are attached to an open invoice. Each one is credited to the invoice when it succeeds, and the last
//! one pays off the invoice.

use serde_json::{Value, json};

use crate::billing::settlement::{balance, settle};
use crate::error::ApiError;
use crate::model;
use crate::object::Object;
use crate::payments::intent;
use crate::state::State;

/// The maximum number of payments of an invoice.
const PAYMENTS_MAX: usize = 100;

/// Attaches a payment intent to an open invoice. If the intent has already succeeded, it is credited immediately.
///
/// # Errors
/// The invoice is unknown or not open, or the payment intent is unknown or unsuitable.
pub fn attach(st: &mut State, id: &str, intent: &str) -> Result<Value, ApiError> {
    let invoice = st.load("invoice", id, "id")?;
    if invoice.text("status") != "open" {
        let message =
            format!("Payments can only be attached to open invoices. This invoice is {}.", invoice.text("status"));
        return Err(ApiError::coded("invoice_not_editable", message));
    }
    let payment = st.load("payment_intent", intent, "payment_intent")?;
    let unsuitable = |message: String| Err(ApiError::invalid(message).about("payment_intent"));
    let own = payment.as_intent();
    if [&own.invoice, &own.session, &own.attached_to].iter().any(|owner| !owner.is_empty()) {
        return unsuitable(format!("The PaymentIntent {intent} belongs to an invoice or a Checkout Session already."));
    }
    if payment.get("currency") != invoice.get("currency") {
        return unsuitable(format!("The invoice is in {}, but the PaymentIntent is not.", invoice.text("currency")));
    }
    if payment.text_at("customer").is_some_and(|customer| customer != invoice.text("customer")) {
        return unsuitable(format!("The PaymentIntent {intent} is of another customer."));
    }
    if payment.text("status") == "canceled" {
        return unsuitable(format!("The PaymentIntent {intent} is canceled."));
    }
    if st.newest("invoice_payment", None).filter(|p| p.text("invoice") == id).count() >= PAYMENTS_MAX {
        return unsuitable(format!("An invoice can have at most {PAYMENTS_MAX} payments."));
    }
    let made = st.new_id("inpay");
    let mut made = model::billing::invoice_payment(made, st.now(&invoice), &invoice, intent);
    made.set("is_default", false);
    made.set("amount_requested", payment.get("amount").clone());
    st.put(made);
    st.change(intent, |pi| id.clone_into(&mut pi.as_intent_mut().attached_to));
    credit(st, intent);
    Ok(st.find(id)?.value())
}

/// Credits a succeeded payment intent to the invoice that it is attached to. Any excess goes to the customer's balance.
pub fn credit(st: &mut State, intent: &str) {
    let Ok(pi) = st.find(intent) else { return };
    if pi.text("status") != "succeeded" {
        return;
    }
    let Some(payment) = intent::open_payment(st, &pi) else { return };
    let (received, now) = (pi.int("amount_received"), st.now(&pi));
    let payment = st.change(&payment, |p| {
        p.set("status", "paid");
        p.set("amount_paid", received);
        p.set_at("status_transitions.paid_at", now);
    });
    let invoice = st.copy_if_any(payment.text("invoice"));
    let is_open = matches!(invoice.text("status"), "open" | "uncollectible");
    let rest = if is_open { invoice.int("amount_remaining") } else { 0 };
    if received < rest {
        part_paid(st, &invoice, received);
        st.emit("invoice_payment.paid", &payment);
        return;
    }
    if is_open {
        // The invoice needs no further payment, so its own is canceled.
        let own = settle::payment_of(st, invoice.id());
        intent::cancel_if_open(st, &invoice.as_invoice().payment_intent);
        if let Some(own) = own {
            st.change(&own, |p| {
                p.set("status", "canceled");
                p.set_at("status_transitions.canceled_at", now);
            });
        }
        st.change(invoice.id(), |i| {
            i.as_invoice_mut().payment_intent.clear();
            i.set("amount_overpaid", i.int("amount_overpaid") + received - rest);
        });
        settle::paid(st, invoice.id());
    } else {
        st.change(invoice.id(), |i| i.set("amount_overpaid", i.int("amount_overpaid") + received));
    }
    st.emit("invoice_payment.paid", &payment);
    if received > rest {
        let Ok(paid) = st.find(invoice.id()) else { return };
        st.emit("invoice.overpaid", &paid);
        balance::move_balance(st, paid.text("customer"), rest - received, "invoice_overpaid", Some(paid.id()));
    }
}

/// Credits a part of the amount due to an open invoice, whose own payment then covers only the rest.
fn part_paid(st: &mut State, invoice: &Object, received: i64) {
    let after = st.change_and_emit(invoice.id(), "invoice.updated", |i| {
        i.set("amount_paid", i.int("amount_paid") + received);
        i.set("amount_remaining", i.int("amount_remaining") - received);
    });
    let (own, left) = (after.as_invoice().payment_intent.clone(), after.int("amount_remaining"));
    if st.seek(&own).is_some() {
        st.change(&own, |pi| pi.set("amount", json!(left)));
    }
    if let Some(payment) = settle::payment_of(st, after.id()) {
        st.change(&payment, |p| p.set("amount_requested", left));
    }
}
