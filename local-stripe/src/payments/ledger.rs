//! The transactions of an account's balance.

use serde_json::{Value, json};

use crate::model;
use crate::object::Object;
use crate::state::State;

/// A fee that a transaction takes.
#[derive(Debug, Clone, PartialEq)]
pub struct Fee {
    /// The amount in minor units; a negative amount gives a fee back.
    pub amount: i64,
    /// The words for the account's owner.
    pub description: String,
    /// The id of the platform's application that takes the fee, or null.
    pub application: Value,
    /// `application_fee` or `stripe_fee`.
    pub kind: &'static str,
}

/// A transaction to book on the balance of the account for which the request acts.
#[derive(Debug, Clone)]
pub struct Entry<'e> {
    /// The time in Unix seconds.
    pub at_s: i64,
    /// The amount in minor units, before the fee.
    pub amount: i64,
    /// The currency's lower-case code.
    pub currency: &'e str,
    /// The transaction's `type`.
    pub kind: &'static str,
    /// The id of the object that caused the transaction.
    pub source: &'e str,
    /// The fee, if any.
    pub fee: Option<Fee>,
}

/// Books a transaction and returns its id.
pub fn enter(st: &mut State, entry: Entry<'_>) -> String {
    let id = st.new_id("txn");
    let Entry { at_s, amount, currency, kind, source, fee } = entry;
    let mut movement = model::payment::balance_transaction(id.clone(), at_s, amount, currency, kind, source);
    if let Some(fee) = fee.filter(|fee| fee.amount != 0) {
        movement.set("fee", fee.amount);
        movement.set("net", amount - fee.amount);
        movement.set(
            "fee_details",
            json!([{
                "amount": fee.amount, "application": fee.application, "currency": currency,
                "description": fee.description, "type": fee.kind,
            }]),
        );
    }
    st.put(movement);
    id
}

/// Books a transaction of an amount in minor units, in the currency and at the time of an object, and returns the
/// transaction's id.
pub fn book(st: &mut State, owner: &Object, amount: i64, kind: &'static str, source: &str) -> String {
    book_with_fee(st, owner, amount, None, kind, source)
}

/// Like [`book`], with a fee.
pub fn book_with_fee(
    st: &mut State,
    owner: &Object,
    amount: i64,
    fee: Option<Fee>,
    kind: &'static str,
    source: &str,
) -> String {
    let (at_s, currency) = (st.now(owner), owner.text("currency").to_owned());
    enter(st, Entry { at_s, amount, currency: &currency, kind, source, fee })
}
