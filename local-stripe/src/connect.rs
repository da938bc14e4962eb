//! Connected accounts for marketplaces: onboarding, transfers and their reversals.

use serde_json::{Value, json};

use crate::error::ApiError;
use crate::model;
use crate::model::account::own;
use crate::money;
use crate::object::Object;
use crate::params::{Args, merge_metadata};
use crate::payments::attempt::book;
use crate::payments::balance;
use crate::state::State;

/// The lifetime of an account link in seconds; Stripe says "a few minutes".
const LINK_S: i64 = 300;
/// The requirements of a new account in the sandbox.
const REQUIRED: [&str; 3] = ["business_profile.url", "external_account", "tos_acceptance.date"];

/// Creates a connected account that is not onboarded.
///
/// # Errors
/// A parameter is invalid.
pub fn create(st: &mut State, args: &Args) -> Result<Object, ApiError> {
    let id = st.new_id("acct");
    let mut account = model::account::connected(id, st.clock_s(), &st.settings);
    account.set_at("requirements.currently_due", REQUIRED.to_vec());
    account.set_at("requirements.eventually_due", REQUIRED.to_vec());
    account.set_at("requirements.disabled_reason", "requirements.past_due");
    for member in ["country", "default_currency", "type"] {
        if let Some(given) = args.given(member) {
            account.set(member, given.clone());
        }
    }
    apply(&mut account, args)?;
    let account = st.put(account);
    // Accepting the terms over the API completes the onboarding.
    if args.has("tos_acceptance") { onboard(st, account.id()) } else { Ok(Object::clone(&account)) }
}

/// Applies an update request.
///
/// # Errors
/// The account is unknown, or a parameter is invalid.
pub fn update(st: &mut State, id: &str, args: &Args) -> Result<Object, ApiError> {
    let mut next = Object::clone(&*st.load("account", id, "id")?);
    apply(&mut next, args)?;
    let changed = st.change_and_emit(id, "account.updated", |account| *account = next);
    if args.has("tos_acceptance") { onboard(st, id) } else { Ok(Object::clone(&changed)) }
}

fn apply(account: &mut Object, args: &Args) -> Result<(), ApiError> {
    for member in ["business_type", "email"] {
        if args.has(member) {
            account.set(member, args.value(member));
        }
    }
    for (name, value) in args.map("business_profile").into_members() {
        account.set_at(&format!("business_profile.{name}"), value);
    }
    let is_ready = account.is("details_submitted");
    for (name, asked) in args.map("capabilities").into_members() {
        let status = match (asked["requested"] == true, is_ready) {
            (true, true) => "active",
            (true, false) => "inactive",
            (false, _) => "unrequested",
        };
        account.set_at(&format!("capabilities.{name}"), status);
    }
    account.set("metadata", merge_metadata(account.get("metadata"), args)?);
    Ok(())
}

/// Completes the onboarding: the requested capabilities become active.
///
/// # Errors
/// The account is unknown.
pub fn onboard(st: &mut State, id: &str) -> Result<Object, ApiError> {
    st.load("account", id, "id")?;
    let done = st.change_and_emit(id, "account.updated", |account| {
        for member in ["charges_enabled", "details_submitted", "payouts_enabled"] {
            account.set(member, true);
        }
        for member in ["currently_due", "eventually_due"] {
            account.set_at(&format!("requirements.{member}"), json!([]));
        }
        account.set_at("requirements.disabled_reason", Value::Null);
        let capabilities = account.get("capabilities").as_object().cloned().unwrap_or_default();
        for (name, _) in capabilities.into_iter().filter(|(_, status)| status == "inactive") {
            account.set_at(&format!("capabilities.{name}"), "active");
        }
    });
    Ok(Object::clone(&done))
}

/// Returns the error for a connected account that is unknown. It does not reveal whether other accounts exist, as at
/// Stripe.
pub fn no_access(account: &str) -> ApiError {
    let message = format!(
        "The provided key does not have access to account '{account}' (or that account does not exist). Application access may have been revoked."
    );
    ApiError { status: 403, ..ApiError::coded("account_invalid", message) }
}

/// Returns the account for which the request acts: a connected account, or the sandbox's own.
pub fn current(st: &State) -> Object {
    st.connected_account(st.acting()).map_or_else(|| own(&st.settings), |account| Object::clone(&account))
}

/// Deletes a connected account with all its objects.
pub fn delete(st: &mut State, id: &str) {
    st.remove_all_of(id);
    st.remove(id);
}

/// Creates a link to the onboarding page.
///
/// # Errors
/// The account is unknown.
pub fn link(st: &mut State, args: &Args) -> Result<Value, ApiError> {
    let account = st.load("account", args.text("account").unwrap_or_default(), "account")?;
    let token = st.new_characters(24);
    let now = st.clock_s();
    st.put(Object::of(json!({
        "id": format!("_link_{token}"),
        "object": "_account_link",
        "account": account.id(),
        "return_url": args.value("return_url"),
        "refresh_url": args.value("refresh_url"),
        "expires_at": now + LINK_S,
    })));
    Ok(json!({
        "object": "account_link",
        "created": now,
        "expires_at": now + LINK_S,
        "url": format!("{}/_sandbox/onboarding/{token}", st.settings.base_url),
    }))
}

/// Transfers money from the balance to a connected account.
///
/// # Errors
/// The account is unknown or can't receive transfers, the charge does not fit, or the balance is too low.
pub fn transfer(st: &mut State, args: &Args) -> Result<Object, ApiError> {
    let destination = st.load("account", args.text("destination").unwrap_or_default(), "destination")?;
    if destination.at("capabilities.transfers") != "active" {
        let message = "Your destination account needs to have at least one of the following capabilities enabled: transfers, crypto_transfers, legacy_payments";
        return Err(ApiError::coded("insufficient_capabilities_for_transfer", message));
    }
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
    let (id, payment) = (st.new_id("tr"), st.new_id("py"));
    let mut transfer = model::transfer::transfer(id, st.clock_s(), amount, currency, destination.id(), payment);
    for member in ["description", "transfer_group"] {
        transfer.set(member, args.value(member));
    }
    if let Some(charge) = source {
        transfer.set("source_transaction", charge.id());
        if transfer.get("transfer_group").is_null() {
            transfer.set("transfer_group", charge.get("transfer_group").clone());
        }
    }
    transfer.set("metadata", merge_metadata(&json!({}), args)?);
    let movement = book(st, &transfer, -amount, "transfer", transfer.id().to_owned());
    transfer.set("balance_transaction", movement);
    let transfer = st.put(transfer);
    st.emit("transfer.created", &transfer);
    Ok(Object::clone(&transfer))
}

/// Returns the amount of a charge that can still be transferred, in minor units.
fn left_of(st: &State, charge: &Object) -> i64 {
    if charge.text("status") != "succeeded" || !charge.is("captured") {
        return 0;
    }
    let of_charge = st.newest("transfer", None).filter(|t| t.text("source_transaction") == charge.id());
    let transferred: i64 = of_charge.map(|t| t.int("amount") - t.int("amount_reversed")).sum();
    // An uncaptured amount counts as refunded.
    charge.int("amount") - charge.int("amount_refunded") - transferred
}

/// Reverses an amount of a transfer, in minor units; `None` reverses the rest.
///
/// # Errors
/// The transfer is unknown, or the amount exceeds the rest.
pub fn reverse(st: &mut State, id: &str, amount: Option<i64>, metadata: Value) -> Result<Object, ApiError> {
    let transfer = st.load("transfer", id, "id")?;
    let left = transfer.int("amount") - transfer.int("amount_reversed");
    let amount = amount.unwrap_or(left);
    if left == 0 || amount > left {
        let shown = |amount: i64| money::display(amount, transfer.text("currency"));
        let message = format!(
            "Transfer reversal amount ({}) is greater than the unreversed amount of the transfer ({})",
            shown(amount),
            shown(left)
        );
        return Err(ApiError::invalid(message).about("amount"));
    }
    let reversal_id = st.new_id("trr");
    let movement = book(st, &transfer, amount, "transfer_refund", reversal_id.clone());
    let reversal = model::transfer::reversal(reversal_id, st.clock_s(), &transfer, amount, &movement, metadata);
    let reversal = st.put(reversal);
    let before = Object::clone(&transfer);
    let shown = reversal.value();
    st.change(id, |t| {
        let total = t.int("amount_reversed") + amount;
        t.set("amount_reversed", total);
        t.set("reversed", total == t.int("amount"));
        let mut all = t.list_at("reversals").to_vec();
        all.insert(0, shown);
        t.set_at("reversals.data", all);
    });
    st.emit_since(id, "transfer.reversed", &before);
    Ok(Object::clone(&reversal))
}
