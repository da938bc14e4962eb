//! Finds the account to which an object of Stripe belongs.

use crate::facts::Kind;
use crate::theirs::Theirs;
use extension_contract::Account;
use host_engine::processor::Answerer;
use host_store::{EffectState, Partition, Stored};

/// The owner of an object of Stripe.
pub(crate) enum Owner {
    /// An account, which should have a record of it.
    Account(Account),
    /// An erased account, which has lost its record of a transfer.
    Erased,
    /// An account of another business or mode that uses the same Stripe account.
    Elsewhere,
    /// No account of the business.
    Nobody,
}

/// Returns the owner of an object of Stripe: the account that requested it, or the holder of the first of its claims.
pub(crate) fn owner(answerer: &mut Answerer, partition: &Partition, kind: Kind, theirs: &Theirs) -> Stored<Owner> {
    let Some(account) = account_of(answerer, partition, theirs)? else {
        return Ok(if theirs.scope.is_some() { Owner::Elsewhere } else { Owner::Nobody });
    };
    let is_erased = kind == Kind::Transfer && is_erased(answerer, partition, &account, theirs)?;
    Ok(if is_erased { Owner::Erased } else { Owner::Account(account) })
}

fn account_of(answerer: &mut Answerer, partition: &Partition, theirs: &Theirs) -> Stored<Option<Account>> {
    let space = partition.name();
    let marked = theirs.scope.as_deref().and_then(|scope| scope.strip_prefix(&space)?.strip_prefix('/'));
    if let Some(account) = marked.and_then(|name| name.parse().ok()) {
        return Ok(Some(account));
    }
    let keys: Vec<String> = theirs.keys.iter().map(|key| format!("{space}//{key}")).collect();
    let claims = answerer.read(|store| store.claims(&keys))?;
    Ok(claims.into_iter().find_map(|claim| claim?.holder))
}

/// Returns true for a transfer of an erased account: its effect is still recorded, without the id of the transfer.
fn is_erased(answerer: &mut Answerer, partition: &Partition, account: &Account, theirs: &Theirs) -> Stored<bool> {
    let Some(key) = &theirs.effect else { return Ok(false) };
    let scope = partition.scope(account.clone());
    let rows = answerer.read(|store| store.effect(&scope, key))?;
    Ok(rows.iter().any(|row| row.erased && row.state == EffectState::Finished))
}
