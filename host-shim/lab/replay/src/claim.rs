//! Claims that another host holds, as specified by a scenario.

use extension_contract::{Account, Timestamp};
use host_scenario::model::Holding;
use host_store::{Changes, ClaimRow, Partition};

/// The prefix of connected accounts' ids.
const CONNECTED: &str = "acct_";

/// Returns the changes that set the state of a claim. `key` is the short key of the claim. A claim of a connected account
/// has a prefix: `acct_1/stripe-customer:cus_1`.
pub fn held_claim(partition: &Partition, key: &str, holding: &Holding) -> Changes {
    let row = match holding {
        Holding::By(account) => Some(ClaimRow { holder: Some(account.clone()), until: None, blocked_until: None }),
        Holding::Blocked => Some(ClaimRow { holder: None, until: None, blocked_until: Some(Timestamp::MAX) }),
        Holding::Free => None,
    };
    let account = match holding {
        Holding::By(account) => account.clone(),
        Holding::Blocked | Holding::Free => Account::Platform,
    };
    let scope = partition.scope(account);
    let of_connected = key.starts_with(CONNECTED) && key.find('/') < key.find(':');
    let full_key = match of_connected && key.contains('/') {
        true => format!("{}/{key}", scope.claim_space()),
        false => format!("{}//{key}", scope.claim_space()),
    };
    let mut changes = Changes { scope: Some(scope), event_id: "given".to_owned(), ..Changes::default() };
    changes.claims.insert(full_key, row);
    changes
}
