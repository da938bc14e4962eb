//! Reads the records of one account: everything in the store that its comparison with Stripe needs.

use crate::error::VerifyError;
use crate::ours::{OurSide, Ours};
use crate::theirs::CUSTOMER;
use extension_contract::{Account, CONNECTED_ACCOUNT_CLAIMS, Timestamp};
use host_engine::processor::Answerer;
use host_store::{Partition, Read, Scope, Stored};

/// The records of an account.
#[derive(Debug)]
pub struct AccountRecords {
    pub(crate) partition: Partition,
    pub(crate) account: Account,
    pub(crate) now: Timestamp,
    /// Ids of the account's customers at Stripe.
    pub(crate) customers: Vec<String>,
    /// Ids of its connected accounts.
    pub(crate) connected: Vec<String>,
    pub(crate) ours: Vec<Ours>,
}

impl AccountRecords {
    /// Reads the records of an account; none if the store has no such account.
    ///
    /// # Errors
    /// Fails if the store or the extension does not answer.
    pub fn read(answerer: &mut Answerer, scope: &Scope, now: Timestamp) -> Result<Option<AccountRecords>, VerifyError> {
        let held = answerer.read(|store| match store.account(scope)?.revision {
            0 => Ok(None),
            _ => {
                let customers = held(store, scope, &format!("{CUSTOMER}:"))?;
                Ok(Some((customers, held(store, scope, CONNECTED_ACCOUNT_CLAIMS)?)))
            }
        })?;
        let Some((customers, connected)) = held else { return Ok(None) };
        let (partition, account, mut ours) = (scope.partition(), scope.account.clone(), Vec::new());
        OurSide { answerer, partition: &partition, now }.each(&account, &mut |one| {
            ours.push(one);
            Ok(())
        })?;
        Ok(Some(AccountRecords { partition, account, now, customers, connected, ours }))
    }
}

/// Returns the ids in the claims of an account that begin with a prefix.
fn held(store: &dyn Read, scope: &Scope, prefix: &str) -> Stored<Vec<String>> {
    let prefix = format!("{}//{prefix}", scope.claim_space());
    let held = store.claims_held(scope, &prefix)?;
    Ok(held.iter().filter_map(|key| key.strip_prefix(&prefix).map(str::to_owned)).collect())
}
