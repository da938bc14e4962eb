//! The account's balance: the sum of payments and refunds, payouts and top-ups.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::error::ApiError;
use crate::model;
use crate::money;
use crate::object::Object;
use crate::payments::ledger::book;
use crate::state::State;

/// Returns the balance object.
pub fn balance(st: &State) -> Object {
    // The available and the pending money by currency.
    let mut sums = BTreeMap::from([("usd".to_owned(), (0_i64, 0_i64))]);
    for movement in st.newest("balance_transaction", None) {
        let (available, pending) = sums.entry(movement.text("currency").to_owned()).or_default();
        *if movement.text("status") == "pending" { pending } else { available } += movement.int("net");
    }
    let entries = |amount: fn(&(i64, i64)) -> i64| -> Vec<Value> {
        let entry = |(currency, sums): (&String, &(i64, i64))| {
            let amount = amount(sums);
            json!({ "amount": amount, "currency": currency, "source_types": { "card": amount } })
        };
        sums.iter().map(entry).collect()
    };
    Object::of(json!({
        "object": "balance",
        "available": entries(|sums| sums.0),
        "connect_reserved": [{ "amount": 0, "currency": "usd" }],
        "livemode": false,
        "pending": entries(|sums| sums.1),
    }))
}

/// Returns the available balance in a currency, in minor units.
pub fn available(st: &State, currency: &str) -> i64 {
    let entries = balance(st);
    let held = entries.list_at("available").iter().find(|e| e["currency"] == currency);
    held.and_then(|e| e["amount"].as_i64()).unwrap_or_default()
}

/// Makes the money of a pending transaction available.
pub fn release(st: &mut State, movement: &str) {
    st.change(movement, |movement| movement.set("status", "available"));
    emit_available(st);
}

/// Emits `balance.available`.
pub fn emit_available(st: &mut State) {
    let now = balance(st);
    st.emit("balance.available", &now);
}

/// Creates a payout from the balance.
///
/// # Errors
/// The balance is too low.
pub fn pay_out(st: &mut State, mut payout: Object) -> Result<Object, ApiError> {
    let (amount, currency) = (payout.int("amount"), payout.text("currency").to_owned());
    let held = available(st, &currency);
    if amount > held {
        let message = format!(
            "You have insufficient funds in your Stripe account for this transfer. Your balance in {currency} is {}.",
            money::display(held, &currency)
        );
        return Err(ApiError::coded("balance_insufficient", message));
    }
    let movement = book(st, &payout, -amount, "payout", payout.id());
    payout.set("balance_transaction", movement);
    let payout = st.put(payout);
    st.emit("payout.created", &payout);
    Ok(Object::clone(&payout))
}

/// Marks a payout as arrived.
pub fn arrive(st: &mut State, id: &str) {
    st.change_and_emit(id, "payout.updated", |p| p.set("status", "paid"));
    let Ok(paid) = st.find(id) else { return };
    st.emit("payout.paid", &paid);
}

/// Cancels a payout that has not arrived.
///
/// # Errors
/// The payout is unknown or no longer pending.
pub fn cancel(st: &mut State, id: &str) -> Result<Object, ApiError> {
    let payout = st.load("payout", id, "id")?;
    if payout.text("status") != "pending" {
        let message = "Payouts can only be canceled while they are pending.";
        return Err(ApiError::coded("payout_not_cancelable", message));
    }
    let movement = book(st, &payout, payout.int("amount"), "payout_cancel", id);
    let canceled = st.change(id, |p| {
        p.set("status", "canceled");
        p.set("failure_balance_transaction", movement);
    });
    st.emit("payout.canceled", &canceled);
    Ok(Object::clone(&canceled))
}

/// Reverses a payout that has arrived: the money comes back from the bank account.
///
/// # Errors
/// The payout is unknown, does not belong to a connected account, has not arrived, or was reversed before.
pub fn reverse(st: &mut State, id: &str, metadata: Value) -> Result<Object, ApiError> {
    let payout = st.load("payout", id, "id")?;
    let message = match payout.text("status") {
        _ if st.acting().is_empty() => "You can only reverse the payouts of connected accounts.",
        _ if !payout.get("reversed_by").is_null() => "This payout has already been reversed.",
        _ if !payout.get("original_payout").is_null() => "This payout reverses another one, so it can't be reversed.",
        "paid" => "",
        "pending" => "This payout is pending. Cancel it instead.",
        _ => "Only a payout that was paid can be reversed.",
    };
    if !message.is_empty() {
        return Err(ApiError::invalid(message));
    }
    let (amount, currency) = (-payout.int("amount"), payout.text("currency").to_owned());
    let mut back = model::balance::payout(st.new_id("po"), st.now(&payout), amount, &currency);
    let movement = book(st, &payout, -amount, "payout", back.id());
    back.set("balance_transaction", movement);
    back.set("metadata", metadata);
    back.set("original_payout", id);
    let back = st.put(back);
    let by = back.id().to_owned();
    st.change_and_emit(id, "payout.updated", |payout| payout.set("reversed_by", by));
    st.emit("payout.created", &back);
    Ok(Object::clone(&back))
}

/// Tops up the balance; the money is available immediately.
pub fn top_up(st: &mut State, topup: Object) -> Object {
    let id = topup.id().to_owned();
    let pending = st.put(topup);
    st.emit("topup.created", &pending);
    let movement = book(st, &pending, pending.int("amount"), "topup", &id);
    let succeeded = st.change(&id, |t| {
        t.set("status", "succeeded");
        t.set("balance_transaction", movement);
    });
    st.emit("topup.succeeded", &succeeded);
    Object::clone(&succeeded)
}
