//! Payments: payment methods, attempts, 3-D Secure, refunds and disputes.

pub mod attempt;
pub mod authorization;
pub mod balance;
pub mod cash;
pub mod charge;
pub mod confirm;
pub mod confirmation;
pub mod dispute;
pub mod funding;
pub mod intent;
pub mod ledger;
pub mod mandate;
pub mod method;
pub mod microdeposits;
pub mod radar;
pub mod refund;
pub mod setup;
pub mod source;
pub mod token;
pub mod verification;

use crate::error::ApiError;
use crate::object::Object;

/// Returns the error for an operation that the intent's status does not allow. `verb` is the whole verb, such as `capture`.
pub fn unexpected_state(intent: &Object, verb: &str, allowed: &str) -> ApiError {
    let status = intent.text("status");
    let ending = if verb.ends_with('e') { "d" } else { "ed" };
    let message = format!(
        "You cannot {verb} this PaymentIntent because it has a status of {status}. Only a PaymentIntent with one of the following statuses may be {verb}{ending}: {allowed}."
    );
    ApiError::coded("payment_intent_unexpected_state", message).with("payment_intent", intent.value())
}
