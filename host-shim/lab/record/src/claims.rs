//! Claims of others that stood in the way, as the runs of an account's events saw them.

use crate::recording::{Recording, Told};
use extension_contract::{Account, Stored, Timestamp};
use host_scenario::model::Holding;
use host_store::{ClaimRow, Store};
use std::collections::{BTreeMap, BTreeSet};

/// Who stands for an account of which nothing is known but that it is another one.
const SOMEBODY: &str = "somebody-else";

/// Claims that change hands elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    /// When it must have happened.
    pub at: Timestamp,
    /// The event of the inbox that saw it.
    pub seq: u64,
    /// True for an event that is told: it must have happened before. Else it happened after the event that was told last.
    pub is_told: bool,
    /// Short key.
    pub key: String,
    /// Who has it.
    pub holding: Holding,
}

/// What others had, in the order in which it was seen. Claims that nobody asked for stand in nobody's way.
pub(crate) fn changes(recording: &Recording, store: &dyn Store) -> Stored<Vec<Change>> {
    let mut seen: BTreeMap<String, bool> = BTreeMap::new();
    let mut changes = Vec::new();
    for (at, told, key, answer) in answers(recording) {
        let stands = matches!(answer.as_str(), "taken" | "blocked");
        if seen.insert(key.clone(), stands).unwrap_or(false) == stands {
            continue;
        }
        let holding = match answer.as_str() {
            "taken" => match holder(recording, store, &key)? {
                Some(holder) => Holding::By(holder),
                None => continue,
            },
            "blocked" => Holding::Blocked,
            // Who has it itself took it from nobody.
            "mine" => continue,
            _ => Holding::Free,
        };
        changes.push(Change { at, seq: told.row.seq, is_told: told.is_told, key, holding });
    }
    Ok(changes)
}

/// Keys that were nobody's or another's when the account first asked for them: it can't have had them before.
pub(crate) fn asked_for(recording: &Recording) -> BTreeSet<String> {
    let mut first: BTreeMap<String, String> = BTreeMap::new();
    for (_, _, key, answer) in answers(recording) {
        first.entry(key).or_insert(answer);
    }
    first.into_iter().filter(|(_, answer)| answer != "mine").map(|(key, _)| key).collect()
}

/// What each run was answered, in order of time.
fn answers(recording: &Recording) -> Vec<(Timestamp, &Told, String, String)> {
    let mut found = Vec::new();
    for told in &recording.events {
        let connected = told.row.event.provider.as_ref().and_then(|facts| facts.connected_account.as_deref());
        for run in &told.runs {
            let lines = run.provenance.iter().flat_map(|provenance| provenance.claim_answers.lines());
            for (key, answer) in lines.filter_map(|line| line.rsplit_once('=')) {
                let is_own = key.starts_with(extension_contract::CONNECTED_ACCOUNT_CLAIMS);
                let key = match connected.filter(|_| !is_own) {
                    Some(connected) => format!("{connected}/{key}"),
                    None => key.to_owned(),
                };
                found.push((run.at, told, key, answer.to_owned()));
            }
        }
    }
    found.sort_by_key(|(at, told, ..)| (*at, told.row.seq));
    found
}

/// Who has it now, if that is an account whose story is not told; it may have been a third one then. None if it is one whose
/// story is told beside that of the account: it takes the claim itself.
fn holder(recording: &Recording, store: &dyn Store, key: &str) -> Stored<Option<Account>> {
    let space = recording.partition.name();
    let full = if key.starts_with("acct_") { format!("{space}/{key}") } else { format!("{space}//{key}") };
    let row: Option<ClaimRow> = store.claims(&[full])?.into_iter().next().flatten();
    let holder = row.and_then(|row| row.holder);
    let (own, beside) = recording.accounts.split_at(1);
    Ok(match holder {
        Some(holder) if beside.contains(&holder) => None,
        Some(holder) if !own.contains(&holder) => Some(holder),
        _ => Some(Account::User(SOMEBODY.to_owned())),
    })
}
