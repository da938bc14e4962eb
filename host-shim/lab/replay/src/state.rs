//! Returns the state as snapshot JSON, and the hash of several states.

use extension_contract::Account;
use host_engine::processor::Processor;
use host_scenario::error::ReplayError;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

pub use host_engine::view::{Rows, account_rows, parsed};

/// Returns the hash of several streams: SHA-256, in hex, of the RFC 8785 form of the list of their hashes, in order.
pub fn hash_of_streams(states: &[String]) -> String {
    // The JSON of a list of hex texts is canonical.
    hex::encode(Sha256::digest(Value::from(states).to_string()))
}

/// Returns the rows of the accounts, for a snapshot: `{account: {section: {id: row}}}`. Omits the account `platform`,
/// whose rows come from the catalog.
///
/// # Errors
///
/// Fails if the store can't be read.
pub fn snapshot(processor: &Processor) -> Result<Value, ReplayError> {
    let mut accounts = Map::new();
    for scope in processor.store().scopes(None)? {
        if scope.account == Account::Platform || scope.partition() != *processor.partition() {
            continue;
        }
        let mut of_account = Map::new();
        for (section, rows) in account_rows(processor, &scope.account)?.sections {
            if !rows.is_empty() {
                of_account.insert(section, Value::Object(rows.into_iter().collect()));
            }
        }
        if !of_account.is_empty() {
            accounts.insert(scope.account.to_string(), Value::Object(of_account));
        }
    }
    Ok(Value::Object(accounts))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_of_streams_depends_on_their_states_and_order() {
        let (a, b) = ("aa".to_owned(), "bb".to_owned());
        let both = hash_of_streams(&[a.clone(), b.clone()]);
        assert_eq!(both, hex::encode(Sha256::digest(br#"["aa","bb"]"#)));
        assert_ne!(both, hash_of_streams(&[b, a]));
    }
}
