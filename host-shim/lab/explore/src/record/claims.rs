//! Reconstructs other accounts' claims from the answers that the runs of an account's events received.

use crate::record::recording::{RecordedEvent, Recording};
use extension_contract::{Account, Timestamp};
use host_scenario::model::Holding;
use host_store::{ClaimRow, Read, Stored};
use std::collections::{BTreeMap, BTreeSet};

/// Id of the user that represents an unknown other account.
const OTHER_USER: &str = "somebody-else";

/// A change of another account's claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ClaimChange {
    /// Time of the run that shows the change.
    pub at: Timestamp,
    /// Inbox number of the event that shows the change.
    pub seq: u64,
    /// True if that event is a step; then the change happened before this step. Otherwise the change happened after the
    /// last step before the event.
    pub is_step: bool,
    /// Short key of the claim.
    pub key: String,
    /// New state of the claim.
    pub holding: Holding,
}

/// Returns the changes of others' claims, in order. Claims that the account never requested do not matter.
pub(crate) fn changes(recording: &Recording, store: &dyn Read) -> Stored<Vec<ClaimChange>> {
    let mut seen: BTreeMap<String, bool> = BTreeMap::new();
    let mut changes = Vec::new();
    for (at, recorded, key, answer) in answers(recording) {
        let is_blocking = matches!(answer.as_str(), "taken" | "blocked");
        if seen.insert(key.clone(), is_blocking).unwrap_or(false) == is_blocking {
            continue;
        }
        let holding = match answer.as_str() {
            "taken" => match holder(recording, store, &key)? {
                Some(holder) => Holding::By(holder),
                None => continue,
            },
            "blocked" => Holding::Blocked,
            // The account itself holds the claim.
            "mine" => continue,
            _ => Holding::Free,
        };
        changes.push(ClaimChange { at, seq: recorded.row.seq, is_step: recorded.is_step, key, holding });
    }
    Ok(changes)
}

/// Returns the keys that the account did not hold when it first requested them.
pub(crate) fn asked_for(recording: &Recording) -> BTreeSet<String> {
    let mut first: BTreeMap<String, String> = BTreeMap::new();
    for (_, _, key, answer) in answers(recording) {
        first.entry(key).or_insert(answer);
    }
    first.into_iter().filter(|(_, answer)| answer != "mine").map(|(key, _)| key).collect()
}

/// Returns the claim answers of all runs, in order of time.
fn answers(recording: &Recording) -> Vec<(Timestamp, &RecordedEvent, String, String)> {
    let mut found = Vec::new();
    for recorded in &recording.events {
        let connected = recorded.row.event.payment.as_ref().and_then(|facts| facts.connected_account.as_deref());
        for run in &recorded.runs {
            let lines = run.provenance.iter().flat_map(|provenance| provenance.claim_answers.lines());
            for (key, answer) in lines.filter_map(|line| line.rsplit_once('=')) {
                let is_own = key.starts_with(extension_contract::CONNECTED_ACCOUNT_CLAIMS);
                let key = match connected.filter(|_| !is_own) {
                    Some(connected) => format!("{connected}/{key}"),
                    None => key.to_owned(),
                };
                found.push((run.at, recorded, key, answer.to_owned()));
            }
        }
    }
    found.sort_by_key(|(at, recorded, ..)| (*at, recorded.row.seq));
    found
}

/// Returns the current holder of a claim; the holder at the time of the recorded run is not known. Returns none if the
/// holder is also exported, because its own steps take the claim. Returns a made-up user if the claim is now held by
/// nobody or by the account itself.
fn holder(recording: &Recording, store: &dyn Read, key: &str) -> Stored<Option<Account>> {
    let space = recording.partition.name();
    let full = if key.starts_with("acct_") { format!("{space}/{key}") } else { format!("{space}//{key}") };
    let row: Option<ClaimRow> = store.claims(&[full])?.into_iter().next().flatten();
    let holder = row.and_then(|row| row.holder);
    let (own, others) = recording.accounts.split_at(1);
    Ok(match holder {
        Some(holder) if others.contains(&holder) => None,
        Some(holder) if !own.contains(&holder) => Some(holder),
        _ => Some(Account::User(OTHER_USER.to_owned())),
    })
}
