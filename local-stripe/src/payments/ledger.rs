//! The transactions of an account's balance.

use serde_json::{Value, json};

use crate::calendar::DAY_S;
use crate::cards;
use crate::model;
use crate::money;
use crate::object::Object;
use crate::settings::Settlement;
use crate::state::State;

/// A fee deducted from a transaction.
#[derive(Debug, Clone, PartialEq)]
pub struct Fee {
    /// The amount in minor units; a negative amount is a refund of the fee.
    pub amount: i64,
    /// The description for the account's owner.
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
    /// The fees.
    pub fees: Vec<Fee>,
    /// The time from which the money is available, in Unix seconds.
    pub available_s: i64,
}

/// Books a transaction and returns its id.
pub fn enter(st: &mut State, entry: Entry<'_>) -> String {
    enter_on(st, "", entry)
}

/// Like [`enter`], for money that becomes available at a time of a test clock; an empty id is the sandbox's own clock.
pub fn enter_on(st: &mut State, clock: &str, entry: Entry<'_>) -> String {
    let id = st.new_id("txn");
    let Entry { at_s, amount, currency, kind, source, fees, available_s } = entry;
    let mut movement = model::payment::balance_transaction(id.clone(), at_s, amount, currency, kind, source);
    let fees: Vec<Fee> = fees.into_iter().filter(|fee| fee.amount != 0).collect();
    let sum: i64 = fees.iter().map(|fee| fee.amount).sum();
    let detail = |fee: &Fee| {
        json!({
            "amount": fee.amount, "application": fee.application, "currency": currency,
            "description": fee.description, "type": fee.kind,
        })
    };
    movement.set("fee", sum);
    movement.set("net", amount - sum);
    movement.set("fee_details", fees.iter().map(detail).collect::<Vec<_>>());
    movement.set("available_on", available_s);
    if available_s > at_s {
        movement.set("status", "pending");
        clock.clone_into(&mut movement.hidden_clock);
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
    let fees = fee.into_iter().collect();
    enter(st, Entry { at_s, amount, currency: &currency, kind, source, fees, available_s: at_s })
}

/// Stripe's fee for a card charge: the share in hundredths of a percent, and the fixed part in minor units. 2.9 % + 30, from
/// <https://stripe.com/pricing> for accounts in the United States.
const CARD_FEE: (i64, i64) = (290, 30);
/// Stripe's fee for an ACH debit: the share in hundredths of a percent, and the maximum in minor units, from
/// <https://stripe.com/pricing/local-payment-methods>.
const ACH_FEE: (i64, i64) = (80, 500);
/// How long the money of a charge is pending, from <https://docs.stripe.com/payouts#payout-speed> for the United States.
const PENDING_S: i64 = 2 * DAY_S;

/// Books the money of a charge with the application's fee, and with Stripe's fee according to the account's settlement.
pub fn book_charge(st: &mut State, charge: &Object, amount: i64, of_application: Option<Fee>) -> String {
    let (at_s, currency) = (st.now(charge), charge.text("currency").to_owned());
    let method = st.copy_if_any(charge.text("payment_method"));
    let is_standard = st.settings.settlement == Settlement::Standard;
    let taken = match method.text("type") {
        _ if !is_standard => 0,
        "us_bank_account" => part_of(amount, ACH_FEE.0).min(ACH_FEE.1),
        "sepa_debit" => 0,
        _ => (part_of(amount, CARD_FEE.0) + CARD_FEE.1).min(amount),
    };
    let of_stripe = Fee {
        amount: taken,
        description: "Stripe processing fees".to_owned(),
        application: Value::Null,
        kind: "stripe_fee",
    };
    let waits = is_standard && method.as_payment_method().number != cards::AT_ONCE;
    let fees = [Some(of_stripe), of_application].into_iter().flatten().collect();
    let available_s = if waits { at_s + PENDING_S } else { at_s };
    let clock = charge.clock().to_owned();
    let entry = Entry { at_s, amount, currency: &currency, kind: "charge", source: charge.id(), fees, available_s };
    enter_on(st, &clock, entry)
}

/// Returns a share of an amount in minor units. The share is in hundredths of a percent, and halves are rounded away from zero.
fn part_of(amount: i64, hundredths: i64) -> i64 {
    // A share of an amount is not larger than the amount, so it fits.
    money::divide_half_away(i128::from(amount) * i128::from(hundredths), 10_000).unwrap_or_default()
}
