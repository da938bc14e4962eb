//! Setup intents, which save a card without a payment: confirmation, 3-D Secure and cancellation.

use serde_json::{Value, json};

use crate::cards::{self, Behaviour};
use crate::checkout::complete;
use crate::error::ApiError;
use crate::model;
use crate::object::Object;
use crate::object::own::Intent;
use crate::payments::method::Presence;
use crate::payments::{intent, mandate, method, microdeposits};
use crate::state::State;

/// Creates a setup intent, emits `setup_intent.created`, and returns the intent's id.
pub fn create(st: &mut State, usage: &str, clock: &str, edit: impl FnOnce(&mut Object)) -> String {
    let id = st.new_id("seti");
    let secret = st.new_characters(25);
    let created = st.time_on(clock);
    let mut intent = model::setup::setup_intent(id.clone(), created, usage, &secret);
    clock.clone_into(&mut intent.hidden_clock);
    edit(&mut intent);
    let intent = st.put(intent);
    st.emit("setup_intent.created", &intent);
    id
}

/// Returns the error for an operation that the intent's status does not allow.
pub fn unexpected_state(intent: &Object, verb: &str) -> ApiError {
    let status = intent.text("status");
    let message = format!("You cannot {verb} this SetupIntent because it has a status of {status}.");
    ApiError::coded("setup_intent_unexpected_state", message).with("setup_intent", intent.value())
}

/// Tries to save a payment method. Returns whether the customer must pass 3-D Secure first.
///
/// # Errors
/// The intent is unknown or finished, or the payment method can't be used or is declined.
pub fn confirm(st: &mut State, id: &str, method: &str, presence: Presence) -> Result<bool, ApiError> {
    let intent = st.load("setup_intent", id, "id")?;
    if !matches!(intent.text("status"), "requires_payment_method" | "requires_confirmation" | "requires_action") {
        return Err(unexpected_state(&intent, "confirm"));
    }
    let card = st.find(method)?;
    if let Behaviour::Declines(code, decline_code) = method::behaviour(&card) {
        return Err(fail(st, id, &card, cards::decline(code, decline_code)));
    }
    if microdeposits::are_needed(&intent, &card) {
        let action = microdeposits::next_action(st, &intent);
        let after = st.change(id, |si| {
            si.set("payment_method", method);
            si.set("status", "requires_action");
            si.set("next_action", action);
        });
        st.emit("setup_intent.requires_action", &after);
        return Ok(true);
    }
    if method::must_authenticate(&card, &intent, presence) {
        let url = format!("{}/_sandbox/3ds/{id}", st.settings.base_url);
        let method = json!(method);
        let after = st.change(id, |si| {
            si.set("payment_method", method);
            si.set("status", "requires_action");
            si.set("next_action", model::payment::authentication(si, &url));
        });
        st.emit("setup_intent.requires_action", &after);
        return Ok(true);
    }
    if presence == Presence::Authenticated {
        st.change(method, |m| m.as_payment_method_mut().authenticated = true);
    }
    succeed(st, id, method)?;
    Ok(false)
}

fn succeed(st: &mut State, id: &str, method: &str) -> Result<(), ApiError> {
    let intent = st.find(id)?;
    if let Some(customer) = intent.text_at("customer") {
        let (card, customer) = (st.find(method)?, st.copy_if_any(customer));
        method::attach(st, &card, &customer)?;
    }
    let mandate = mandate::of_setup(st, &intent, &*st.find(method)?);
    let attempt = attempt(st, &intent, method, "succeeded", Value::Null);
    let after = st.change(id, |si| {
        si.set("payment_method", method);
        si.set("status", "succeeded");
        si.set("next_action", Value::Null);
        si.set("last_setup_error", Value::Null);
        si.set("latest_attempt", attempt);
        si.set("mandate", mandate);
    });
    st.emit("setup_intent.succeeded", &after);
    let Intent { subscription: sub, session, .. } = after.as_intent();
    if !sub.is_empty() {
        st.change_and_emit(sub, "customer.subscription.updated", |s| {
            s.set("pending_setup_intent", Value::Null);
            s.set("default_payment_method", method);
        });
    }
    if !session.is_empty() {
        complete::set_up(st, session);
    }
    Ok(())
}

fn attempt(st: &mut State, intent: &Object, method: &str, status: &str, error: Value) -> String {
    let id = st.new_id("setatt");
    let card = st.copy(method);
    let made = model::setup::setup_attempt(id.clone(), st.now(intent), intent, &card, status, error);
    st.put(made);
    id
}

/// Resets the intent to `requires_payment_method` with the error as `last_setup_error`, and emits the event. Returns
/// the error with the payment method and the intent.
pub fn fail(st: &mut State, id: &str, card: &Object, error: ApiError) -> ApiError {
    let shown = crate::shapes::render(&card.value(), &st.settings.version.clone());
    let error = error.with("payment_method", shown);
    let last_error = error.body()["error"].clone();
    let attempt = attempt(st, &st.copy(id), card.id(), "failed", last_error.clone());
    let after = st.change(id, |si| {
        si.set("payment_method", Value::Null);
        si.set("next_action", Value::Null);
        si.set("status", "requires_payment_method");
        si.set("last_setup_error", last_error);
        si.set("latest_attempt", attempt);
    });
    st.emit("setup_intent.setup_failed", &after);
    error.with("setup_intent", after.value())
}

/// Records that the customer passed or failed 3-D Secure.
///
/// # Errors
/// The intent is unknown or does not wait for 3-D Secure, the customer failed 3-D Secure, or the card can't be attached
/// to the customer.
pub fn authenticate(st: &mut State, id: &str, passed: bool) -> Result<(), ApiError> {
    let intent = st.load("setup_intent", id, "id")?;
    if !intent::asks_to_authenticate(&intent) {
        return Err(unexpected_state(&intent, "authenticate"));
    }
    // An attached card may have been deleted in the meantime.
    let method = st.load("payment_method", intent.text("payment_method"), "payment_method")?;
    if passed {
        return confirm(st, id, method.id(), Presence::Authenticated).map(|_| ());
    }
    let message =
        "We are unable to authenticate your payment method. Please choose a different payment method and try again.";
    let error = ApiError {
        status: 402,
        keeps_changes: true,
        ..ApiError::coded("setup_intent_authentication_failure", message)
    };
    Err(fail(st, id, &method, error))
}

/// Cancels an intent that is neither succeeded nor canceled.
///
/// # Errors
/// The intent is unknown, succeeded or canceled.
pub fn cancel(st: &mut State, id: &str, reason: Value) -> Result<Value, ApiError> {
    let intent = st.load("setup_intent", id, "id")?;
    if matches!(intent.text("status"), "succeeded" | "canceled") {
        return Err(unexpected_state(&intent, "cancel"));
    }
    let after = st.change(id, |si| {
        si.set("status", "canceled");
        si.set("cancellation_reason", reason);
        si.set("next_action", Value::Null);
    });
    st.emit("setup_intent.canceled", &after);
    Ok(after.value())
}
