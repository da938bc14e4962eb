//! Completes sessions.

use serde_json::Value;

use super::{bill, debit, discounts, limit};
use crate::error::ApiError;
use crate::object::Object;
use crate::params::Args;
use crate::state::State;
use crate::tax_ids;

/// Completes a session in setup mode, after its setup intent saved the card.
pub fn set_up(st: &mut State, id: &str) {
    complete(st, id, "no_payment_required");
}

/// Completes a session after its payment succeeded. If a debit has already completed the session, emits the success of
/// the debit.
pub fn paid(st: &mut State, id: &str) {
    let Ok(session) = st.find(id) else { return };
    if session.text("status") == "complete" {
        bill::make(st, id);
        debit::accepted(st, id);
        return;
    }
    let pi = session.as_session().intent.clone();
    st.change(id, |s| s.set("payment_intent", pi));
    complete(st, id, "paid");
}

/// Completes a session, and creates its invoice if it is paid.
pub fn complete(st: &mut State, id: &str, payment_status: &str) {
    let Ok(session) = st.find(id) else { return };
    if let Some(customer) = session.text_at("customer") {
        // The value was checked before the payment.
        let _ = keep_tax_id(st, &session, customer);
    }
    if session.text("mode") == "payment" {
        discounts::count(st, id);
    }
    if payment_status == "paid" {
        bill::make(st, id);
    }
    let done = st.change(id, |s| {
        s.set("status", "complete");
        s.set("payment_status", payment_status);
        s.set("url", Value::Null);
    });
    st.emit("checkout.session.completed", &done);
    limit::count(st, &done);
}

/// Stores the buyer's tax id with the customer.
pub(super) fn keep_tax_id(st: &mut State, session: &Object, customer: &str) -> Result<(), ApiError> {
    let given = Args::of(session.as_session().tax_id.clone());
    if given == Args::default() {
        return Ok(());
    }
    let customer = st.load("customer", customer, "customer")?;
    let known = tax_ids::shown(st, customer.id());
    if !known.contains(&session.as_session().tax_id) {
        tax_ids::create(st, Some(&customer), &given, "tax_id")?;
    }
    Ok(())
}
