//! The capabilities of connected accounts.

use serde_json::{Value, json};

use crate::connect::external::account;
use crate::error::ApiError;
use crate::model;
use crate::object::Object;
use crate::state::State;

/// The supported capabilities.
pub const NAMES: &[&str] =
    &["card_payments", "legacy_payments", "sepa_debit_payments", "transfers", "us_bank_account_ach_payments"];

/// Requests or gives up a capability of an account.
pub fn request(account: &mut Object, name: &str, is_requested: bool, now_s: i64) {
    let is_ready = account.is("details_submitted");
    let status = match (is_requested, is_ready) {
        (true, true) => "active",
        (true, false) => "inactive",
        (false, _) => "unrequested",
    };
    account.set_at(&format!("capabilities.{name}"), status);
    let requested_at = &mut account.as_account_mut().requested_at;
    if is_requested {
        requested_at.entry(name.to_owned()).or_insert(now_s);
    } else {
        requested_at.remove(name);
    }
}

/// Builds the capability object of an account.
fn show(account: &Object, name: &str) -> Value {
    let status = account.text_at(&format!("capabilities.{name}")).unwrap_or("unrequested");
    let mut capability = model::account::capability(account.id(), name, status);
    capability.set("requested_at", json!(account.as_account().requested_at.get(name)));
    if status == "inactive" {
        for member in ["alternatives", "currently_due", "disabled_reason", "eventually_due"] {
            capability.set_at(&format!("requirements.{member}"), account.at(&format!("requirements.{member}")).clone());
        }
    }
    capability.value()
}

/// Returns the capabilities of an account, by name.
///
/// # Errors
/// The account is unknown.
pub fn list(st: &State, id: &str) -> Result<Vec<Object>, ApiError> {
    let account = account(st, id)?;
    let names = account.get("capabilities").as_object().cloned().unwrap_or_default();
    Ok(names.keys().map(|name| Object::of(show(&account, name))).collect())
}

/// Returns a capability of an account.
///
/// # Errors
/// The account or the capability is unknown.
pub fn load(st: &State, id: &str, name: &str) -> Result<Value, ApiError> {
    let account = account(st, id)?;
    match NAMES.contains(&name) {
        true => Ok(show(&account, name)),
        false => Err(ApiError::no_such("capability", name, "id")),
    }
}

/// Requests or gives up a capability, and emits `capability.updated` and `account.updated`.
///
/// # Errors
/// The account or the capability is unknown.
pub fn update(st: &mut State, id: &str, name: &str, is_requested: Option<bool>) -> Result<Value, ApiError> {
    let before = load(st, id, name)?;
    let Some(is_requested) = is_requested else { return Ok(before) };
    let now_s = st.clock_s();
    let was = st.acting_for("", |st| {
        let was = st.copy(id);
        st.change(id, |account| request(account, name, is_requested, now_s));
        was
    });
    let after = load(st, id, name)?;
    if after != before {
        let shown = Object::of(after.clone());
        st.acting_for(id, |st| st.emit_with("capability.updated", &shown, Some(Object::of(before))));
        st.acting_for("", |st| st.emit_since(id, "account.updated", &was));
    }
    Ok(json!(after))
}
