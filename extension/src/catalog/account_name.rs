//! The text form of an account in catalogs and metadata.

use super::words::ID_BYTES;
use crate::model::json::Object;
use extension_contract::Account;
use serde_json::Value;

/// Parses an account in the form `user:ID` or `organization:ID`; `None` for other texts.
pub(crate) fn account_of(text: &str) -> Option<Account> {
    let (kind, id) = text.split_once(':')?;
    if id.is_empty() || id.len() > ID_BYTES || id.chars().any(char::is_control) {
        return None;
    }
    match kind {
        "user" => Some(Account::User(id.to_owned())),
        "organization" => Some(Account::Organization(id.to_owned())),
        _ => None,
    }
}

/// Returns the text form of an account.
pub(crate) fn text_of(account: &Account) -> String {
    match account {
        Account::Platform => "platform".to_owned(),
        Account::User(id) => format!("user:{id}"),
        Account::Organization(id) => format!("organization:{id}"),
    }
}

/// Returns metadata that names an account, as events are placed by it; `None` for the platform.
pub(crate) fn metadata_naming(account: &Account) -> Option<Object> {
    let (key, id) = match account {
        Account::Platform => return None,
        Account::User(id) => ("user_id", id),
        Account::Organization(id) => ("organization_id", id),
    };
    Some([(key.to_owned(), Value::from(id.as_str()))].into_iter().collect())
}
