//! Early fraud warnings of card issuers, and reviews of payments with an elevated risk. Test cards open both.

use serde_json::{Value, json};

use crate::error::ApiError;
use crate::object::Object;
use crate::state::State;

/// Returns the member `outcome` of a charge that is placed in the queue for manual review.
pub fn outcome_of_review() -> Value {
    json!({
        "advice_code": null,
        "network_advice_code": null,
        "network_decline_code": null,
        "network_status": "approved_by_network",
        "reason": "elevated_risk_level",
        "risk_level": "elevated",
        "risk_score": 65,
        "rule": "manual_review_if_elevated_risk",
        "seller_message": "Stripe evaluated this payment as having elevated risk, and placed it in your manual review queue.",
        "type": "manual_review",
    })
}

/// Creates an issuer's warning that a charge may be fraudulent. It is actionable unless the charge is disputed or fully
/// refunded.
pub fn warn(st: &mut State, charge: &str) {
    let Ok(charge) = st.find(charge) else { return };
    let mut warning = Object::of(json!({
        "id": st.new_id("issfr"),
        "object": "radar.early_fraud_warning",
        "actionable": !charge.is("disputed") && !charge.is("refunded"),
        "charge": charge.id(),
        "created": st.now(&charge),
        "fraud_type": "unauthorized_use_of_card",
        "livemode": false,
    }))
    .on_clock_of(&charge);
    name_intent(&mut warning, &charge);
    let warning = st.put(warning);
    st.emit("radar.early_fraud_warning.created", &warning);
}

/// Sets the payment intent of a charge, if it has one.
fn name_intent(object: &mut Object, charge: &Object) {
    if let Some(intent) = charge.text_at("payment_intent") {
        object.set("payment_intent", intent);
    }
}

/// Marks the warning for a charge as no longer actionable.
fn end_warning(st: &mut State, charge: &str) {
    let mut warnings = st.newest("radar.early_fraud_warning", None);
    let Some(id) = warnings.find(|w| w.text("charge") == charge).map(|w| w.id().to_owned()) else { return };
    st.change_and_emit(&id, "radar.early_fraud_warning.updated", |warning| warning.set("actionable", false));
}

/// Opens the review of a charge and its payment intent.
pub fn open_review(st: &mut State, charge: &Object) {
    let id = st.new_id("prv");
    let mut review = Object::of(json!({
        "id": id,
        "object": "review",
        "billing_zip": charge.at("billing_details.address.postal_code"),
        "charge": charge.id(),
        "closed_reason": null,
        "created": st.now(charge),
        "ip_address": null,
        "ip_address_location": null,
        "livemode": false,
        "open": true,
        "opened_reason": "rule",
        "reason": "rule",
        "session": null,
    }))
    .on_clock_of(charge);
    name_intent(&mut review, charge);
    let review = st.put(review);
    st.change(charge.id(), |charge| charge.set("review", id.clone()));
    if let Some(intent) = charge.text_at("payment_intent") {
        st.change(intent, |intent| intent.set("review", id));
    }
    st.emit("review.opened", &review);
}

/// Closes the review of a charge, if it has an open one.
pub fn close_review(st: &mut State, charge: &Object, reason: &str) {
    let id = charge.text("review").to_owned();
    if !st.copy_if_any(&id).is("open") {
        return;
    }
    let closed = st.change(&id, |review| {
        review.set("open", false);
        review.set("closed_reason", reason);
        review.set("reason", reason);
    });
    st.emit("review.closed", &closed);
}

/// Approves the payment of a review, which closes it.
///
/// # Errors
/// The review is unknown or closed.
pub fn approve(st: &mut State, id: &str) -> Result<Value, ApiError> {
    let review = st.load("review", id, "id")?;
    if !review.is("open") {
        return Err(ApiError::invalid(format!("The review is closed already: {}.", review.text("reason"))));
    }
    let charge = st.copy_if_any(review.text("charge"));
    close_review(st, &charge, "approved");
    Ok(st.find(id)?.value())
}

/// Ends the warning and the review of a fully refunded charge.
pub fn refunded(st: &mut State, charge: &Object, refund: &Object) {
    if !charge.is("refunded") {
        return;
    }
    end_warning(st, charge.id());
    let is_fraud = refund.text("reason") == "fraudulent";
    close_review(st, charge, if is_fraud { "refunded_as_fraud" } else { "refunded" });
}

/// Ends the warning and the review of a disputed charge.
pub fn disputed(st: &mut State, charge: &str) {
    end_warning(st, charge);
    let Ok(charge) = st.find(charge) else { return };
    close_review(st, &charge, "disputed");
}
