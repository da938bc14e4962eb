//! Keeps the time up to which Stripe's events were read. These marks are in the store, so that after a restore they match the
//! restored events.
//!
//! A mark is stored as a reply of the account `platform`, under a caller name that no request uses. It is copied and restored with the
//! store, but is not part of its state.

use extension_contract::{Account, Reply};
use host_store::{Applied, Changes, Partition, Read, Store, StoreError, Stored};
use serde_json::{Value, json};

/// Prefix of the callers' names, before the id of the connected account. Names of requests contain no colon.
const CALLER: &str = "sweep:";
/// Name of the value: the time in seconds since the epoch.
const NEWEST: &str = "newest_s";

fn caller(connected: Option<&str>) -> String {
    format!("{CALLER}{}", connected.unwrap_or_default())
}

/// Returns the time up to which all events are stored, in seconds since the epoch; none before the first sweep.
pub(super) fn read(store: &dyn Read, partition: &Partition, connected: Option<&str>) -> Stored<Option<i64>> {
    let reply = store.reply(&partition.scope(Account::Platform), &caller(connected))?;
    let Some(Reply::Answer(text)) = reply else { return Ok(None) };
    let kept: Value = serde_json::from_str(&text).unwrap_or_default();
    Ok(kept[NEWEST].as_i64())
}

/// Records the time up to which all events are stored. It is durable when this returns.
pub(super) fn write(
    store: &mut dyn Store,
    partition: &Partition,
    connected: Option<&str>,
    newest_s: i64,
) -> Stored<()> {
    let reply = Reply::Answer(json!({NEWEST: newest_s}).to_string());
    let scope = Some(partition.scope(Account::Platform));
    match store.apply(&Changes { scope, reply: Some((caller(connected), reply)), ..Changes::default() })? {
        Applied::Done { .. } => Ok(()),
        Applied::Conflict(_) => Err(StoreError::Misuse("a mark of a sweep expects nothing".into())),
    }
}
