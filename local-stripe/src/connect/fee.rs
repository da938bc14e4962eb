//! Application fees, which the platform takes from payments of connected accounts, and their refunds.

use serde_json::{Value, json};

use crate::connect::application;
use crate::error::ApiError;
use crate::model;
use crate::money;
use crate::object::Object;
use crate::payments::ledger::{Entry, Fee, enter};
use crate::state::State;

/// An application fee that comes from a payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// The id of the fee (`fee_…`).
    pub id: String,
    /// The amount in minor units.
    pub amount: i64,
}

/// Returns the fee as shown in a transaction of the connected account; a negative amount is a refund.
pub fn detail(st: &State, amount: i64) -> Fee {
    let description = format!("{} application fee", st.settings.business_name);
    Fee { amount, description, application: json!(application(&st.settings)), kind: "application_fee" }
}

/// Credits the platform with a fee, and emits `application_fee.created`. `paid` is the connected account's payment; `original` is the
/// platform's charge, if the payment came from a transfer.
pub fn collect(st: &mut State, taken: Taken, account: &str, paid: (&str, &str), at_s: i64, original: Value) {
    let (charge, currency) = paid;
    let application = application(&st.settings);
    st.acting_for("", |st| {
        let (amount, kind, source) = (taken.amount, "application_fee", taken.id.as_str());
        let movement = enter(st, Entry { at_s, amount, currency, kind, source, fees: Vec::new(), available_s: at_s });
        let mut fee = model::transfer::application_fee(taken.id, at_s, amount, currency, account, charge);
        fee.set("application", application);
        fee.set("balance_transaction", movement);
        fee.set("originating_transaction", original);
        let fee = st.put(fee);
        st.emit("application_fee.created", &fee);
    });
}

/// Returns the amount of a fee that is refunded with a part of its payment, in minor units: the part's share, or all of the rest with the
/// last part.
pub fn share(fee: &Object, part: i64, whole: i64, is_rest: bool) -> i64 {
    let left = fee.int("amount") - fee.int("amount_refunded");
    match money::divide_half_away(i128::from(fee.int("amount")) * i128::from(part), i128::from(whole)) {
        Some(share) if !is_rest => share.min(left),
        _ => left,
    }
}

/// Takes an amount of a fee from the platform's balance, stores its refund and emits `application_fee.refunded`. The
/// caller credits the connected account; see [`give_back`].
pub fn refund(st: &mut State, fee: &str, amount: i64, metadata: Value) -> Object {
    st.acting_for("", |st| {
        let (id, at_s) = (st.new_id("fr"), st.clock_s());
        let of = st.copy(fee);
        let (kind, currency) = ("application_fee_refund", of.text("currency"));
        let movement = enter(
            st,
            Entry { at_s, amount: -amount, currency, kind, source: &id, fees: Vec::new(), available_s: at_s },
        );
        let refund = model::transfer::fee_refund(id, at_s, &of, amount, &movement, metadata);
        let refund = st.put(refund);
        let shown = refund.value();
        st.change_and_emit(fee, "application_fee.refunded", |f| {
            let total = f.int("amount_refunded") + amount;
            f.set("amount_refunded", total);
            f.set("refunded", total == f.int("amount"));
            let mut all = f.list_at("refunds").to_vec();
            all.insert(0, shown);
            f.set_at("refunds.data", all);
        });
        Object::clone(&refund)
    })
}

/// Credits the connected account with an amount of a refunded fee, in a separate transaction.
pub fn give_back(st: &mut State, fee: &Object, amount: i64, source: &str) {
    let (account, at_s) = (fee.text("account"), st.clock_s());
    if st.connected_account(account).is_none() {
        return;
    }
    let (kind, currency) = ("application_fee_refund", fee.text("currency"));
    st.acting_for(account, |st| {
        enter(st, Entry { at_s, amount, currency, kind, source, fees: Vec::new(), available_s: at_s })
    });
}

/// Refunds an amount of a fee on request; `None` refunds the rest.
///
/// # Errors
/// The fee is unknown or already refunded, or the amount exceeds the rest.
pub fn refund_at_request(st: &mut State, id: &str, amount: Option<i64>, metadata: Value) -> Result<Object, ApiError> {
    let fee = st.load("application_fee", id, "id")?;
    let left = fee.int("amount") - fee.int("amount_refunded");
    if left == 0 {
        let message = format!("Application fee {id} has already been refunded.");
        return Err(ApiError::coded("charge_already_refunded", message));
    }
    let amount = amount.unwrap_or(left);
    if amount > left {
        let shown = |amount: i64| money::display(amount, fee.text("currency"));
        let message =
            format!("Refund amount ({}) is greater than unrefunded amount on fee ({})", shown(amount), shown(left));
        return Err(ApiError::invalid(message).about("amount"));
    }
    let made = refund(st, id, amount, metadata);
    give_back(st, &fee, amount, made.id());
    Ok(made)
}
