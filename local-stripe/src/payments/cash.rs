//! Customers' cash balances, which are funded by bank transfers and pay for payment intents of the type `customer_balance`.

use serde_json::{Value, json};

use crate::calendar::DAY_S;
use crate::error::ApiError;
use crate::model::{self, cash};
use crate::object::Object;
use crate::params::Args;
use crate::state::{DeferredAction, State};

/// The `next_action` of a payment intent that waits for a bank transfer.
const INSTRUCTIONS: &str = "display_bank_transfer_instructions";
/// The time in days within which the customer must provide a bank account for a refund.
const REFUND_DAYS: i64 = 45;

/// Returns a customer's cash balance, which is empty if it was never funded.
///
/// # Errors
/// The customer is unknown.
pub fn load(st: &State, customer: &str, param: &str) -> Result<Object, ApiError> {
    let customer = st.load("customer", customer, param)?;
    Ok(st.seek(&cash::stored_as(customer.id())).map_or_else(|| cash::balance(&customer), |held| Object::clone(&held)))
}

/// Returns the available part of a cash balance in a currency, in minor units.
pub fn available(balance: &Object, currency: &str) -> i64 {
    balance.get("available")[currency].as_i64().unwrap_or_default()
}

/// Sets how the funds of a cash balance are reconciled: automatically, manually, or by default.
///
/// # Errors
/// The customer is unknown.
pub fn set_mode(st: &mut State, customer: &str, settings: &Args) -> Result<Object, ApiError> {
    let mut balance = load(st, customer, "id")?;
    if let Some(mode) = settings.text("reconciliation_mode") {
        balance.set("mode", if mode == "merchant_default" { Value::Null } else { json!(mode) });
        st.put(balance.clone());
    }
    Ok(balance)
}

/// Changes a cash balance by an amount in minor units, and records it.
pub fn book(st: &mut State, customer: &str, (currency, amount): (&str, i64), kind: &str, details: Value) -> Object {
    let Ok(mut balance) = load(st, customer, "customer") else { return Object::default() };
    let ending = available(&balance, currency) + amount;
    balance.set_at(&format!("available.{currency}"), ending);
    let balance = st.put(balance);
    let (id, now) = (st.new_id("ccsbtxn"), st.now(&balance));
    let made = cash::transaction(id, now, &balance, (currency, amount, ending), kind, details);
    let made = st.put(made);
    st.emit("customer_cash_balance_transaction.created", &made);
    Object::clone(&made)
}

/// Returns how bank transfers in a currency arrive.
///
/// # Errors
/// Cash balances do not support this currency.
pub fn transfer_in(currency: &str) -> Result<&'static cash::Transfer, ApiError> {
    let found = cash::TRANSFERS.iter().find(|transfer| transfer.currency == currency);
    found.ok_or_else(|| {
        let all: Vec<&str> = cash::TRANSFERS.iter().map(|transfer| transfer.currency).collect();
        ApiError::invalid(format!("Bank transfers can only be in {}.", all.join(", "))).about("currency")
    })
}

/// Whether a payment intent waits for a bank transfer.
pub fn is_waiting(intent: &Object) -> bool {
    intent.text("status") == "requires_action" && intent.text_at("next_action.type") == Some(INSTRUCTIONS)
}

/// Applies a customer's cash balance to the waiting payment intents in a currency, oldest first, and calls `paid` with the id of each
/// intent that it covers.
///
/// # Errors
/// The customer is unknown.
pub fn reconcile(
    st: &mut State,
    customer: &str,
    currency: &str,
    mut paid: impl FnMut(&mut State, &str),
) -> Result<(), ApiError> {
    let waits = |intent: &std::sync::Arc<Object>| is_waiting(intent) && intent.text("currency") == currency;
    let mut waiting: Vec<String> =
        st.newest("payment_intent", Some(customer)).filter(waits).map(|intent| intent.id().to_owned()).collect();
    waiting.reverse();
    for id in waiting {
        let held = available(&load(st, customer, "customer")?, currency);
        if held <= 0 {
            break;
        }
        let part = held.min(remaining(&*st.find(&id)?));
        if part > 0 && apply(st, &id, part) {
            paid(st, &id);
        }
    }
    Ok(())
}

/// Returns the amount that a payment intent still lacks, in minor units.
pub fn remaining(intent: &Object) -> i64 {
    intent.int("amount") - intent.as_intent().funded
}

/// Applies an amount of the customer's cash balance, in minor units, to a waiting payment intent. Returns whether the intent is now fully
/// funded.
pub fn apply(st: &mut State, id: &str, amount: i64) -> bool {
    let Ok(before) = st.find(id) else { return false };
    let (customer, currency) = (before.text("customer").to_owned(), before.text("currency").to_owned());
    let details = json!({ "payment_intent": id });
    book(st, &customer, (&currency, -amount), "applied_to_payment", details);
    let after = st.change(id, |pi| pi.as_intent_mut().funded = pi.as_intent().funded + amount);
    if remaining(&after) > 0 {
        let after = st.change(id, |pi| {
            let left = remaining(pi);
            pi.set_at(&format!("next_action.{INSTRUCTIONS}.amount_remaining"), left);
        });
        st.emit("payment_intent.partially_funded", &after);
        return false;
    }
    true
}

/// Applies the customer's cash balance to a payment intent. Returns whether it covers the amount; otherwise, the intent waits for a bank
/// transfer.
///
/// # Errors
/// The intent has no customer, no funding type, or a currency without bank transfers.
pub fn begin(st: &mut State, id: &str, method: &Object) -> Result<bool, ApiError> {
    let pi = st.find(id)?;
    let transfer = check(&pi)?;
    let (customer, currency, amount) =
        (pi.text("customer").to_owned(), pi.text("currency").to_owned(), pi.int("amount"));
    let balance = load(st, &customer, "customer")?;
    let is_automatic = cash::shown(&balance).text_at("settings.reconciliation_mode") == Some("automatic");
    if is_automatic && available(&balance, &currency) >= amount {
        let details = json!({ "payment_intent": id });
        book(st, &customer, (&currency, -amount), "applied_to_payment", details);
        st.change(id, |pi| pi.as_intent_mut().funded = amount);
        return Ok(true);
    }
    let country = pi.text_at("payment_method_options.customer_balance.bank_transfer.eu_bank_transfer.country");
    let where_to = cash::bank_transfer(transfer, &customer, country);
    let reference = st.new_characters(12).to_uppercase();
    let url = format!("{}/_sandbox/bank_transfers/{id}", st.settings.base_url);
    // If the intent is already waiting, a confirmation keeps what was paid.
    let amount = if is_waiting(&pi) { remaining(&pi) } else { amount };
    let after = st.change(id, |pi| {
        pi.set("payment_method", method.id());
        pi.set("status", "requires_action");
        pi.as_intent_mut().funded = pi.int("amount") - amount;
        let mut action = json!({ "type": INSTRUCTIONS });
        action[INSTRUCTIONS] = json!({
            "amount_remaining": amount, "currency": currency, "financial_addresses": where_to["financial_addresses"],
            "hosted_instructions_url": url, "reference": reference, "type": transfer.kind,
        });
        pi.set("next_action", action);
    });
    st.emit("payment_intent.requires_action", &after);
    if is_automatic && available(&balance, &currency) > 0 {
        reconcile(st, &customer, &currency, |st, id| st.deferred.push(DeferredAction::PaidFromCash(id.to_owned())))?;
    }
    Ok(false)
}

fn check(pi: &Object) -> Result<&'static cash::Transfer, ApiError> {
    if pi.text("customer").is_empty() {
        let message = "A PaymentIntent with the payment method type customer_balance needs a customer.";
        return Err(ApiError::invalid(message).about("customer"));
    }
    let options = |name: &str| pi.text_at(&format!("payment_method_options.customer_balance.{name}"));
    let Some(_) = options("funding_type") else {
        return Err(ApiError::missing("payment_method_options[customer_balance][funding_type]"));
    };
    let transfer = transfer_in(pi.text("currency"))?;
    match options("bank_transfer.type") {
        Some(kind) if kind == transfer.kind => Ok(transfer),
        Some(kind) => {
            let message = format!("{kind} is not possible in {}.", pi.text("currency"));
            Err(ApiError::invalid(message).about("payment_method_options[customer_balance][bank_transfer][type]"))
        }
        None => Err(ApiError::missing("payment_method_options[customer_balance][bank_transfer][type]")),
    }
}

/// Returns to the cash balance what was applied to a payment intent that was canceled.
pub fn unapply(st: &mut State, intent: &Object) {
    let funded = intent.as_intent().funded;
    if is_waiting(intent) && funded > 0 {
        let details = json!({ "payment_intent": intent.id() });
        book(st, intent.text("customer"), (intent.text("currency"), funded), "unapplied_from_payment", details);
        st.change(intent.id(), |pi| pi.as_intent_mut().funded = 0);
    }
}

/// Refunds a payment from a cash balance to that balance.
pub fn refunded(st: &mut State, charge: &Object, refund: &Object) {
    let details = json!({ "refund": refund.id() });
    let amount = (charge.text("currency"), refund.int("amount"));
    book(st, charge.text("customer"), amount, "refunded_from_payment", details);
}

/// Starts to return an amount of a cash balance to the customer's bank account, which the customer must provide first.
///
/// # Errors
/// The customer, the currency, the amount or the email address is missing, or the amount exceeds what is available.
pub fn send_back(st: &mut State, args: &Args, metadata: Value) -> Result<Value, ApiError> {
    let needed = |name: &str| args.text(name).ok_or_else(|| ApiError::missing(name));
    let (customer, currency) = (needed("customer")?, needed("currency")?);
    let amount = args.int("amount").ok_or_else(|| ApiError::missing("amount"))?;
    let balance = load(st, customer, "customer")?;
    let held = available(&balance, currency);
    if amount < 1 || amount > held {
        let message =
            format!("The amount to refund must be between 1 and {held}, the customer's cash balance in {currency}.");
        return Err(ApiError::coded("amount_too_large", message).about("amount"));
    }
    let owner = st.copy_if_any(customer);
    let email = args.text("instructions_email").or(owner.text_at("email"));
    let email = email.ok_or_else(|| ApiError::missing("instructions_email"))?.to_owned();
    let now = st.now(&balance);
    let source = Object::of(json!({ "currency": currency, "customer": customer })).on_clock_of(&owner);
    let mut refund = model::payment::refund(st.new_id("re"), now, &source, amount, args.value("reason"));
    for (member, value) in [
        ("charge", Value::Null),
        ("destination_details", json!({ "type": "customer_cash_balance", "customer_cash_balance": {} })),
        ("instructions_email", json!(email)),
        ("metadata", metadata),
        (
            "next_action",
            json!({
                "display_details": {
                    "email_sent": { "email_sent_at": now, "email_sent_to": email }, "expires_at": now + REFUND_DAYS * DAY_S,
                },
                "type": "display_details",
            }),
        ),
        ("status", json!("requires_action")),
    ] {
        refund.set(member, value);
    }
    book(st, customer, (currency, -amount), "return_initiated", Value::Null);
    let refund = st.put(refund);
    st.emit("refund.created", &refund);
    Ok(refund.value())
}

/// Returns the amount of a refund that did not reach the customer's bank account to the cash balance.
pub fn give_back(st: &mut State, refund: &Object) {
    let amount = (refund.text("currency"), refund.int("amount"));
    book(st, refund.text("customer"), amount, "return_canceled", Value::Null);
}

/// Returns the instructions for a customer's bank transfers.
///
/// # Errors
/// The customer is unknown, or the type of transfer does not match the currency.
pub fn instructions(st: &State, customer: &str, args: &Args) -> Result<Value, ApiError> {
    let customer = st.load("customer", customer, "id")?;
    let transfer = transfer_in(args.text("currency").unwrap_or_default())?;
    let given = args.map("bank_transfer");
    if given.text("type") != Some(transfer.kind) {
        let message = format!("The type of a bank transfer in {} is {}.", transfer.currency, transfer.kind);
        return Err(ApiError::invalid(message).about("bank_transfer[type]"));
    }
    let in_eu = given.map("eu_bank_transfer");
    Ok(json!({
        "object": "funding_instructions",
        "bank_transfer": cash::bank_transfer(transfer, customer.id(), in_eu.text("country")),
        "currency": transfer.currency,
        "funding_type": "bank_transfer",
        "livemode": false,
    }))
}
