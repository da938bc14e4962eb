//! Reads the recording of some accounts from a store: their events with every run, and their effects.

use crate::record::error::ExportError;
use extension_contract::{Account, EffectReport, FACT_SOURCE, Payload, Timestamp};
use host_store::{EffectRow, EffectState, InboxRow, PAYMENT_EVENT, Partition, Read, Run, Scope, Stored};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Number of rows of one query.
const PAGE: usize = 500;
/// Sources of external events: through an intake, the API, or a business's own webhook.
const OUTSIDE: [&str; 4] = ["stripe", "api", "products", FACT_SOURCE];
/// Source of messages between accounts.
const MESSAGE_SOURCE: &str = "message";
/// Members of an event that a host created from an effect `payment.event`.
const PUT_TOGETHER: [&str; 8] = ["account", "api_version", "created", "data", "id", "livemode", "object", "type"];

/// An event with its runs.
#[derive(Clone, Debug)]
pub(crate) struct RecordedEvent {
    /// The row.
    pub row: InboxRow,
    /// Its runs, in order.
    pub runs: Vec<Run>,
    /// True if the event must be a step of the scenario, because no other event of the accounts causes it.
    pub is_step: bool,
}

/// The recording of some accounts.
#[derive(Clone, Debug)]
pub(crate) struct Recording {
    /// Business and mode.
    pub partition: Partition,
    /// The accounts, starting with the exported one.
    pub accounts: Vec<Account>,
    /// Events of the accounts, in order of acceptance, without erased events.
    pub events: Vec<RecordedEvent>,
    /// Effects of the accounts, for each account in order of the requests.
    pub effects: Vec<EffectRow>,
    /// Time of the first catalog load, if there was one.
    pub began: Option<Timestamp>,
    /// Number of erased events.
    pub erased: usize,
}

impl Recording {
    /// Reads the recording of these accounts.
    pub fn read(store: &dyn Read, partition: &Partition, accounts: Vec<Account>) -> Stored<Recording> {
        let mut effects = Vec::new();
        for account in &accounts {
            effects.extend(effects_of(store, &partition.scope(account.clone()))?);
        }
        let provided = provided(&effects);
        let mut recording =
            Recording { partition: partition.clone(), accounts, events: Vec::new(), effects, began: None, erased: 0 };
        each_row(store, partition, &mut |row| {
            if host_engine::catalog::is_load_at_start(&row.event) {
                recording.began.get_or_insert(row.event.received_at);
                return Ok(());
            }
            let is_of_these = row.event.account.as_ref().is_some_and(|of| recording.accounts.contains(of));
            if is_of_these && row.erased {
                recording.erased += 1;
            } else if is_of_these {
                let runs = store.runs(row.seq)?;
                let is_step = recording.is_step(&row, &provided);
                recording.events.push(RecordedEvent { row, runs, is_step });
            }
            Ok(())
        })?;
        Ok(recording)
    }

    fn is_step(&self, row: &InboxRow, provided: &BTreeMap<String, Timestamp>) -> bool {
        match &row.event.payload {
            // The host itself creates results and timers.
            Payload::EffectResult(_) | Payload::Timer(_) => false,
            Payload::Message(delivery) => {
                row.event.source == MESSAGE_SOURCE && !self.accounts.contains(&delivery.sender)
            }
            Payload::Payment(body) => {
                let asked = provided.get(&row.event.id).is_some_and(|asked| *asked <= row.event.received_at);
                !(asked && is_put_together(body))
            }
            Payload::Product(_) | Payload::Command(_) | Payload::Usage(_) => {
                OUTSIDE.contains(&row.event.source.as_str())
            }
        }
    }

    /// Returns the time of the last event or run.
    pub fn ended(&self) -> Option<Timestamp> {
        let ran = self.events.iter().flat_map(|recorded| &recorded.runs).map(|run| run.at);
        ran.chain(self.events.iter().map(|recorded| recorded.row.event.received_at)).max()
    }

    /// Returns the results of effects by account, key, generation and whether they arrived after the effect's end.
    pub fn results(&self) -> BTreeMap<(Account, String, u32, bool), (&RecordedEvent, &EffectReport)> {
        let result = |recorded: &'_ RecordedEvent| match (&recorded.row.event.payload, &recorded.row.event.account) {
            (Payload::EffectResult(report), Some(account)) => {
                let is_late = recorded.row.event.id.ends_with("/late");
                Some((account.clone(), report.key.clone(), report.generation, is_late))
            }
            _ => None,
        };
        let reports = self.events.iter().filter_map(|recorded| match &recorded.row.event.payload {
            Payload::EffectResult(report) => Some((result(recorded)?, (recorded, report))),
            _ => None,
        });
        reports.collect()
    }

    /// Returns the hashes of the catalogs and configurations under which the events were decided, in order of first
    /// use.
    pub fn catalogs(&self) -> Vec<String> {
        let mut found: Vec<String> = Vec::new();
        for provenance in
            self.events.iter().flat_map(|recorded| &recorded.runs).filter_map(|run| run.provenance.as_ref())
        {
            if !provenance.catalog_hash.is_empty() && !found.contains(&provenance.catalog_hash) {
                found.push(provenance.catalog_hash.clone());
            }
        }
        found
    }
}

/// Returns the events that effects `payment.event` created, by id, with the time of the request.
fn provided(effects: &[EffectRow]) -> BTreeMap<String, Timestamp> {
    let of = |row: &EffectRow| {
        let payload: Value = serde_json::from_str(&row.effect.payload).ok()?;
        Some((payload["id"].as_str()?.to_owned(), row.created_at))
    };
    let carried_out = |row: &&EffectRow| row.effect.kind == PAYMENT_EVENT && row.state == EffectState::Finished;
    effects.iter().filter(carried_out).filter_map(of).collect()
}

fn is_put_together(body: &[u8]) -> bool {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let Some(members) = body.as_object() else { return false };
    members.keys().map(String::as_str).collect::<BTreeSet<_>>() == BTreeSet::from(PUT_TOGETHER)
}

fn effects_of(store: &dyn Read, scope: &Scope) -> Stored<Vec<EffectRow>> {
    let mut found: Vec<EffectRow> = Vec::new();
    loop {
        let page = store.effects_of(scope, found.last().map_or(0, |row| row.seq), PAGE)?;
        let full = page.len() == PAGE;
        found.extend(page);
        if !full {
            return Ok(found);
        }
    }
}

fn each_row(store: &dyn Read, partition: &Partition, visit: &mut dyn FnMut(InboxRow) -> Stored<()>) -> Stored<()> {
    let mut after = 0;
    loop {
        let page = store.inbox_after(Some(partition), after, PAGE)?;
        let Some(last) = page.last() else { return Ok(()) };
        after = last.seq;
        page.into_iter().try_for_each(&mut *visit)?;
    }
}

/// Returns the scopes of an account in a store: one for each business and mode.
///
/// # Errors
///
/// Fails with [`ExportError::Nothing`] if the store does not contain the account; the error lists existing accounts.
/// Also fails if the store fails.
pub fn scopes_of(store: &dyn Read, account: &Account) -> Result<Vec<Scope>, ExportError> {
    let all = store.scopes(None)?;
    let found: Vec<Scope> = all.iter().filter(|scope| scope.account == *account).cloned().collect();
    if found.is_empty() {
        const LISTED_MAX: usize = 5;
        let mut names: Vec<String> = all.iter().map(|scope| scope.account.to_string()).collect();
        names.dedup();
        let more = if names.len() > LISTED_MAX { ", …" } else { "" };
        names.truncate(LISTED_MAX);
        let expected = if names.is_empty() { "a store with accounts".to_owned() } else { names.join(", ") };
        return Err(ExportError::Nothing {
            what: format!("account `{account}`"),
            expected: format!("{expected}{more}"),
        });
    }
    Ok(found)
}

/// Returns the scope of the account of an event.
///
/// # Errors
///
/// Fails with [`ExportError::Nothing`] if the store does not contain the event, or the event has no account. Also fails
/// if the store fails.
pub fn account_of_event(store: &dyn Read, id: &str) -> Result<Scope, ExportError> {
    let nothing =
        |expected: &str| ExportError::Nothing { what: format!("event `{id}`"), expected: expected.to_owned() };
    let mut after = 0;
    loop {
        let page = store.inbox_after(None, after, PAGE)?;
        let Some(last) = page.last() else { return Err(nothing("the id of an event in it")) };
        after = last.seq;
        if let Some(row) = page.into_iter().find(|row| row.event.id == id) {
            let partition = Partition { business: row.event.business, livemode: row.livemode };
            let account = row.event.account.ok_or_else(|| nothing("an event that belongs to an account"))?;
            return Ok(partition.scope(account));
        }
    }
}
