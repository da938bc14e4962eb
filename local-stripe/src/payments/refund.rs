//! Refunds, full and partial.

use serde_json::{Value, json};

use crate::cards::{self, Behaviour};
use crate::connect::division::{self, TakesBack};
use crate::error::ApiError;
use crate::model;
use crate::money;
use crate::object::Object;
use crate::payments::ledger::{book, book_with_fee};
use crate::payments::{cash, radar};
use crate::state::{DeferredAction, State};

/// Refunds an amount of a charge, in minor units, and takes back the related transfer and fee. `None` refunds the rest.
///
/// # Errors
/// The charge can't be refunded, the amount is not positive or exceeds the rest, or there is nothing to take back.
pub fn create(
    st: &mut State,
    charge: &Object,
    amount: Option<i64>,
    reason: Value,
    metadata: Value,
    takes: TakesBack,
) -> Result<Object, ApiError> {
    let id = charge.id().to_owned();
    if charge.text("status") != "succeeded" {
        let message = format!("Charge {id} has not been paid, so it can't be refunded.");
        return Err(ApiError::coded("charge_not_refundable", message));
    }
    let is_alone = charge.get("payment_intent").is_null();
    if !charge.is("captured") && !is_alone {
        let message = format!("Charge {id} is not captured. Cancel its PaymentIntent instead.");
        return Err(ApiError::coded("charge_not_refundable", message));
    }
    if charge.is("refunded") {
        return Err(ApiError::coded("charge_already_refunded", format!("Charge {id} has already been refunded.")));
    }
    if charge.is("disputed") && !charge.as_charge().refundable_dispute {
        let message = format!("Charge {id} has been charged back; cannot issue a refund.");
        return Err(ApiError::coded("charge_disputed", message));
    }
    let left = charge.int("amount") - charge.int("amount_refunded");
    let amount = amount.unwrap_or(left);
    let currency = charge.text("currency");
    if amount < 1 {
        return Err(ApiError::coded("parameter_invalid_integer", "Invalid positive integer").about("amount"));
    }
    if amount > left {
        let message = format!(
            "Refund amount ({}) is greater than unrefunded amount on charge ({})",
            money::display(amount, currency),
            money::display(left, currency)
        );
        return Err(ApiError::coded("amount_too_large", message).about("amount"));
    }
    if !charge.is("captured") && amount < left {
        let message = "An uncaptured charge can only be refunded as a whole. Capture a part of it instead.";
        return Err(ApiError::invalid(message).about("amount"));
    }
    let refund_id = st.new_id("re");
    let mut refund = model::payment::refund(refund_id.clone(), st.now(charge), charge, amount, reason);
    let shares = division::shares_of_refund(st, charge, amount, takes)?;
    let fee = shares.own_fee(st, charge);
    // Nothing was taken for an uncaptured charge, so nothing is returned.
    let movement = charge.is("captured").then(|| book_with_fee(st, charge, -amount, fee, "refund", &refund_id));
    refund.set("balance_transaction", movement);
    refund.set("metadata", metadata);
    shares.note(&mut refund);
    let number = st.copy_if_any(charge.text("payment_method")).as_payment_method().number.clone();
    let behaviour = cards::by_number(&number).map(|card| card.behaviour);
    if behaviour == Some(Behaviour::RefundIsPending) {
        refund.set("status", "pending");
    }
    let is_from_cash = charge.text_at("payment_method_details.type") == Some(model::cash::KIND);
    if is_from_cash {
        refund.set("destination_details", json!({ "customer_cash_balance": {}, "type": "customer_cash_balance" }));
    }
    let refund = st.put(refund);
    st.emit("refund.created", &refund);
    if is_from_cash {
        cash::refunded(st, charge, &refund);
    }
    let before = st.freeze(charge);
    let after = st.change(&id, |c| {
        let total = c.int("amount_refunded") + amount;
        c.set("amount_refunded", total);
        c.set("refunded", total == c.int("amount"));
        c.as_charge_mut().refund_ids.push(refund_id.clone());
    });
    st.emit_with("charge.refunded", &after, Some(before));
    shares.carry_out(st, &after, &refund_id, amount, takes);
    radar::refunded(st, &after, &refund);
    match behaviour {
        Some(Behaviour::RefundFails) => st.deferred.push(DeferredAction::RefundFails(refund_id)),
        Some(Behaviour::RefundIsPending) => st.deferred.push(DeferredAction::RefundSucceeds(refund_id)),
        _ => {}
    }
    Ok(Object::clone(&refund))
}

/// Completes a pending refund.
pub fn succeed(st: &mut State, id: &str) {
    let Ok(before) = st.find(id) else { return };
    let after = st.change(id, |r| r.set("status", "succeeded"));
    for event in ["refund.updated", "charge.refund.updated"] {
        st.emit_with(event, &after, Some(Object::clone(&before)));
    }
}

/// Returns a refund that waits for the customer's bank account.
fn waiting(st: &State, id: &str, verb: &str) -> Result<Object, ApiError> {
    let refund = st.load("refund", id, "id")?;
    if refund.text("status") == "requires_action" {
        return Ok(Object::clone(&refund));
    }
    let message = format!(
        "Only a refund with the status requires_action can be {verb}. This refund is {}.",
        refund.text("status")
    );
    Err(ApiError::invalid(message))
}

/// Cancels a refund that waits for the customer's bank account. The money stays in the customer's cash balance.
///
/// # Errors
/// The refund is unknown, or does not wait.
pub fn cancel(st: &mut State, id: &str) -> Result<Value, ApiError> {
    let before = waiting(st, id, "canceled")?;
    cash::give_back(st, &before);
    let after = st.change(id, |r| {
        r.set("status", "canceled");
        r.members.remove("next_action");
    });
    st.emit_with("refund.updated", &after, Some(before));
    Ok(after.value())
}

/// Expires a refund that waits for the customer's bank account, so that it fails. The money stays in the customer's cash balance.
///
/// # Errors
/// The refund is unknown, or does not wait for a bank account.
pub fn expire(st: &mut State, id: &str) -> Result<Value, ApiError> {
    let before = waiting(st, id, "expired")?;
    cash::give_back(st, &before);
    let after = st.change(id, |r| {
        r.set("status", "failed");
        r.set("failure_reason", "unknown");
        r.members.remove("next_action");
    });
    st.emit("refund.failed", &after);
    Ok(after.value())
}

/// Fails a succeeded refund: the charge no longer counts as refunded by this amount, and the amount returns to the balance.
pub fn fail(st: &mut State, id: &str) {
    let Ok(refund) = st.find(id) else { return };
    let charge = st.copy_if_any(refund.text("charge"));
    let amount = refund.int("amount");
    let movement = book(st, &charge, amount, "refund_failure", id);
    let after = st.change(id, |r| {
        r.set("status", "failed");
        r.set("failure_reason", "expired_or_canceled_card");
        r.set("failure_balance_transaction", movement);
    });
    st.change(charge.id(), |c| {
        c.set("amount_refunded", c.int("amount_refunded") - amount);
        c.set("refunded", false);
    });
    st.emit("refund.failed", &after);
    st.emit("charge.refund.updated", &after);
}
