//! Pays invoices: payment attempts, retries by the dunning schedule, and the effects on the subscription.

use serde_json::{Value, json};

use crate::billing::settlement::outcome::{self, AttemptCause};
use crate::billing::settlement::{balance, credits};
use crate::calendar::DAY_S;
use crate::cards::Behaviour;
use crate::checkout::debit;
use crate::error::ApiError;
use crate::model::billing::subscription_of;
use crate::object::Object;
use crate::payments::attempt::{self, Attempt};
use crate::payments::intent;
use crate::payments::method::{self, Presence};
use crate::state::State;

/// The outcome of an attempt to pay an invoice.
#[derive(Debug)]
pub enum Outcome {
    /// The invoice is paid.
    Paid,
    /// The customer must pass 3-D Secure.
    NeedsAction,
    /// The bank decides days later.
    Processing,
    /// The payment was refused, or there is no payment method.
    Failed(ApiError),
}

/// Returns the id of the payment method for an invoice: the default of the invoice, of its subscription or of its
/// customer. Each default payment method comes before the default source.
pub fn method_of(st: &State, invoice: &Object) -> Option<String> {
    let sub = st.copy_if_any(subscription_of(invoice));
    let customer = st.copy_if_any(invoice.text("customer"));
    let found = [
        invoice.text_at("default_payment_method"),
        sub.text_at("default_payment_method"),
        sub.text_at("default_source"),
        customer.text_at("invoice_settings.default_payment_method"),
        customer.text_at("default_source"),
    ];
    // A detached or removed card can't be charged.
    let is_theirs = |id: &&str| st.seek(id).is_some_and(|method| method.text("customer") == customer.id());
    found.into_iter().flatten().find(is_theirs).map(str::to_owned)
}

/// Returns Stripe's error for a customer without a payment method.
pub fn no_method() -> ApiError {
    let message = "This customer has no attached payment source or default payment method. Please consider adding a default payment method.";
    ApiError::coded("resource_missing", message)
}

/// Tries to pay an open invoice with its payment method; see [`method_of`]. An invoice that isn't open counts as paid.
pub fn attempt(st: &mut State, id: &str, by: AttemptCause) -> Outcome {
    let open = match st.find(id) {
        Ok(open) => open,
        Err(error) => return Outcome::Failed(error),
    };
    if open.text("status") != "open" {
        return Outcome::Paid;
    }
    match method_of(st, &open) {
        Some(method) => {
            let is_set_up = method::behaviour(&st.copy_if_any(&method)) == Behaviour::AuthenticatesOnSession;
            let is_absent = by == AttemptCause::Schedule && is_set_up;
            let presence = if is_absent { Presence::OffSession } else { Presence::OnSession };
            attempt_with(st, id, &method, by, presence)
        }
        None => {
            failed(st, id, by);
            Outcome::Failed(no_method())
        }
    }
}

/// Tries to pay an open invoice with a payment method.
pub fn attempt_with(st: &mut State, id: &str, method: &str, by: AttemptCause, presence: Presence) -> Outcome {
    if st.is_preview {
        return Outcome::NeedsAction;
    }
    let pi = match st.find(id) {
        Ok(open) => open.as_invoice().payment_intent.clone(),
        Err(error) => return Outcome::Failed(error),
    };
    match attempt::attempt(st, &pi, method, presence) {
        Attempt::Succeeded => {
            paid(st, id);
            Outcome::Paid
        }
        Attempt::Processing => {
            processing(st, id);
            Outcome::Processing
        }
        Attempt::NeedsAction => {
            needs_action(st, id, by);
            Outcome::NeedsAction
        }
        Attempt::Declined(error) => {
            failed(st, id, by);
            Outcome::Failed(error)
        }
    }
}

/// Leaves an open invoice waiting until its payment is confirmed manually, with the payment method that would be charged.
pub fn await_confirmation(st: &mut State, open: &Object) {
    st.change(open.id(), |i| i.set("next_payment_attempt", Value::Null));
    let Some(method) = method_of(st, open) else { return };
    st.change(&open.as_invoice().payment_intent, |pi| {
        pi.set("payment_method", method);
        pi.set("status", "requires_confirmation");
    });
}

/// Records that an invoice was paid, and updates its subscription, its checkout session and its customer.
pub fn paid(st: &mut State, id: &str) {
    let Ok(before) = st.find(id) else { return };
    if matches!(before.text("status"), "paid" | "void") {
        return;
    }
    let now = st.now(&before);
    let charge = st.copy_if_any(&before.as_invoice().payment_intent).text("latest_charge").to_owned();
    // Attached payments may have covered part of the amount due.
    let (due, rest) = (before.int("amount_due"), before.int("amount_remaining"));
    let out_of_band = before.as_invoice().paid_out_of_band;
    let after = st.change_and_emit(id, "invoice.updated", |i| {
        i.set("status", "paid");
        i.set("attempted", true);
        i.set("auto_advance", false);
        if due > 0 && !out_of_band {
            i.set("attempt_count", i.int("attempt_count").max(1));
        }
        i.set("amount_paid", due);
        i.set("amount_remaining", 0);
        i.set("next_payment_attempt", Value::Null);
        i.set_at("status_transitions.paid_at", now);
        i.as_invoice_mut().charge = charge;
    });
    outcome::finish_subscription(st, &after, true);
    let session = &after.as_invoice().session;
    if !session.is_empty() {
        debit::accepted(st, session);
    }
    st.emit("invoice.paid", &after);
    if !out_of_band {
        st.emit("invoice.payment_succeeded", &after);
    }
    if let Some(payment) = payment_of(st, id) {
        let payment = st.change(&payment, |p| match out_of_band {
            true => {
                p.set("status", "canceled");
                p.set_at("status_transitions.canceled_at", now);
            }
            false => {
                p.set("status", "paid");
                p.set("amount_paid", rest);
                p.set_at("status_transitions.paid_at", now);
            }
        });
        if !out_of_band {
            st.emit("invoice_payment.paid", &payment);
        }
    }
    outcome::finish_subscription(st, &after, false);
    let customer = st.copy_if_any(after.text("customer"));
    let still_late = st.newest("invoice", Some(customer.id())).any(|i| i.text("status") == "open" && i.is("attempted"));
    if customer.is("delinquent") && !still_late {
        st.change_and_emit(customer.id(), "customer.updated", |c| c.set("delinquent", false));
    }
}

/// Records that a bank is processing an invoice's payment. A new subscription becomes active at once. If the bank
/// refuses the payment later, the subscription becomes past due.
pub fn processing(st: &mut State, id: &str) {
    let after = st.change_and_emit(id, "invoice.updated", |i| {
        i.set("attempted", true);
        i.set("next_payment_attempt", Value::Null);
    });
    let sub = st.copy_if_any(subscription_of(&after));
    if sub.text("status") == "incomplete" {
        outcome::begin(st, &sub, &after);
    }
}

/// Returns the id of the invoice payment (`inpay_…`) of an invoice, if the invoice has a payment intent.
pub fn payment_of(st: &State, invoice: &str) -> Option<String> {
    let intent = st.find(invoice).ok()?.as_invoice().payment_intent.clone();
    if intent.is_empty() {
        return None;
    }
    let ours = |p: &std::sync::Arc<Object>| {
        p.text("invoice") == invoice && p.text_at("payment.payment_intent") == Some(&intent)
    };
    st.newest("invoice_payment", None).find(ours).map(|p| p.id().to_owned())
}

/// Records a failed attempt: plans the next attempt and marks the subscription past due, or ends the dunning.
pub fn failed(st: &mut State, id: &str, by: AttemptCause) {
    let after = record_failure(st, id, by);
    st.emit("invoice.payment_failed", &after);
    let session = &after.as_invoice().session;
    if !session.is_empty() && after.int("attempt_count") == 1 {
        debit::refused(st, session);
    }
    outcome::fall_behind(st, &after, by);
}

/// Records that the customer must authenticate an invoice's payment.
pub fn needs_action(st: &mut State, id: &str, by: AttemptCause) {
    let after = record_failure(st, id, by);
    st.emit("invoice.payment_failed", &after);
    st.emit("invoice.payment_action_required", &after);
    outcome::fall_behind(st, &after, by);
}

/// Returns Stripe's error for a payment that needs 3-D Secure.
pub fn action_required(code: &str, message: &str) -> ApiError {
    ApiError { keeps_changes: false, ..ApiError::card(code, None, message) }
}

fn record_failure(st: &mut State, id: &str, by: AttemptCause) -> Object {
    let before = st.copy(id);
    let now = st.now(&before);
    let first = before.int("attempt_count") == 0;
    let counts = first || by == AttemptCause::Schedule;
    let count = before.int("attempt_count") + i64::from(counts);
    let sub = st.copy_if_any(subscription_of(&before));
    let in_dunning = before.is("auto_advance")
        && before.text("collection_method") == "charge_automatically"
        && sub.text("status") != "incomplete";
    let wait = usize::try_from(count - 1).ok().and_then(|n| st.settings.dunning.retry_days.get(n)).copied();
    let after = st.change_and_emit(id, "invoice.updated", |i| {
        i.set("attempted", true);
        i.set("attempt_count", count);
        if counts {
            let next = wait.filter(|_| in_dunning).map(|days| now + days * DAY_S);
            i.set("next_payment_attempt", crate::state::time_or_null(next));
        }
    });
    let customer = st.copy_if_any(after.text("customer"));
    if customer.kind() == "customer" && !customer.is("delinquent") && sub.text("status") != "incomplete" {
        st.change_and_emit(customer.id(), "customer.updated", |c| c.set("delinquent", true));
    }
    Object::clone(&after)
}

/// Runs a planned retry.
pub fn retry(st: &mut State, id: &str) {
    st.change(id, |i| i.set("next_payment_attempt", Value::Null));
    attempt(st, id, AttemptCause::Schedule);
}

/// Checks that no bank is processing an invoice's payment.
///
/// # Errors
/// A bank is processing a payment of the invoice.
pub fn check_not_processing(st: &State, invoice: &Object) -> Result<(), ApiError> {
    if st.copy_if_any(&invoice.as_invoice().payment_intent).text("status") != "processing" {
        return Ok(());
    }
    let message = "The payment of this invoice is processing. Wait until it succeeded or failed.";
    Err(ApiError::coded("invoice_payment_intent_processing", message))
}

/// Voids an open invoice and cancels its payment intent.
///
/// # Errors
/// The invoice is unknown or neither open nor uncollectible, or a bank is processing its payment.
pub fn void(st: &mut State, id: &str) -> Result<Value, ApiError> {
    let before = st.load("invoice", id, "id")?;
    if !matches!(before.text("status"), "open" | "uncollectible") {
        let message =
            format!("You can only pass in open or uncollectible invoices. This invoice is {}.", before.text("status"));
        return Err(ApiError::coded("invoice_not_editable", message));
    }
    check_not_processing(st, &before)?;
    if before.int("amount_paid") > 0 {
        let message = "This invoice is partially paid, so it can't be voided.";
        return Err(ApiError::coded("invoice_not_editable", message));
    }
    let now = st.now(&before);
    let frozen = st.freeze(&before);
    let after = st.change(id, |i| {
        i.set("status", "void");
        i.set("next_payment_attempt", Value::Null);
        i.set_at("status_transitions.voided_at", now);
    });
    intent::cancel_if_open(st, &before.as_invoice().payment_intent);
    if let Some(payment) = payment_of(st, id) {
        st.change(&payment, |p| {
            p.set("status", "canceled");
            p.set_at("status_transitions.canceled_at", now);
        });
    }
    st.emit_with("invoice.voided", &after, Some(frozen));
    let applied = before.int("ending_balance") - before.int("starting_balance");
    if applied != 0 {
        balance::move_balance(st, before.text("customer"), -applied, "unapplied_from_invoice", Some(id));
    }
    credits::reinstate(st, &after);
    Ok(after.value())
}

/// Marks an open invoice uncollectible.
///
/// # Errors
/// The invoice is unknown or not open.
pub fn mark_uncollectible(st: &mut State, id: &str) -> Result<Value, ApiError> {
    let before = st.load("invoice", id, "id")?;
    if before.text("status") != "open" {
        let message = format!("You can only pass in open invoices. This invoice is {}.", before.text("status"));
        return Err(ApiError::coded("invoice_not_editable", message));
    }
    let now = st.now(&before);
    let frozen = st.freeze(&before);
    let after = st.change(id, |i| {
        i.set("status", "uncollectible");
        i.set("next_payment_attempt", Value::Null);
        i.set_at("status_transitions.marked_uncollectible_at", now);
    });
    st.emit_with("invoice.marked_uncollectible", &after, Some(frozen));
    Ok(after.value())
}

/// Discards a subscription's pending change, which was not paid in time.
pub fn expire_pending_update(st: &mut State, sub: &str) {
    let Ok(before) = st.find(sub) else { return };
    let waiting = before.as_subscription().pending_invoice.clone();
    let after = st.change(sub, |s| {
        s.set("pending_update", json!(null));
        s.as_subscription_mut().pending_invoice.clear();
    });
    st.emit("customer.subscription.pending_update_expired", &after);
    // A paid or void invoice can't be voided.
    let _ = void(st, &waiting);
}

/// Whether a subscription or its customer has a default payment method or source.
pub fn has_method(st: &State, sub: &Object) -> bool {
    let customer = st.copy_if_any(sub.text("customer"));
    !sub.get("default_payment_method").is_null()
        || !sub.get("default_source").is_null()
        || !customer.at("invoice_settings.default_payment_method").is_null()
        || !customer.get("default_source").is_null()
}
