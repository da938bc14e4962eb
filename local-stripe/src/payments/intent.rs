//! Payment intents: confirmation, 3-D Secure, cancellation, and the effects on the intent's invoice or session.

use serde_json::{Value, json};

use crate::billing::outcome::AttemptCause;
use crate::billing::{attached, settle};
use crate::error::ApiError;
use crate::object::Object;
use crate::params::Args;
use crate::payments::attempt::{self, Attempt, attempt, fail_intent};
use crate::payments::method::Presence;
use crate::payments::{self, cash, radar};
use crate::state::State;
use crate::{checkout, model};

/// The members of a payment that are what its request says.
pub const AS_GIVEN: [&str; 6] = [
    "description",
    "receipt_email",
    "shipping",
    "statement_descriptor",
    "statement_descriptor_suffix",
    "transfer_group",
];

/// Creates a payment intent for an amount in minor units, emits `payment_intent.created`, and returns the intent's id.
pub fn create(st: &mut State, amount: i64, currency: &str, clock: &str, edit: impl FnOnce(&mut Object)) -> String {
    let id = st.new_id("pi");
    let secret = st.new_characters(25);
    let created = st.time_on(clock);
    let mut intent = model::payment::payment_intent(id.clone(), created, amount, currency, &secret);
    clock.clone_into(&mut intent.hidden_clock);
    edit(&mut intent);
    let intent = st.put(intent);
    st.emit("payment_intent.created", &intent);
    id
}

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

/// Whether a payment or setup intent waits for 3-D Secure, and not for another action of the customer.
pub fn asks_to_authenticate(intent: &Object) -> bool {
    let action = intent.text_at("next_action.type");
    intent.text("status") == "requires_action" && matches!(action, Some("redirect_to_url" | "use_stripe_sdk"))
}

/// Records that the customer passed or failed 3-D Secure.
///
/// # Errors
/// The intent is unknown or does not wait for 3-D Secure, the customer failed 3-D Secure, or the payment was declined.
pub fn authenticate(st: &mut State, id: &str, passed: bool) -> Result<(), ApiError> {
    let intent = st.load("payment_intent", id, "id")?;
    if !asks_to_authenticate(&intent) {
        return Err(payments::unexpected_state(&intent, "authenticate", "requires_action"));
    }
    let method = intent.text("payment_method").to_owned();
    let outcome = if passed {
        attempt(st, id, &method, Presence::Authenticated)
    } else {
        let message = "We are unable to authenticate your payment method. Please choose a different payment method and try again.";
        let error = ApiError::coded("payment_intent_authentication_failure", message);
        let error = ApiError { status: 402, keeps_changes: true, ..error };
        let method = st.find(&method)?;
        Attempt::Declined(fail_intent(st, id, &method, error, None))
    };
    settle_owner(st, id, &outcome);
    match outcome {
        Attempt::Declined(error) => Err(error),
        _ => Ok(()),
    }
}

/// Notes where the customer of an intent returns, and whether Stripe's scripts authenticate it, as a request says.
pub fn note_return(intent: &mut Object, args: &Args) {
    if args.has("return_url") {
        intent.intent_mut().return_url = args.text("return_url").map(str::to_owned);
    }
    if args.has("use_stripe_sdk") {
        intent.intent_mut().use_stripe_sdk = args.flag("use_stripe_sdk") == Some(true);
    }
}

fn settle_owner(st: &mut State, id: &str, outcome: &Attempt) {
    let intent = st.copy(id);
    let invoice = intent.intent().invoice.clone();
    let session = intent.intent().session.clone();
    match outcome {
        Attempt::Succeeded if invoice.is_empty() && session.is_empty() => attached::credit(st, id),
        Attempt::Succeeded if !invoice.is_empty() => settle::paid(st, &invoice),
        Attempt::Succeeded if !session.is_empty() => checkout::paid(st, &session),
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
    let intent = st.copy(id);
    let (invoice, session) = (intent.intent().invoice.clone(), intent.intent().session.clone());
    match outcome {
        Attempt::Declined(_) if !invoice.is_empty() => settle::failed(st, &invoice, AttemptCause::Schedule),
        Attempt::Declined(_) if !session.is_empty() => checkout::debit_failed(st, &session),
        outcome => settle_owner(st, id, &outcome),
    }
}

/// Cancels an unfinished intent.
///
/// # Errors
/// The intent is unknown, succeeded, canceled or processing.
pub fn cancel(st: &mut State, id: &str, reason: Value) -> Result<Value, ApiError> {
    let intent = st.load("payment_intent", id, "id")?;
    let open = ["requires_payment_method", "requires_capture", "requires_confirmation", "requires_action"];
    if !open.contains(&intent.text("status")) {
        return Err(payments::unexpected_state(&intent, "cancel", &open.join(", ")));
    }
    cash::unapply(st, &intent);
    let now = st.now(&intent);
    let after = st.change(id, |pi| {
        pi.set("status", "canceled");
        pi.set("canceled_at", now);
        pi.set("cancellation_reason", reason);
        pi.set("next_action", Value::Null);
        pi.set("amount_capturable", 0);
    });
    if intent.text("status") == "requires_capture" {
        let released = st.change(intent.text("latest_charge"), |c| {
            c.set("refunded", true);
            c.set("amount_refunded", c.get("amount").clone());
        });
        st.emit("charge.refunded", &released);
        radar::close_review(st, &released, "canceled");
    }
    st.emit("payment_intent.canceled", &after);
    attached::cancel(st, id);
    Ok(after.value())
}

/// Cancels an intent with the reason `void_invoice`. An unknown, finished or processing intent stays unchanged.
pub fn cancel_if_open(st: &mut State, id: &str) {
    if st.seek(id).is_some() {
        // A finished or processing intent can't be canceled.
        let _ = cancel(st, id, json!("void_invoice"));
    }
}
