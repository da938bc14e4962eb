//! Finds the account of a paid checkout that was made elsewhere and names no account (ORC-02, ORC-03): the account that has the
//! buyer's address, or else a new one.

use super::stripe::Session;
use super::{Body, Content, Input};
use crate::catalog::price::Mode;
use crate::catalog::view::Catalog;
use crate::model::json::short_hash;
use crate::model::keys::ClaimKey;
use crate::model::reader::Reader;
use extension_contract::*;
use std::rc::Rc;

/// The kinds of events that tell of a finished checkout.
const FINISHED: [&str; 3] =
    ["checkout.session.completed", "checkout.session.async_payment_succeeded", "checkout.session.async_payment_failed"];

/// Number of hexadecimal digits in the id of a new account.
const ID_DIGITS: usize = 16;

/// Returns the account that is made for a checkout without one. Its id comes from the buyer's address, so that it does not depend on the
/// order of checkouts; without an address, from the session's id.
pub(crate) fn account_of(session: &Session<'_>) -> Account {
    let digits = session.email().map(|email| address_hash(email).chars().take(ID_DIGITS).collect());
    Account::User(format!("usr_{}", digits.unwrap_or_else(|| short_hash(&session.id))))
}

/// Adds the account to the placement of such a checkout. Ids that an account has claimed come first.
pub(crate) fn place(host: &mut dyn Imports, event: &Event, input: &mut Input<'_>) -> Fallible<()> {
    let Some((session, address)) = unplaced(host, event, input)? else { return Ok(()) };
    input.placement.keys.extend(address.map(|hash| ClaimKey::Address(&hash).into()));
    input.placement.account = Some(session);
    Ok(())
}

/// Returns the account to make and the hash of the buyer's address.
fn unplaced(host: &mut dyn Imports, event: &Event, input: &Input<'_>) -> Fallible<Option<(Account, Option<String>)>> {
    let Ok(Content::Payment(Body::Session(session))) = &input.content else { return Ok(None) };
    let is_connected = event.payment.as_ref().is_some_and(|facts| facts.connected_account.is_some());
    let is_named = input.placement.account.is_some() || input.placement.mark == Mark::Ours;
    if is_connected || is_named || !FINISHED.contains(&event.kind.as_str()) || session.mode.as_deref() == Some("setup")
    {
        return Ok(None);
    }
    let catalog = Catalog::new(Rc::new(Reader::new(host)), Mode::of(event));
    if !is_meant(&catalog, session)? {
        return Ok(None);
    }
    Ok(Some((account_of(session), session.email().map(address_hash))))
}

/// Returns whether the metadata has a key that the catalog's clause `from_checkout` uses.
fn is_meant(catalog: &Catalog<'_>, session: &Session<'_>) -> Fallible<bool> {
    let Some(metadata) = session.metadata.as_ref().filter(|metadata| !metadata.others.is_empty()) else {
        return Ok(false);
    };
    let keys = || metadata.others.iter().map(|(key, _)| key.as_ref());
    let types = catalog.types()?;
    Ok(types.iter().any(|decl| decl.from_checkout.as_ref().is_some_and(|made| made.is_meant(keys()))))
}
