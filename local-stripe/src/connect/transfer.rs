//! Transfers to connected accounts and their reversals. A transfer arrives as a payment (`py_…`) of the connected
//! account, and a reversal as a refund (`pyr_…`) of that payment.

use serde_json::{Value, json};

use crate::connect::fee::{self, Taken};
use crate::connect::{application, check_receives};
use crate::error::ApiError;
use crate::model;
use crate::model::account::own_id;
use crate::money;
use crate::object::Object;
use crate::params::{Args, merge_metadata};
use crate::payments::balance;
use crate::payments::ledger::{Entry, book, enter, enter_on};
use crate::state::State;

/// Transfers money from the balance to a connected account.
///
/// # Errors
/// The account is unknown or can't receive transfers, the charge is unsuitable, or the balance is too low.
pub fn create(st: &mut State, args: &Args) -> Result<Object, ApiError> {
    let destination = st.load("account", args.text("destination").unwrap_or_default(), "destination")?;
    check_receives(&destination)?;
    let (amount, currency) = (args.int("amount").unwrap_or_default(), args.text("currency").unwrap_or_default());
    let source = args.text("source_transaction").map(|id| st.load("charge", id, "source_transaction")).transpose()?;
    let (left, of) = match &source {
        Some(charge) if charge.text("currency") != currency => {
            let message = format!("The source transaction is in {}, not in {currency}.", charge.text("currency"));
            return Err(ApiError::invalid(message).about("currency"));
        }
        Some(charge) => (left_of(st, charge), format!("the source transaction {}", charge.id())),
        None => (balance::available(st, currency), "your Stripe balance".to_owned()),
    };
    if amount > left {
        let message =
            format!("You have insufficient available funds: {} is left of {of}.", money::display(left, currency));
        return Err(ApiError::coded("balance_insufficient", message));
    }
    let group = match &source {
        Some(charge) if args.given("transfer_group").is_none() => {
            let group = group_of(charge);
            // Stripe also sets the group in the charge and in its intent.
            for id in [charge.id(), charge.text("payment_intent")] {
                if st.seek(id).is_some() {
                    st.change(id, |owner| owner.set("transfer_group", group.clone()));
                }
            }
            json!(group)
        }
        _ => args.value("transfer_group"),
    };
    let metadata = merge_metadata(&json!({}), args)?;
    let (id, payment, at_s) = (st.new_id("tr"), st.new_id("py"), st.clock_s());
    let mut transfer = model::transfer::transfer(id, at_s, amount, currency, destination.id(), payment);
    transfer.set("description", args.value("description"));
    transfer.set("metadata", metadata);
    transfer.set("transfer_group", group);
    if let Some(charge) = source {
        transfer.set("source_transaction", charge.id());
    }
    Ok(send(st, transfer, None))
}

/// Returns the group of a charge's transfers: its own, or one named after its payment intent.
pub fn group_of(charge: &Object) -> String {
    let intent = charge.text_at("payment_intent").unwrap_or(charge.id());
    charge.text_at("transfer_group").map_or_else(|| format!("group_{intent}"), str::to_owned)
}

/// Books a transfer, stores it, emits its event, and creates the payment of the connected account. `taken` is the application fee that the
/// platform takes from this payment.
pub fn send(st: &mut State, mut transfer: Object, taken: Option<&Taken>) -> Object {
    let (at_s, amount, currency) = (transfer.int("created"), transfer.int("amount"), transfer.text("currency"));
    let (kind, source) = ("transfer", transfer.id());
    let (clock, available_s) = available_with(st, &transfer);
    let entry = Entry { at_s, amount: -amount, currency, kind, source, fees: Vec::new(), available_s };
    let movement = enter_on(st, &clock, entry);
    transfer.set("balance_transaction", movement);
    let transfer = st.put(transfer);
    st.emit("transfer.created", &transfer);
    arrive(st, &transfer, taken);
    Object::clone(&transfer)
}

/// Returns when the money of a transfer becomes available: together with that of its source charge, or immediately. The time is in Unix
/// seconds of the test clock with this id; an empty id is the sandbox's own clock.
fn available_with(st: &State, transfer: &Object) -> (String, i64) {
    let charge = st.copy_if_any(transfer.text("source_transaction"));
    let movement = st.copy_if_any(charge.text("balance_transaction"));
    (movement.clock().to_owned(), movement.int("available_on").max(transfer.int("created")))
}

/// Creates the payment by which a transfer arrives at the connected account.
fn arrive(st: &mut State, transfer: &Object, taken: Option<&Taken>) {
    let mut payment = model::transfer::payment(transfer, &own_id(&st.settings));
    let fee = taken.map(|taken| {
        payment.set("application", application(&st.settings));
        payment.set("application_fee", taken.id.clone());
        payment.set("application_fee_amount", taken.amount);
        fee::detail(st, taken.amount)
    });
    let (at_s, amount, currency) = (transfer.int("created"), transfer.int("amount"), transfer.text("currency"));
    let source = transfer.text("destination_payment");
    let (clock, available_s) = available_with(st, transfer);
    st.acting_for(transfer.text("destination"), |st| {
        let fees = fee.into_iter().collect();
        let movement =
            enter_on(st, &clock, Entry { at_s, amount, currency, kind: "payment", source, fees, available_s });
        payment.set("balance_transaction", movement);
        st.put(payment);
    });
}

/// Returns how much of a charge can still be transferred, in minor units.
fn left_of(st: &State, charge: &Object) -> i64 {
    if charge.text("status") != "succeeded" || !charge.is("captured") {
        return 0;
    }
    let of_charge = st.newest("transfer", None).filter(|t| t.text("source_transaction") == charge.id());
    let transferred: i64 = of_charge.map(|t| t.int("amount") - t.int("amount_reversed")).sum();
    // An uncaptured amount counts as refunded.
    charge.int("amount") - charge.int("amount_refunded") - transferred
}

/// Reverses a transfer on request: an amount in minor units, or the rest.
///
/// # Errors
/// The transfer is unknown, the amount exceeds its rest or the connected account's balance, or there is no application
/// fee to refund.
pub fn reverse(st: &mut State, id: &str, args: &Args) -> Result<Object, ApiError> {
    let transfer = st.load("transfer", id, "id")?;
    let metadata = merge_metadata(&json!({}), args)?;
    let left = transfer.int("amount") - transfer.int("amount_reversed");
    let amount = args.int("amount").unwrap_or(left);
    let shown = |amount: i64| money::display(amount, transfer.text("currency"));
    if left == 0 || amount > left {
        let message = format!(
            "Transfer reversal amount ({}) is greater than the unreversed amount of the transfer ({})",
            shown(amount),
            shown(left)
        );
        return Err(ApiError::invalid(message).about("amount"));
    }
    let payment = payment_of(st, &transfer);
    let fee_id = payment.as_ref().map(|payment| payment.text("application_fee").to_owned()).unwrap_or_default();
    let mut fee_back = 0;
    if args.flag("refund_application_fee") == Some(true) {
        if fee_id.is_empty() {
            let message = format!("The transfer {id} has no application fee to refund.");
            return Err(ApiError::invalid(message).about("refund_application_fee"));
        }
        fee_back = fee::share(&*st.find(&fee_id)?, amount, transfer.int("amount"), amount == left);
    }
    // Only a refund may make the balance of the connected account negative.
    let held = st.acting_for(transfer.text("destination"), |st| balance::available(st, transfer.text("currency")));
    if payment.is_some() && amount > held + fee_back {
        let message = format!(
            "Transfers can only be reversed up to the available balance of the destination account, which is {}.",
            shown(held)
        );
        return Err(ApiError::coded("balance_insufficient", message));
    }
    let reversal = st.new_id("trr");
    let made = take_back(st, &transfer, Reversal { id: reversal, amount, metadata, refund: Value::Null, fee_back });
    if fee_back > 0 {
        fee::refund(st, &fee_id, fee_back, json!({}));
    }
    Ok(made)
}

/// A reversal to be created for a transfer.
#[derive(Debug)]
pub struct Reversal {
    /// Its id (`trr_…`).
    pub id: String,
    /// The amount in minor units.
    pub amount: i64,
    /// The metadata.
    pub metadata: Value,
    /// The id of the refund that causes it, or null.
    pub refund: Value,
    /// The amount of the application fee that is refunded with it.
    pub fee_back: i64,
}

/// Takes back an amount of a transfer: books it, stores the reversal and its refund at the connected account, and emits the event.
pub fn take_back(st: &mut State, transfer: &Object, new: Reversal) -> Object {
    let at_s = st.clock_s();
    let payment = payment_of(st, transfer);
    let movement = book(st, transfer, new.amount, "transfer_refund", &new.id);
    let mut reversal =
        model::transfer::reversal(new.id.clone(), at_s, transfer, new.amount, &movement, new.metadata.clone());
    reversal.set("source_refund", new.refund.clone());
    if let Some(payment) = payment {
        reversal.set("destination_payment_refund", leave(st, transfer, &payment, &new));
    }
    let reversal = st.put(reversal);
    let before = st.copy(transfer.id());
    let shown = reversal.value();
    st.change(transfer.id(), |t| {
        let total = t.int("amount_reversed") + new.amount;
        t.set("amount_reversed", total);
        t.set("reversed", total == t.int("amount"));
        let mut all = t.list_at("reversals").to_vec();
        all.insert(0, shown);
        t.set_at("reversals.data", all);
    });
    st.emit_since(transfer.id(), "transfer.reversed", &before);
    Object::clone(&reversal)
}

/// Returns the payment by which a transfer arrived; `None` if the connected account was deleted.
fn payment_of(st: &mut State, transfer: &Object) -> Option<Object> {
    let (account, payment) = (transfer.text("destination"), transfer.text("destination_payment"));
    st.find_of(account, payment).map(|payment| Object::clone(&payment))
}

/// Refunds the payment of a transfer at the connected account, and returns the refund's id.
fn leave(st: &mut State, transfer: &Object, payment: &Object, new: &Reversal) -> String {
    let fees = (new.fee_back > 0).then(|| fee::detail(st, -new.fee_back)).into_iter().collect();
    let (id, at_s, currency) = (st.new_id("pyr"), st.clock_s(), transfer.text("currency"));
    let mut refund = model::payment::refund(id.clone(), at_s, payment, new.amount, Value::Null);
    st.acting_for(transfer.text("destination"), |st| {
        let entry =
            Entry { at_s, amount: -new.amount, currency, kind: "payment_refund", source: &id, fees, available_s: at_s };
        refund.set("balance_transaction", enter(st, entry));
        refund.set("source_transfer_reversal", new.id.clone());
        refund.set("destination_details", Value::Null);
        st.put(refund);
        st.change(payment.id(), |p| {
            let total = p.int("amount_refunded") + new.amount;
            p.set("amount_refunded", total);
            p.set("refunded", total == p.int("amount"));
            p.as_charge_mut().refund_ids.push(id.clone());
        });
    });
    id
}
