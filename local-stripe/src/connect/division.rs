//! Divides the money of a payment: the transfer of a destination charge, and the platform's application fee.

use serde_json::{Map, Value, json};

use crate::connect::fee::{self, Taken};
use crate::connect::transfer::{self, Reversal, group_of};
use crate::connect::{application, check_receives};
use crate::descriptor;
use crate::error::ApiError;
use crate::model;
use crate::money;
use crate::object::Object;
use crate::params::{AMOUNT, Args, Field, ParamKind, opt, req};
use crate::payments::ledger::{self, Fee};
use crate::state::State;

/// The parameter `transfer_data`: the account that receives the money, and how much of it.
pub const TRANSFER_DATA: ParamKind = ParamKind::Map(&[opt("amount", AMOUNT), req("destination", ParamKind::Text)]);
/// The parameter `transfer_data` in an update: the destination stays the same.
pub const TRANSFER_AMOUNT: ParamKind = ParamKind::Map(&[opt("amount", AMOUNT)]);
/// The parameter `transfer_data` of a subscription.
pub const TRANSFER_PERCENT: ParamKind =
    ParamKind::Map(&[opt("amount_percent", ParamKind::Decimal), req("destination", ParamKind::Text)]);
/// The parameter `application_fee_amount`.
pub const FEE_AMOUNT: Field = opt("application_fee_amount", AMOUNT);
/// The parameter `application_fee_percent`.
pub const FEE_PERCENT: Field = opt("application_fee_percent", ParamKind::Decimal);
/// The parameter `on_behalf_of`.
pub const ON_BEHALF_OF: Field = opt("on_behalf_of", ParamKind::Text);

/// The smallest step of a percentage: Stripe accepts two decimal places.
const PERCENT_STEP: i128 = 10_000_000_000;

/// Checks and sets the members `application_fee_amount`, `on_behalf_of` and `transfer_data` of a payment intent, an invoice's settings or
/// the like. `prefix` is the parameter that contains them; `amount` is the payment's amount, if known.
///
/// # Errors
/// An account is unknown or can't receive the money, or the parameters exclude each other.
pub fn apply(st: &State, owner: &mut Object, args: &Args, prefix: &str, amount: Option<i64>) -> Result<(), ApiError> {
    let here = |name: &str| if prefix.is_empty() { name.to_owned() } else { format!("{prefix}[{name}]") };
    if args.has("on_behalf_of") {
        if let Some(account) = args.text("on_behalf_of") {
            st.load("account", account, &here("on_behalf_of"))?;
        }
        owner.set("on_behalf_of", args.value("on_behalf_of"));
    }
    if args.has("transfer_data") {
        let mut data = owner.get("transfer_data").as_object().cloned().unwrap_or_default();
        let given = args.map("transfer_data");
        if given.has("destination") {
            let id = given.text("destination").unwrap_or_default();
            check_destination(st, id, &here("transfer_data[destination]"))?;
        } else if data.is_empty() && args.given("transfer_data").is_some() {
            let message =
                "You cannot set `transfer_data[amount]`, as this payment has no `transfer_data[destination]`.";
            return Err(ApiError::invalid(message).about(&here("transfer_data[amount]")));
        }
        data.extend(given.into_members());
        owner.set("transfer_data", if data.is_empty() { Value::Null } else { Value::Object(data) });
    }
    if args.has("application_fee_amount") {
        owner.set("application_fee_amount", args.value("application_fee_amount"));
    }
    let Some(fee) = owner.int_at("application_fee_amount") else { return Ok(()) };
    check_has_payee(st, !owner.get("transfer_data").is_null())?;
    if !owner.at("transfer_data.amount").is_null() {
        let message = "You may only specify one of these parameters: application_fee_amount, transfer_data[amount].";
        return Err(ApiError::invalid(message).about(&here("application_fee_amount")));
    }
    if amount.is_some_and(|amount| fee > amount) {
        let message = "The application fee cannot be larger than the amount of the payment.";
        return Err(ApiError::coded("amount_too_large", message).about(&here("application_fee_amount")));
    }
    Ok(())
}

/// Checks that a payment may go to an account.
///
/// # Errors
/// The account is unknown, or it can't receive transfers.
pub fn check_destination(st: &State, id: &str, param: &str) -> Result<(), ApiError> {
    let account = st.load("account", id, param).map_err(|_| ApiError::no_such("destination", id, param))?;
    check_receives(&account)
}

/// Checks that there is a connected account from whose payment an application fee can be taken.
///
/// # Errors
/// The payment is the platform's own.
fn check_has_payee(st: &State, has_destination: bool) -> Result<(), ApiError> {
    if has_destination || !st.acting().is_empty() {
        return Ok(());
    }
    // The same message and code as the real Stripe.
    let message = "Can only apply an application_fee_amount when the PaymentIntent is attempting a direct payment (using an OAuth key or Stripe-Account header) or destination payment (using `transfer_data[destination]`).";
    Err(ApiError::coded("parameter_missing", message).about("transfer_data[destination]"))
}

/// Checks and sets the members `application_fee_percent`, `on_behalf_of` and `transfer_data` of a subscription.
///
/// # Errors
/// A percentage is invalid, an account is unknown or can't receive the money, or the parameters exclude each other.
pub fn apply_percent(st: &State, sub: &mut Object, args: &Args, prefix: &str) -> Result<(), ApiError> {
    let here = |name: &str| if prefix.is_empty() { name.to_owned() } else { format!("{prefix}[{name}]") };
    if args.has("on_behalf_of") {
        if let Some(account) = args.text("on_behalf_of") {
            st.load("account", account, &here("on_behalf_of"))?;
        }
        sub.set("on_behalf_of", args.value("on_behalf_of"));
    }
    if args.has("transfer_data") {
        let given = args.map("transfer_data");
        let data = match given.text("destination") {
            None => Value::Null,
            Some(id) => {
                check_destination(st, id, &here("transfer_data[destination]"))?;
                let part = percent(&given, "amount_percent", &here("transfer_data[amount_percent]"))?;
                json!({ "amount_percent": part, "destination": id })
            }
        };
        sub.set("transfer_data", data);
    }
    if args.has("application_fee_percent") {
        let part = percent(args, "application_fee_percent", &here("application_fee_percent"))?;
        sub.set("application_fee_percent", part);
    }
    if sub.get("application_fee_percent").is_null() {
        return Ok(());
    }
    check_has_payee(st, !sub.get("transfer_data").is_null())?;
    if !sub.at("transfer_data.amount_percent").is_null() {
        let message =
            "You may only specify one of these parameters: application_fee_percent, transfer_data[amount_percent].";
        return Err(ApiError::invalid(message).about(&here("application_fee_percent")));
    }
    Ok(())
}

/// Reads a percentage as a JSON number, or null.
fn percent(args: &Args, name: &str, param: &str) -> Result<Value, ApiError> {
    let Some(text) = args.text(name) else { return Ok(Value::Null) };
    match money::parse_percentage(text, PERCENT_STEP).and_then(|_| text.parse::<f64>().ok()) {
        Some(number) => Ok(json!(number)),
        None => {
            let message =
                format!("Invalid percentage: {text}. It must be between 0 and 100, with at most two decimal places.");
            Err(ApiError::invalid(message).about(param))
        }
    }
}

/// Records in a new invoice of a subscription how its payment will be divided.
pub fn inherit(invoice: &mut Object, sub: &Object) {
    invoice.set("on_behalf_of", sub.get("on_behalf_of").clone());
    invoice.as_invoice_mut().application_fee_percent = sub.get("application_fee_percent").clone();
    invoice.as_invoice_mut().transfer_data = sub.get("transfer_data").clone();
}

/// Returns the application fee of an invoice in minor units, or null. `invoice` has the members of all versions. A percentage applies to
/// the amount due: Stripe takes it "of the final invoice amount, including any bundled invoice items, discounts, or account balance
/// adjustments".
pub fn fee_of_invoice(invoice: &Object) -> Value {
    match invoice.int_at("application_fee_amount") {
        Some(amount) => json!(amount),
        None => json!(money::part_of(invoice.int("amount_due"), invoice.get("application_fee_percent"))),
    }
}

/// Returns an invoice's member `transfer_data` in the form of the versions before 2025-03-31.basil. The invoice has the members of all
/// versions.
pub fn transfer_of_invoice(invoice: &Object) -> Value {
    let data = invoice.get("transfer_data");
    let Some(destination) = data["destination"].as_str() else { return Value::Null };
    let amount = match data["amount"].as_i64() {
        Some(amount) => Some(amount),
        None => money::part_of(invoice.int("amount_due"), &data["amount_percent"]),
    };
    json!({ "amount": amount, "destination": destination })
}

/// Sets in the payment intent of an invoice how its payment is divided.
pub fn hand_on(intent: &mut Object, invoice: &Object) {
    intent.set("on_behalf_of", invoice.get("on_behalf_of").clone());
    let invoice = &Object::of(invoice.value());
    let due = invoice.int("amount_due");
    intent.set("application_fee_amount", fee_of_invoice(invoice).as_i64().map(|fee| fee.min(due)));
    if let Value::Object(mut data) = transfer_of_invoice(invoice) {
        if data.get("amount").is_some_and(Value::is_null) {
            data.remove("amount");
        }
        intent.set("transfer_data", data);
    }
}

/// Records in a charge how its intent divides the money.
pub fn note(charge: &mut Object, intent: &Object) {
    for member in ["application_fee_amount", "on_behalf_of"] {
        charge.set(member, intent.get(member).clone());
    }
    if let Some(destination) = intent.text_at("transfer_data.destination") {
        let amount = intent.at("transfer_data.amount");
        charge.set("transfer_data", json!({ "amount": amount, "destination": destination }));
    }
}

/// Returns the business name on the card statement, which is that of the account on whose behalf the intent is paid.
pub fn business_name(st: &State, intent: &Object) -> String {
    let behalf = st.connected_account(intent.text("on_behalf_of"));
    let name = behalf.and_then(|account| account.text_at("business_profile.name").map(str::to_owned));
    name.unwrap_or_else(|| st.settings.business_name.clone())
}

/// Returns the account's part of a statement descriptor: that of the account on whose behalf the intent is paid, or for which the request acts.
pub fn statement(st: &State, intent: &Object) -> String {
    let account = st.connected_account(intent.text_at("on_behalf_of").unwrap_or(st.acting()));
    let own = account.and_then(|account| account.text_at("settings.payments.statement_descriptor").map(str::to_owned));
    own.unwrap_or_else(|| descriptor::of_business(&business_name(st, intent)))
}

/// The division of a captured charge, with the ids of the objects that will be created.
#[derive(Debug, Default)]
pub struct Division {
    /// The ids of the transfer and of the payment that it creates, and the amount.
    transfer: Option<(String, String, i64)>,
    fee: Option<Taken>,
}

/// Books the money of a charge, and records in the charge how it is divided. The caller stores the charge, emits its event, and then
/// carries out the division.
pub fn receive(st: &mut State, charge: &mut Object, amount: i64) -> Division {
    let is_direct = !st.acting().is_empty();
    let transfer = charge.text_at("transfer_data.destination").map(|_| {
        // Both amounts are capped at the captured amount.
        let part = charge.int_at("transfer_data.amount").unwrap_or(amount).min(amount);
        (st.new_id("tr"), st.new_id("py"), part)
    });
    let fee_amount = charge.int("application_fee_amount").min(amount);
    let has_fee = fee_amount > 0 && (is_direct || transfer.is_some());
    let fee = has_fee.then(|| Taken { id: st.new_id("fee"), amount: fee_amount });
    if let Some((id, ..)) = &transfer {
        let group = group_of(charge);
        charge.set("transfer", id.clone());
        charge.set("transfer_group", group);
    }
    let mut detail: Option<Fee> = None;
    if let Some(fee) = &fee {
        charge.set("application_fee", fee.id.clone());
        // Only a direct charge pays the fee itself. Otherwise, the connected account's payment does.
        if is_direct {
            charge.set("application", application(&st.settings));
            detail = Some(fee::detail(st, fee.amount));
        }
    }
    let movement = ledger::book_charge(st, charge, amount, detail);
    charge.set("balance_transaction", movement);
    Division { transfer, fee }
}

impl Division {
    /// Creates the transfer and the application fee of a stored charge, and emits their events.
    pub fn carry_out(self, st: &mut State, charge: &Object) {
        let (at_s, currency) = (st.now(charge), charge.text("currency"));
        let (account, payment, original) = match &self.transfer {
            Some((id, payment, amount)) => {
                let destination = charge.text_at("transfer_data.destination").unwrap_or_default();
                let (id, payment) = (id.clone(), payment.clone());
                let mut new = model::transfer::transfer(id, at_s, *amount, currency, destination, payment.clone());
                new.set("source_transaction", charge.id());
                new.set("transfer_group", charge.get("transfer_group").clone());
                transfer::send(st, new, self.fee.as_ref());
                (destination.to_owned(), payment, json!(charge.id()))
            }
            None => (st.acting().to_owned(), charge.id().to_owned(), Value::Null),
        };
        if let Some(fee) = self.fee {
            fee::collect(st, fee, &account, (&payment, currency), at_s, original);
        }
    }
}

/// The amounts that a refund takes back in addition.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TakesBack {
    /// Whether the transfer is reversed.
    pub transfer: bool,
    /// Whether the application fee is refunded.
    pub fee: bool,
}

/// The shares of a refund in the transfer and the application fee of its charge.
#[derive(Debug, Default)]
pub struct RefundShares {
    /// The id of the reversal that will be created, and its amount in minor units.
    reversal: Option<(String, i64)>,
    fee: i64,
}

/// Computes the shares of a refund, which are proportional to its amount in minor units. All refunds of a charge together take back the
/// whole.
///
/// # Errors
/// The charge has no transfer or application fee to take back.
pub fn shares_of_refund(
    st: &mut State,
    charge: &Object,
    amount: i64,
    takes: TakesBack,
) -> Result<RefundShares, ApiError> {
    let captured = charge.int("amount_captured");
    let mut shares = RefundShares::default();
    if takes.transfer {
        let Some(id) = charge.text_at("transfer") else {
            let message = format!("The charge {} has no transfer to reverse.", charge.id());
            return Err(ApiError::invalid(message).about("reverse_transfer"));
        };
        let transfer = st.find(id)?;
        let whole = transfer.int("amount");
        let share = cumulative(whole, charge.as_charge().reversed_for, amount, captured);
        let share = share.min(whole - transfer.int("amount_reversed"));
        if share > 0 {
            shares.reversal = Some((st.new_id("trr"), share));
        }
    }
    if takes.fee {
        let Some(id) = charge.text_at("application_fee") else {
            let message = format!("The charge {} has no application fee to refund.", charge.id());
            return Err(ApiError::invalid(message).about("refund_application_fee"));
        };
        let fee = st.find_of("", id).map(|fee| Object::clone(&fee)).unwrap_or_default();
        let share = cumulative(fee.int("amount"), charge.as_charge().fee_refunded_for, amount, captured);
        shares.fee = share.min(fee.int("amount") - fee.int("amount_refunded"));
    }
    Ok(shares)
}

/// Returns the share of `whole` that belongs to one part of `of`, after the parts before it. The shares of all parts add up to `whole`.
fn cumulative(whole: i64, before: i64, part: i64, of: i64) -> i64 {
    let until =
        |end: i64| money::divide_half_away(i128::from(whole) * i128::from(end), i128::from(of)).unwrap_or_default();
    until(before + part) - until(before)
}

impl RefundShares {
    /// Returns the application fee that the refund's own transaction returns, if the charge paid the fee itself.
    pub fn own_fee(&self, st: &State, charge: &Object) -> Option<Fee> {
        (self.fee > 0 && charge.text_at("transfer").is_none()).then(|| fee::detail(st, -self.fee))
    }

    /// Records in a new refund which reversal it causes.
    pub fn note(&self, refund: &mut Object) {
        if let Some((id, _)) = &self.reversal {
            refund.set("transfer_reversal", id.clone());
        }
    }

    /// Reverses the transfer and refunds the fee of a refunded charge.
    pub fn carry_out(self, st: &mut State, charge: &Object, refund: &str, amount: i64, takes: TakesBack) {
        let is_reversed = self.reversal.is_some();
        if let Some((id, share)) = self.reversal {
            let transfer = st.copy_if_any(charge.text("transfer"));
            let (metadata, refund) = (Value::Object(Map::new()), json!(refund));
            let new = Reversal { id, amount: share, metadata, refund, fee_back: self.fee };
            transfer::take_back(st, &transfer, new);
        }
        if self.fee > 0 {
            let made = fee::refund(st, charge.text("application_fee"), self.fee, json!({}));
            if charge.text_at("transfer").is_some() && !is_reversed {
                let fee = st.copy_if_any(charge.text("application_fee"));
                fee::give_back(st, &fee, self.fee, made.id());
            }
        }
        st.change(charge.id(), |c| {
            let own = c.as_charge_mut();
            own.reversed_for += if takes.transfer { amount } else { 0 };
            own.fee_refunded_for += if takes.fee { amount } else { 0 };
        });
    }
}
