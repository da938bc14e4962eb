//! Bank transfers to cash balances, and the payments that they complete.

use serde_json::Value;

use crate::error::ApiError;
use crate::model;
use crate::money;
use crate::params::Args;
use crate::payments::method::Presence;
use crate::payments::{self, attempt, cash, confirm};
use crate::state::State;

/// Pays an intent that is fully funded.
pub fn pay(st: &mut State, id: &str) {
    let Ok(intent) = st.find(id) else { return };
    let method = st.copy_if_any(intent.text("payment_method"));
    attempt::pay(st, id, &method, Presence::OnSession);
    confirm::paid(st, id);
}

/// Simulates an incoming bank transfer. With automatic reconciliation, it pays the customer's waiting payment intents,
/// oldest first.
///
/// # Errors
/// The customer is unknown, or bank transfers do not support the currency.
pub fn fund(st: &mut State, customer: &str, args: &Args) -> Result<Value, ApiError> {
    let balance = cash::load(st, customer, "id")?;
    let (amount, currency) = (args.int("amount").unwrap_or_default(), args.text("currency").unwrap_or_default());
    let transfer = cash::transfer_in(currency)?;
    money::check_maximum(cash::available(&balance, currency).saturating_add(amount), currency, "amount")?;
    let details = model::cash::funded(transfer, args.value("reference"));
    let made = cash::book(st, customer, (currency, amount), "funded", details);
    if model::cash::shown(&balance).text_at("settings.reconciliation_mode") == Some("automatic") {
        cash::reconcile(st, customer, currency, pay)?;
    }
    let left = cash::load(st, customer, "id")?;
    if cash::available(&left, currency) > 0 {
        st.emit("cash_balance.funds_available", &model::cash::shown(&left));
    }
    Ok(made.value())
}

/// Manually applies an amount of the customer's cash balance to a waiting payment intent. Without an amount, applies
/// all that the intent lacks.
///
/// # Errors
/// The intent is unknown or does not wait for a bank transfer, or the amount exceeds what the intent lacks or what is
/// available.
pub fn apply_by_hand(st: &mut State, id: &str, args: &Args) -> Result<Value, ApiError> {
    let pi = st.load("payment_intent", id, "id")?;
    if !cash::is_waiting(&pi) {
        return Err(payments::unexpected_state(&pi, "apply the customer balance to", "requires_action"));
    }
    if args.text("currency").is_some_and(|currency| currency != pi.text("currency")) {
        let message = format!("The currency of this PaymentIntent is {}.", pi.text("currency"));
        return Err(ApiError::invalid(message).about("currency"));
    }
    let (missing, held) =
        (cash::remaining(&pi), cash::available(&cash::load(st, pi.text("customer"), "customer")?, pi.text("currency")));
    let amount = args.int("amount").unwrap_or(missing);
    if amount < 1 || amount > missing || amount > held {
        let message = format!("The amount is {amount}, but {missing} is missing and {held} is available.");
        return Err(ApiError::coded("amount_too_large", message).about("amount"));
    }
    if cash::apply(st, id, amount) {
        pay(st, id);
    }
    Ok(st.find(id)?.value())
}
