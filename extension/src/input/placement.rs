//! Whose event is it, and which rows is it about: worked out from the envelope and the object, judging neither.
//!
//! The host looks the keys up; what metadata says counts only where no key does.

use super::mentions::Mentions;
use crate::model::gather::gather;
use crate::model::json::Object;
use crate::model::keys::ClaimKey;
use extension_contract::*;
use serde_json::Value;

/// The account that metadata names.
pub(crate) fn named_account(user: Option<&str>, organization: Option<&str>) -> Option<Account> {
    match (organization, user) {
        (Some(id), _) if !id.is_empty() => Some(Account::Organization(id.to_owned())),
        (_, Some(id)) if !id.is_empty() => Some(Account::User(id.to_owned())),
        _ => None,
    }
}

/// Metadata that names an account, as [`named_account`] reads it; nothing names the platform.
pub(crate) fn metadata_naming(account: &Account) -> Option<Object> {
    let (key, id) = match account {
        Account::Platform => return None,
        Account::User(id) => ("user_id", id),
        Account::Organization(id) => ("organization_id", id),
    };
    Some(gather([(key.to_owned(), Value::from(id.as_str()))]))
}

/// How to place what is told of a connected account: by that account's own claim, whatever stands in it.
pub(crate) fn of_connected(event: &Event) -> Placement {
    let facts = event.provider.as_ref();
    let connected = facts.and_then(|facts| facts.connected_account.as_deref()).map(ClaimKey::ConnectedAccount);
    Placement { keys: connected.map(String::from).into_iter().collect(), ..Placement::known(Vec::new()) }
}

/// How to place a provider's event by what its object mentions.
pub(crate) fn of(event: &Event, mentions: &Mentions<'_>) -> Placement {
    let is_connected = event.provider.as_ref().is_some_and(|facts| facts.connected_account.is_some());
    let named = mentions.metadata.filter(|_| !is_connected);
    let account = named.and_then(|m| named_account(m.user_id.as_deref(), m.organization_id.as_deref()));
    let mark = match (mentions.metadata.is_some(), mentions.prices.is_empty()) {
        (true, _) => Mark::Ours,
        (false, false) => Mark::ByPrices,
        (false, true) => Mark::Unknown,
    };
    Placement { keys: mentions.keys(), account, mark, names: mentions.names() }
}
