//! Determines the advisory locks that a change needs. Such locks also exist for data that is not stored yet.
//!
//! Two changes that could invalidate each other share a lock: on the account, an event, a claim, or the catalog (shared
//! among changes that only read it). Decisions read without locks; the change takes the locks and checks what was read.

use host_store::{Changes, InboxChange};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// The keys of a change's locks, in order, and whether each is shared.
pub(crate) fn of(schema: &str, changes: &Changes) -> (Vec<i64>, Vec<bool>) {
    let mut locks = BTreeMap::new();
    let mut add = |kind: &str, text: &str, shared: bool| {
        let is_shared = locks.entry(key(schema, kind, text)).or_insert(true);
        *is_shared &= shared;
    };
    if let Some(scope) = &changes.scope {
        add("scope", &scope.name(), false);
        if changes.expected.catalog_revision.is_some() {
            add("scope", &scope.catalog().name(), true);
        }
    }
    match &changes.inbox {
        Some(InboxChange::New(new)) => {
            let event = &new.event;
            add("event", &format!("{}/{}/{}/{}", event.business, new.livemode, event.source, event.id), false);
        }
        Some(InboxChange::Move(change)) => add("number", &change.seq.to_string(), false),
        None => {}
    }
    changes.expected.claims.iter().for_each(|(claim, _)| add("claim", claim, true));
    changes.claims.keys().for_each(|claim| add("claim", claim, false));
    locks.into_iter().unzip()
}

/// Returns the key of the lock of a running server with a given name.
pub(crate) fn of_host(schema: &str, name: &str) -> i64 {
    key(schema, "host", name)
}

/// Returns the key of the lock that all running servers share.
pub(crate) fn of_servers(schema: &str) -> i64 {
    key(schema, "servers", "")
}

/// Returns the key of a lock. It is negative: positive keys mark the open event numbers.
fn key(schema: &str, kind: &str, text: &str) -> i64 {
    let hash = Sha256::digest(format!("{schema}/{kind}/{text}"));
    let bytes: [u8; 8] = hash[..8].try_into().unwrap_or_default();
    i64::from_be_bytes(bytes) | i64::MIN
}

/// Returns the mark of a schema's open numbers: 1 to 32 767, which are the first 16 bits of their keys.
pub(crate) fn tag(schema: &str) -> i64 {
    let hash = Sha256::digest(format!("{schema}/open numbers"));
    i64::from(u16::from_be_bytes([hash[0], hash[1]]) >> 1).max(1)
}
