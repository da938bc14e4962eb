//! Confirms and captures payment intents, and updates the invoice or the checkout session of each.

use crate::billing::settlement::outcome::AttemptCause;
use crate::billing::settlement::{attached, settle};
use crate::checkout::{complete, debit};
use crate::connect::division;
use crate::error::ApiError;
use crate::payments::attempt::{self, Attempt, attempt, fail_intent};
use crate::payments::method::Presence;
use crate::payments::{self, intent};
use crate::state::State;

/// Confirms an intent with a payment method, and updates its invoice or session.
///
/// # Errors
/// The payment was declined.
pub fn confirm(st: &mut State, id: &str, method: &str, presence: Presence) -> Result<(), ApiError> {
    let outcome = attempt(st, id, method, presence);
    settle_owner(st, id, &outcome);
    match outcome {
        Attempt::Succeeded | Attempt::NeedsAction | Attempt::Processing => Ok(()),
        Attempt::Declined(error) => Err(error),
    }
}

/// Records that the customer passed or failed 3-D Secure.
///
/// # Errors
/// The intent is unknown or does not wait for 3-D Secure, the customer failed 3-D Secure, or the payment was declined.
pub fn authenticate(st: &mut State, id: &str, passed: bool) -> Result<(), ApiError> {
    let intent = st.load("payment_intent", id, "id")?;
    if !intent::asks_to_authenticate(&intent) {
        return Err(payments::unexpected_state(&intent, "authenticate", "requires_action"));
    }
    // An attached card may have been deleted in the meantime.
    let method = st.load("payment_method", intent.text("payment_method"), "payment_method")?;
    let outcome = if passed {
        attempt(st, id, method.id(), Presence::Authenticated)
    } else {
        let message = "We are unable to authenticate your payment method. Please choose a different payment method and try again.";
        let error = ApiError::coded("payment_intent_authentication_failure", message);
        let error = ApiError { status: 402, keeps_changes: true, ..error };
        Attempt::Declined(fail_intent(st, id, &method, error, None))
    };
    settle_owner(st, id, &outcome);
    match outcome {
        Attempt::Declined(error) => Err(error),
        _ => Ok(()),
    }
}

fn settle_owner(st: &mut State, id: &str, outcome: &Attempt) {
    let Ok(intent) = st.find(id) else { return };
    let invoice = intent.as_intent().invoice.clone();
    let session = intent.as_intent().session.clone();
    match outcome {
        Attempt::Succeeded if invoice.is_empty() && session.is_empty() => attached::credit(st, id),
        Attempt::Succeeded if !invoice.is_empty() => settle::paid(st, &invoice),
        Attempt::Succeeded if !session.is_empty() => complete::paid(st, &session),
        Attempt::Processing if !invoice.is_empty() => settle::processing(st, &invoice),
        Attempt::NeedsAction if !invoice.is_empty() => settle::needs_action(st, &invoice, AttemptCause::Hand),
        Attempt::Declined(_) if !invoice.is_empty() => settle::failed(st, &invoice, AttemptCause::Hand),
        _ => {}
    }
}

/// Updates the invoice or session of an intent that was paid after a bank transfer.
pub fn paid(st: &mut State, id: &str) {
    settle_owner(st, id, &Attempt::Succeeded);
}

/// Applies the bank's decision on the debit of an intent, and updates its invoice or session.
pub fn settle_debit(st: &mut State, id: &str) {
    let outcome = attempt::settle_debit(st, id);
    let Ok(intent) = st.find(id) else { return };
    let (invoice, session) = (intent.as_intent().invoice.clone(), intent.as_intent().session.clone());
    match outcome {
        Attempt::Declined(_) if !invoice.is_empty() => settle::failed(st, &invoice, AttemptCause::Schedule),
        Attempt::Declined(_) if !session.is_empty() => debit::refused(st, &session),
        outcome => settle_owner(st, id, &outcome),
    }
}

/// Captures an amount of an authorized intent, in minor units. The uncaptured rest counts as refunded.
pub fn capture(st: &mut State, intent: &str, amount: i64) {
    let Ok(pi) = st.find(intent) else { return };
    let mut charge = st.copy_if_any(pi.text("latest_charge"));
    division::note(&mut charge, &pi);
    let captured = attempt::capture_charge(st, charge, amount);
    let after = st.change(intent, |pi| {
        pi.set("transfer_group", captured.get("transfer_group").clone());
        pi.set("status", "succeeded");
        pi.set("amount_capturable", 0);
        pi.set("amount_received", amount);
    });
    st.emit("payment_intent.succeeded", &after);
    attached::credit(st, intent);
}
