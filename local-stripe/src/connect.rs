//! Connected accounts for marketplaces: their onboarding, and the money that they receive from payments and transfers.

use serde_json::{Value, json};

use crate::connect::external::Place;
use crate::error::ApiError;
use crate::ids;
use crate::model;
use crate::model::account::{own, own_id};
use crate::object::Object;
use crate::params::{Args, merge_metadata};
use crate::settings::Settings;
use crate::state::State;

pub mod capability;
pub mod details;
pub mod division;
pub mod external;
pub mod fee;
pub mod person;
pub mod transfer;

/// The lifetime of an account link in seconds; Stripe says "a few minutes".
const LINK_S: i64 = 300;
/// The requirements of a new account in the sandbox.
const REQUIRED: [&str; 3] = ["business_profile.url", "external_account", "tos_acceptance.date"];

/// Creates a connected account that has not completed onboarding.
///
/// # Errors
/// A parameter is invalid.
pub fn create(st: &mut State, args: &Args) -> Result<Object, ApiError> {
    let id = st.new_id("acct");
    let mut account = model::account::connected(id, st.clock_s(), &st.settings);
    account.set_at("requirements.currently_due", REQUIRED.to_vec());
    account.set_at("requirements.eventually_due", REQUIRED.to_vec());
    account.set_at("requirements.disabled_reason", "requirements.past_due");
    for member in ["country", "default_currency"] {
        if let Some(given) = args.given(member) {
            account.set(member, given.clone());
        }
    }
    let (kind, controller) = details::controlled(args)?;
    account.set("type", kind);
    account.set("controller", controller);
    apply(st, &mut account, args)?;
    st.put(account.clone());
    details::set_individual(st, &mut account, args)?;
    let account = st.put(account);
    if args.given("external_account").is_some() {
        external::add(st, account.id(), args, Place::Replaces)?;
    }
    // Accepting the terms through the API completes the onboarding.
    if args.has("tos_acceptance") { onboard(st, account.id()) } else { Ok(st.copy(account.id())) }
}

/// Applies an update request.
///
/// # Errors
/// The account is unknown, or a parameter is invalid.
pub fn update(st: &mut State, id: &str, args: &Args) -> Result<Object, ApiError> {
    let before = Object::clone(&*st.load("account", id, "id")?);
    let mut next = before.clone();
    apply(st, &mut next, args)?;
    details::set_individual(st, &mut next, args)?;
    st.put(next);
    st.emit_since(id, "account.updated", &before);
    if args.given("external_account").is_some() {
        external::add(st, id, args, Place::Replaces)?;
    }
    if args.has("tos_acceptance") { onboard(st, id) } else { Ok(st.copy(id)) }
}

/// Removes a requirement that has been met.
fn fulfil(account: &mut Object, requirement: &str) {
    for member in ["currently_due", "eventually_due"] {
        let path = format!("requirements.{member}");
        let left: Vec<Value> = account.list_at(&path).iter().filter(|one| *one != requirement).cloned().collect();
        account.set_at(&path, left);
    }
}

fn apply(st: &State, account: &mut Object, args: &Args) -> Result<(), ApiError> {
    for member in ["business_type", "email"] {
        if args.has(member) {
            account.set(member, args.value(member));
        }
    }
    for (name, value) in args.map("business_profile").into_members() {
        account.set_at(&format!("business_profile.{name}"), value);
    }
    for (name, value) in args.map("tos_acceptance").into_members() {
        account.set_at(&format!("tos_acceptance.{name}"), value);
    }
    if args.map("business_profile").given("url").is_some() {
        fulfil(account, "business_profile.url");
    }
    for (name, asked) in args.map("capabilities").into_members() {
        capability::request(account, &name, asked["requested"] == true, st.clock_s());
    }
    details::apply(st, account, args)?;
    account.set("metadata", merge_metadata(account.get("metadata"), args)?);
    Ok(())
}

/// Completes the onboarding: the requested capabilities become active.
///
/// # Errors
/// The account is unknown or rejected.
pub fn onboard(st: &mut State, id: &str) -> Result<Object, ApiError> {
    let account = st.load("account", id, "id")?;
    if is_rejected(&account) {
        return Err(ApiError::invalid("This account was rejected, so it can't be onboarded."));
    }
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

/// The members that a rejection changes.
const REJECTED: [&str; 4] = ["capabilities", "charges_enabled", "payouts_enabled", "requirements.disabled_reason"];

fn is_rejected(account: &Object) -> bool {
    account.text_at("requirements.disabled_reason").is_some_and(|disabled| disabled.starts_with("rejected."))
}

/// Rejects an account: it can no longer charge or be paid out, and its capabilities become inactive.
///
/// # Errors
/// The account is unknown or rejected.
pub fn reject(st: &mut State, id: &str, reason: &str) -> Result<Object, ApiError> {
    let account = st.load("account", id, "id").map_err(|_| no_access(id))?;
    if is_rejected(&account) {
        return Err(ApiError::invalid("This account has already been rejected."));
    }
    let reason = match reason {
        "terms_of_service" => "rejected.terms_of_service",
        fraud if fraud.starts_with("fraud") => "rejected.fraud",
        _ => "rejected.other",
    };
    let rejected = st.change_and_emit(id, "account.updated", |account| {
        let before = REJECTED.iter().map(|path| account.at(path).clone()).collect();
        account.as_account_mut().before_rejection = before;
        for member in ["charges_enabled", "payouts_enabled"] {
            account.set(member, false);
        }
        account.set_at("requirements.disabled_reason", reason);
        let capabilities = account.get("capabilities").as_object().cloned().unwrap_or_default();
        for (name, _) in capabilities.into_iter().filter(|(_, status)| status == "active") {
            account.set_at(&format!("capabilities.{name}"), "inactive");
        }
    });
    Ok(Object::clone(&rejected))
}

/// Reverses the rejection of an account.
///
/// # Errors
/// The account is unknown or not rejected.
pub fn unreject(st: &mut State, id: &str) -> Result<Object, ApiError> {
    let account = st.load("account", id, "id").map_err(|_| no_access(id))?;
    if !is_rejected(&account) {
        return Err(ApiError::invalid("This account is not rejected."));
    }
    let accepted = st.change_and_emit(id, "account.updated", |account| {
        for (path, value) in REJECTED.iter().zip(std::mem::take(&mut account.as_account_mut().before_rejection)) {
            account.set_at(path, value);
        }
    });
    Ok(Object::clone(&accepted))
}

/// Returns the error for an unknown connected account. As at Stripe, it does not reveal whether other accounts exist.
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

/// Deletes a connected account and all its objects.
pub fn delete(st: &mut State, id: &str) {
    st.remove_all_of(id);
    st.remove(id);
}

/// Creates a link to the page that replaces the Express dashboard.
///
/// # Errors
/// The account is unknown, has another dashboard, or has not completed the onboarding.
pub fn login_link(st: &State, id: &str) -> Result<Value, ApiError> {
    let account = st.load("account", id, "id").map_err(|_| no_access(id))?;
    if account.at("controller.stripe_dashboard.type") != "express" {
        let message = "Login links can only be created for accounts with access to the Express Dashboard.";
        return Err(ApiError::invalid(message));
    }
    if !account.is("details_submitted") {
        let message = "Cannot create a login link for an account that has not completed onboarding.";
        return Err(ApiError::invalid(message));
    }
    let url = format!("{}/_sandbox/express/{id}", st.settings.base_url);
    Ok(json!({ "object": "login_link", "created": st.clock_s(), "url": url }))
}

/// Creates a link to the onboarding page.
///
/// # Errors
/// The account is unknown, or the request specifies twice what the link collects.
pub fn link(st: &mut State, args: &Args) -> Result<Value, ApiError> {
    let account = st.load("account", args.text("account").unwrap_or_default(), "account")?;
    let token = st.new_characters(24);
    let now = st.clock_s();
    st.put(Object::of(json!({
        "id": format!("sandbox.link_{token}"),
        "object": "sandbox.account_link",
        "account": account.id(),
        "return_url": args.value("return_url"),
        "refresh_url": args.value("refresh_url"),
        "collects": details::collected(args)?,
        "expires_at": now + LINK_S,
    })));
    Ok(json!({
        "object": "account_link",
        "created": now,
        "expires_at": now + LINK_S,
        "url": format!("{}/_sandbox/onboarding/{token}", st.settings.base_url),
    }))
}

/// Checks that an account can receive transfers.
///
/// # Errors
/// The account's capability `transfers` is not active.
pub fn check_receives(account: &Object) -> Result<(), ApiError> {
    if account.at("capabilities.transfers") == "active" {
        return Ok(());
    }
    let message = "Your destination account needs to have at least one of the following capabilities enabled: transfers, crypto_transfers, legacy_payments";
    Err(ApiError::coded("insufficient_capabilities_for_transfer", message))
}

/// Returns the id of the platform's application, which, like the platform's own id, depends only on the seed.
pub fn application(settings: &Settings) -> String {
    let seed = own_id(settings).bytes().fold(0, |sum, byte| ids::mix(sum ^ u64::from(byte)));
    format!("ca_{}", ids::characters(seed, 0, 32))
}
