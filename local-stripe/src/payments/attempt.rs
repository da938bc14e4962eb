//! Runs one attempt to pay a payment intent with a payment method.

use serde_json::{Value, json};

use crate::cards::{self, Behaviour};
use crate::connect::division::{self, Division, receive};
use crate::debits::{self, Debit, TestAccount};
use crate::descriptor;
use crate::error::ApiError;
use crate::model;
use crate::object::Object;
use crate::payments::method::{self, Presence};
use crate::payments::{authorization, balance, cash, mandate, microdeposits, radar, source};
use crate::state::{DeferredAction, State};

/// The outcome of an attempt.
#[derive(Debug)]
pub enum Attempt {
    /// The payment succeeded, or was authorized for manual capture.
    Succeeded,
    /// The customer must pass 3-D Secure.
    NeedsAction,
    /// The bank decides days later.
    Processing,
    /// The payment was refused.
    Declined(ApiError),
}

/// Runs an attempt. Emits the events of the charge and of the payment intent, but no events of an invoice or a session.
pub fn attempt(st: &mut State, intent: &str, paid_with: &str, presence: Presence) -> Attempt {
    let method = st.copy_if_any(paid_with);
    if method.text("type") != model::cash::KIND {
        let pi = st.copy(intent);
        cash::unapply(st, &pi);
    }
    if method::must_authenticate(&method, &st.copy(intent), presence) {
        return ask_to_authenticate(st, intent, &method, presence);
    }
    match method::behaviour(&method) {
        Behaviour::Declines(code, decline_code) => declined(st, intent, &method, cards::decline(code, decline_code)),
        Behaviour::ChargeFails(decline_code) => {
            declined(st, intent, &method, cards::decline("card_declined", decline_code))
        }
        Behaviour::AuthenticatesThenFails(decline_code) => {
            declined(st, intent, &method, cards::decline("card_declined", decline_code))
        }
        Behaviour::Debits(account) if st.copy(intent).text("currency") != account.debit.currency => {
            let Debit { kind, currency, .. } = account.debit;
            let message = format!("A {kind} can only pay in {currency}.");
            let error = ApiError::coded("payment_intent_incompatible_payment_method", message);
            let error = ApiError { status: 402, keeps_changes: true, ..error };
            Attempt::Declined(fail_intent(st, intent, &method, error, None))
        }
        Behaviour::FromCash => match cash::begin(st, intent, &method) {
            Ok(true) => {
                pay(st, intent, &method, Presence::OnSession);
                Attempt::Succeeded
            }
            Ok(false) => Attempt::NeedsAction,
            Err(error) => Attempt::Declined(error),
        },
        Behaviour::Debits(_) if microdeposits::are_needed(&st.copy(intent), &method) => {
            ask_to_verify(st, intent, &method);
            Attempt::NeedsAction
        }
        Behaviour::Debits(account) => {
            begin_debit(st, intent, &method, account);
            Attempt::Processing
        }
        behaviour => {
            succeeded(st, intent, &method, presence, behaviour);
            Attempt::Succeeded
        }
    }
}

/// Sends the customer to 3-D Secure, or refuses the payment if the customer is absent.
fn ask_to_authenticate(st: &mut State, intent: &str, method: &Object, presence: Presence) -> Attempt {
    if presence == Presence::OffSession {
        let message = "Your card was declined. This transaction requires authentication.";
        let error = ApiError::card("authentication_required", Some("authentication_required"), message);
        return declined(st, intent, method, error);
    }
    let url = format!("{}/_sandbox/3ds/{intent}", st.settings.base_url);
    let after = st.change(intent, |pi| {
        pi.set("payment_method", method.id());
        pi.set("status", "requires_action");
        pi.set("next_action", model::payment::authentication(pi, &url));
    });
    st.emit("payment_intent.requires_action", &after);
    Attempt::NeedsAction
}

/// Pays an intent with a payment method that is paid from the customer's cash balance.
pub fn pay(st: &mut State, intent: &str, method: &Object, presence: Presence) {
    succeeded(st, intent, method, presence, Behaviour::FromCash);
}

fn succeeded(st: &mut State, intent: &str, method: &Object, presence: Presence, behaviour: Behaviour) {
    let Ok(pi) = st.find(intent) else { return };
    let manual = pi.text("capture_method") == "manual"
        || pi.text_at("payment_method_options.card.capture_method") == Some("manual");
    let charge = charged(st, &pi, method, presence, !manual);
    let id = charge.id().to_owned();
    let after = st.change(intent, |pi| {
        pi.set("transfer_group", charge.get("transfer_group").clone());
        remember_charge(pi, id);
        pi.set("payment_method", method.id());
        pi.set("next_action", Value::Null);
        pi.set("last_payment_error", Value::Null);
        if manual {
            pi.set("status", "requires_capture");
            pi.set("amount_capturable", pi.get("amount").clone());
        } else {
            pi.set("status", "succeeded");
            pi.set("amount_received", pi.get("amount").clone());
        }
    });
    st.emit(if manual { "payment_intent.amount_capturable_updated" } else { "payment_intent.succeeded" }, &after);
    keep_for_later(st, &after);
    follow_up(st, &charge, method, behaviour);
}

/// Creates a succeeded charge, captured or only authorized, and divides its money. Emits the charge's events.
pub fn charged(st: &mut State, pi: &Object, method: &Object, presence: Presence, captures: bool) -> Object {
    let mut charge = new_charge(st, pi, method);
    name_mandate(st, &mut charge, pi, method);
    let mut division = Division::default();
    if presence == Presence::Authenticated {
        let proof = json!({
            "authentication_flow": "challenge", "electronic_commerce_indicator": "05", "exemption_indicator": null,
            "exemption_indicator_applied": null, "result": "authenticated", "result_reason": null,
            "transaction_id": format!("3ds-{}", charge.id()), "version": "2.2.0",
        });
        charge.set_at("payment_method_details.card.three_d_secure", proof);
        st.change(method.id(), |m| m.as_payment_method_mut().authenticated = true);
    }
    if captures {
        let amount = charge.int("amount");
        division = receive(st, &mut charge, amount);
    } else {
        charge.set("captured", false);
        charge.set("amount_captured", 0);
        if method.text("type") == "card" {
            let status = authorization::status(pi, method);
            charge.set_at("payment_method_details.card.incremental_authorization.status", status);
        }
    }
    let charge = st.put(charge);
    st.emit("charge.succeeded", &charge);
    division.carry_out(st, &charge);
    Object::clone(&charge)
}

/// Triggers what a test card does after its charge.
pub fn follow_up(st: &mut State, charge: &Object, method: &Object, behaviour: Behaviour) {
    if charge.is("captured") && method.as_payment_method().number == cards::AT_ONCE {
        balance::emit_available(st);
    }
    match behaviour {
        Behaviour::Disputes { .. } => st.deferred.push(DeferredAction::Dispute(charge.id().to_owned())),
        Behaviour::WarnsOfFraud => st.deferred.push(DeferredAction::FraudWarning(charge.id().to_owned())),
        Behaviour::IsReviewed => radar::open_review(st, charge),
        _ => {}
    }
}

/// Sends micro-deposits to the customer's bank account and waits for their verification.
fn ask_to_verify(st: &mut State, intent: &str, method: &Object) {
    let action = microdeposits::next_action(st, &st.copy(intent));
    let after = st.change(intent, |pi| {
        pi.set("payment_method", method.id());
        pi.set("status", "requires_action");
        pi.set("next_action", action);
    });
    st.emit("payment_intent.requires_action", &after);
}

/// Sets the mandate of a payment in its charge.
fn name_mandate(st: &mut State, charge: &mut Object, intent: &Object, method: &Object) {
    let mandate = mandate::of_payment(st, intent, method);
    if !mandate.is_null() {
        charge.set_at(&format!("payment_method_details.{}.mandate", method.text("type")), mandate);
    }
}

/// Starts a debit, which the bank then processes.
fn begin_debit(st: &mut State, intent: &str, method: &Object, account: &TestAccount) {
    let Ok(pi) = st.find(intent) else { return };
    let mut charge = new_charge(st, &pi, method);
    name_mandate(st, &mut charge, &pi, method);
    for (name, value) in [("status", json!("pending")), ("paid", json!(false)), ("receipt_url", Value::Null)] {
        charge.set(name, value);
    }
    let charge = st.put(charge);
    st.emit("charge.pending", &charge);
    let (id, settles_at) = (charge.id().to_owned(), st.now(&pi) + account.debit.settles_after_s);
    let after = st.change(intent, |pi| {
        remember_charge(pi, id);
        pi.set("payment_method", method.id());
        pi.set("next_action", Value::Null);
        pi.set("last_payment_error", Value::Null);
        pi.set("status", "processing");
        pi.as_intent_mut().settles_at = Some(settles_at);
    });
    st.emit("payment_intent.processing", &after);
    keep_for_later(st, &after);
}

/// Applies the bank's decision on the debit of an intent.
pub fn settle_debit(st: &mut State, intent: &str) -> Attempt {
    let pi = st.change(intent, |pi| pi.as_intent_mut().settles_at = None);
    let (method, charge) = (st.copy_if_any(pi.text("payment_method")), st.copy_if_any(pi.text("latest_charge")));
    let failure = match method::behaviour(&method) {
        Behaviour::Debits(account) => account.failure,
        _ => None,
    };
    if let Some(code) = failure {
        let error = debits::failed(code);
        let failed = st.change(charge.id(), |c| {
            c.set("status", "failed");
            c.set("captured", false);
            c.set("amount_captured", 0);
            c.set("failure_code", code);
            c.set("failure_message", error.message.clone());
        });
        st.emit("charge.failed", &failed);
        return Attempt::Declined(fail_intent(st, intent, &method, error, None));
    }
    let mut paid = charge;
    let amount = paid.int("amount");
    let division = receive(st, &mut paid, amount);
    paid.set("status", "succeeded");
    paid.set("paid", true);
    paid.set("receipt_url", format!("{}/_sandbox/receipts/{}", st.settings.base_url, paid.id()));
    let paid = st.put(paid);
    st.emit("charge.succeeded", &paid);
    division.carry_out(st, &paid);
    let after = st.change(intent, |pi| {
        pi.set("transfer_group", paid.get("transfer_group").clone());
        pi.set("status", "succeeded");
        pi.set("amount_received", pi.get("amount").clone());
    });
    st.emit("payment_intent.succeeded", &after);
    Attempt::Succeeded
}

/// Attaches the payment method to the customer if the intent has `setup_future_usage` or the buyer chose to save the
/// card.
fn keep_for_later(st: &mut State, intent: &Object) {
    if intent.text("customer").is_empty() {
        return;
    }
    let kind = st.copy_if_any(intent.text("payment_method")).text("type").to_owned();
    let own = intent.text_at(&format!("payment_method_options.{kind}.setup_future_usage"));
    // The setting for the method's type takes precedence over the intent's.
    let usage = own.or(intent.text_at("setup_future_usage"));
    if !intent.as_intent().keeps_method && usage.is_none_or(|usage| usage == "none") {
        return;
    }
    let (method, customer) = (st.copy_if_any(intent.text("payment_method")), st.copy_if_any(intent.text("customer")));
    // A payment method that can't be attached, for example because it was detached before, stays without a customer.
    let _ = method::attach(st, &method, &customer);
}

fn declined(st: &mut State, intent: &str, method: &Object, error: ApiError) -> Attempt {
    let charge = refused(st, &st.copy(intent), method, &error);
    let error = fail_intent(st, intent, method, error, Some(charge.id()));
    Attempt::Declined(error)
}

/// Creates the failed charge of a declined payment, and emits its event.
pub fn refused(st: &mut State, pi: &Object, method: &Object, error: &ApiError) -> Object {
    let mut charge = new_charge(st, pi, method);
    let code = json!(error.code);
    let decline_code = error.more.get("decline_code").cloned().unwrap_or(code.clone());
    for (name, value) in [
        ("status", json!("failed")),
        ("paid", json!(false)),
        ("captured", json!(false)),
        ("amount_captured", json!(0)),
        ("failure_code", code),
        ("failure_message", json!(error.message)),
        ("receipt_url", Value::Null),
    ] {
        charge.set(name, value);
    }
    charge.set_at("outcome.network_status", "declined_by_network");
    charge.set_at("outcome.reason", decline_code);
    charge.set_at("outcome.seller_message", "The bank did not return any further details with this decline.");
    charge.set_at("outcome.type", "issuer_declined");
    let charge = st.put(charge);
    st.emit("charge.failed", &charge);
    Object::clone(&charge)
}

/// Resets the intent to `requires_payment_method` with the error as `last_payment_error`, and emits the event. Returns
/// the error with the payment method, charge and intent.
pub fn fail_intent(st: &mut State, intent: &str, method: &Object, error: ApiError, charge: Option<&str>) -> ApiError {
    let shown = crate::shapes::render(&method.value(), &st.settings.version.clone());
    let mut error = error.with("payment_method", shown);
    if let Some(charge) = charge {
        error = error.with("charge", json!(charge));
    }
    let last_error = error.body()["error"].clone();
    let after = st.change(intent, |pi| {
        if let Some(charge) = charge {
            remember_charge(pi, charge.to_owned());
        }
        pi.set("last_payment_error", last_error);
        pi.set("payment_method", Value::Null);
        pi.set("next_action", Value::Null);
        pi.set("status", "requires_payment_method");
    });
    st.emit("payment_intent.payment_failed", &after);
    error.with("payment_intent", after.value())
}

fn new_charge(st: &mut State, intent: &Object, method: &Object) -> Object {
    let id = st.new_id("ch");
    let receipt = format!("{}/_sandbox/receipts/{id}", st.settings.base_url);
    let mut charge = model::payment::charge(id, st.now(intent), intent, method, receipt);
    if intent.id().is_empty() {
        // Only a charge without a payment intent has a source.
        charge.set("source", source::card_of(method).map_or(Value::Null, |card| card.value()));
    }
    if method::behaviour(method) == Behaviour::IsReviewed {
        charge.set("outcome", radar::outcome_of_review());
    }
    division::note(&mut charge, intent);
    let account = division::statement(st, intent);
    charge.set("calculated_statement_descriptor", descriptor::of_charge(&account, intent, method));
    charge
}

fn remember_charge(intent: &mut Object, charge: String) {
    intent.as_intent_mut().charge_ids.push(charge.clone());
    intent.set("latest_charge", charge);
}

/// Captures an amount of an authorized charge, in minor units, divides the money, and emits the events.
pub fn capture_charge(st: &mut State, mut charge: Object, amount: i64) -> Object {
    charge.set("captured", true);
    charge.set("amount_captured", amount);
    charge.set("amount_refunded", charge.int("amount") - amount);
    let division = receive(st, &mut charge, amount);
    let captured = st.put(charge);
    st.emit("charge.captured", &captured);
    division.carry_out(st, &captured);
    Object::clone(&captured)
}
