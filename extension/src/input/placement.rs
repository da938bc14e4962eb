//! Computes the placement of an event from its envelope and object: how to find its account, and the rows it is about.
//!
//! The host looks up the claim keys. Metadata counts only if no key is claimed.

use super::mentions::Mentions;
use crate::model::keys::ClaimKey;
use extension_contract::*;

/// Returns the account that metadata names.
pub(crate) fn named_account(user: Option<&str>, organization: Option<&str>) -> Option<Account> {
    match (organization, user) {
        (Some(id), _) if !id.is_empty() => Some(Account::Organization(id.to_owned())),
        (_, Some(id)) if !id.is_empty() => Some(Account::User(id.to_owned())),
        _ => None,
    }
}

/// Returns the placement of an event about a connected account: by that account's claim, independent of the object.
pub(crate) fn of_connected(event: &Event) -> Placement {
    let facts = event.payment.as_ref();
    let connected = facts.and_then(|facts| facts.connected_account.as_deref()).map(ClaimKey::ConnectedAccount);
    Placement { keys: connected.map(String::from).into_iter().collect(), ..Placement::known(Vec::new()) }
}

/// Returns the placement of a transfer: by the claim of the connected account that it goes to.
pub(crate) fn of_destination(connected: Option<&str>) -> Placement {
    let key = connected.map(ClaimKey::ConnectedAccount).map(String::from);
    Placement { keys: key.into_iter().collect(), ..Placement::known(Vec::new()) }
}

/// Returns the placement of a Stripe event by the ids in its object.
pub(crate) fn of(event: &Event, mentions: &Mentions<'_>) -> Placement {
    let is_connected = event.payment.as_ref().is_some_and(|facts| facts.connected_account.is_some());
    let named = mentions.metadata.filter(|_| !is_connected);
    let account = named.and_then(|m| named_account(m.user_id.as_deref(), m.organization_id.as_deref()));
    let mark = match (mentions.metadata.is_some(), mentions.prices.is_empty()) {
        (true, _) => Mark::Ours,
        (false, false) => Mark::ByPrices,
        (false, true) => Mark::Unknown,
    };
    Placement { keys: mentions.keys(), account, mark, names: mentions.names() }
}
