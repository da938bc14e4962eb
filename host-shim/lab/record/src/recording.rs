//! What a store has of some accounts: their events with every run, and their effects.

use crate::error::ExportError;
use extension_contract::{Account, EffectReport, FACT_SOURCE, Payload, Stored, Timestamp};
use host_store::{EffectRow, EffectState, InboxRow, PROVIDER_EVENT, Partition, Run, Scope, Store};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Rows that one look-up brings.
const PAGE: usize = 500;
/// Sources of events that somebody outside sent: to an intake, to the API, or by a webhook of the business's own.
const OUTSIDE: [&str; 4] = ["stripe", "api", "products", FACT_SOURCE];
/// Source of messages between accounts.
const MESSAGE_SOURCE: &str = "message";
/// Members of an event that a host put together of an effect `provider.event`.
const PUT_TOGETHER: [&str; 8] = ["account", "api_version", "created", "data", "id", "livemode", "object", "type"];

/// An event with its runs.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    /// The row.
    pub row: InboxRow,
    /// Its runs, first to last.
    pub runs: Vec<Run>,
    /// True if a story must tell it: nothing in the accounts' own story brings it.
    pub is_told: bool,
}

/// What a store has of some accounts.
#[derive(Clone, Debug)]
pub(crate) struct Recording {
    /// Business and mode.
    pub partition: Partition,
    /// The accounts, the one that is exported first.
    pub accounts: Vec<Account>,
    /// Their events, in order of acceptance, without those that were erased.
    pub events: Vec<Told>,
    /// Their effects, in order of the requests of each.
    pub effects: Vec<EffectRow>,
    /// When the first catalog was brought in, if it was.
    pub began: Option<Timestamp>,
    /// Events that were erased.
    pub erased: usize,
}

impl Recording {
    /// Read what a store has of these accounts.
    pub fn read(store: &dyn Store, partition: &Partition, accounts: Vec<Account>) -> Stored<Recording> {
        let mut effects = Vec::new();
        for account in &accounts {
            effects.extend(effects_of(store, &partition.scope(account.clone()))?);
        }
        let provided = provided(&effects);
        let mut recording =
            Recording { partition: partition.clone(), accounts, events: Vec::new(), effects, began: None, erased: 0 };
        each_row(store, partition, &mut |row| {
            if host::is_load_at_start(&row.event) {
                recording.began.get_or_insert(row.event.received_at);
                return Ok(());
            }
            let is_of_these = row.event.account.as_ref().is_some_and(|of| recording.accounts.contains(of));
            if is_of_these && row.erased {
                recording.erased += 1;
            } else if is_of_these {
                let runs = store.runs(row.seq)?;
                let is_told = recording.is_told(&row, &provided);
                recording.events.push(Told { row, runs, is_told });
            }
            Ok(())
        })?;
        Ok(recording)
    }

    fn is_told(&self, row: &InboxRow, provided: &BTreeMap<String, Timestamp>) -> bool {
        match &row.event.payload {
            // A result of this source is none of an effect that the host carried out.
            Payload::EffectResult(_) | Payload::Timer(_) => false,
            Payload::Message(delivery) => {
                row.event.source == MESSAGE_SOURCE && !self.accounts.contains(&delivery.sender)
            }
            Payload::Provider(body) => {
                let asked = provided.get(&row.event.id).is_some_and(|asked| *asked <= row.event.received_at);
                !(asked && is_put_together(body))
            }
            Payload::Product(_) | Payload::Command(_) | Payload::Usage(_) => {
                OUTSIDE.contains(&row.event.source.as_str())
            }
        }
    }

    /// When the last thing happened.
    pub fn ended(&self) -> Option<Timestamp> {
        let ran = self.events.iter().flat_map(|told| &told.runs).map(|run| run.at);
        ran.chain(self.events.iter().map(|told| told.row.event.received_at)).max()
    }

    /// The results of effects by account, key and generation, those that came after the effect had ended apart.
    pub fn results(&self) -> BTreeMap<(Account, String, u32, bool), (&Told, &EffectReport)> {
        let result = |told: &'_ Told| match (&told.row.event.payload, &told.row.event.account) {
            (Payload::EffectResult(report), Some(account)) => {
                let is_late = told.row.event.id.ends_with("/late");
                Some((account.clone(), report.key.clone(), report.generation, is_late))
            }
            _ => None,
        };
        let reports = self.events.iter().filter_map(|told| match &told.row.event.payload {
            Payload::EffectResult(report) => Some((result(told)?, (told, report))),
            _ => None,
        });
        reports.collect()
    }

    /// Hashes of catalog and configuration that the events were decided by, in order of their first use.
    pub fn catalogs(&self) -> Vec<String> {
        let mut found: Vec<String> = Vec::new();
        for provenance in self.events.iter().flat_map(|told| &told.runs).filter_map(|run| run.provenance.as_ref()) {
            if !provenance.catalog_hash.is_empty() && !found.contains(&provenance.catalog_hash) {
                found.push(provenance.catalog_hash.clone());
            }
        }
        found
    }
}

/// Events that effects `provider.event` brought, by id, with when they were asked for.
fn provided(effects: &[EffectRow]) -> BTreeMap<String, Timestamp> {
    let of = |row: &EffectRow| {
        let payload: Value = serde_json::from_str(&row.effect.payload).ok()?;
        Some((payload["id"].as_str()?.to_owned(), row.created_at))
    };
    let carried_out = |row: &&EffectRow| row.effect.kind == PROVIDER_EVENT && row.state == EffectState::Finished;
    effects.iter().filter(carried_out).filter_map(of).collect()
}

fn is_put_together(body: &[u8]) -> bool {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let Some(members) = body.as_object() else { return false };
    members.keys().map(String::as_str).collect::<BTreeSet<_>>() == BTreeSet::from(PUT_TOGETHER)
}

fn effects_of(store: &dyn Store, scope: &Scope) -> Stored<Vec<EffectRow>> {
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

fn each_row(store: &dyn Store, partition: &Partition, visit: &mut dyn FnMut(InboxRow) -> Stored<()>) -> Stored<()> {
    let mut after = 0;
    loop {
        let page = store.inbox_after(after, PAGE)?;
        let Some(last) = page.last() else { return Ok(()) };
        after = last.seq;
        for row in page {
            if row.event.business == partition.business && row.livemode == partition.livemode {
                visit(row)?;
            }
        }
    }
}

/// The scopes in which a store has something of an account: one for each business and mode.
///
/// # Errors
/// [`ExportError::Nothing`] if there is none; it names accounts that there are.
pub fn scopes_of(store: &dyn Store, account: &Account) -> Result<Vec<Scope>, ExportError> {
    let all = store.scopes()?;
    let found: Vec<Scope> = all.iter().filter(|scope| scope.account == *account).cloned().collect();
    if found.is_empty() {
        const TOLD_MAX: usize = 5;
        let mut names: Vec<String> = all.iter().map(|scope| scope.account.to_string()).collect();
        names.dedup();
        let more = if names.len() > TOLD_MAX { ", …" } else { "" };
        names.truncate(TOLD_MAX);
        let expected = if names.is_empty() { "a store that a host has kept".to_owned() } else { names.join(", ") };
        return Err(ExportError::Nothing {
            what: format!("account `{account}`"),
            expected: format!("{expected}{more}"),
        });
    }
    Ok(found)
}

/// The scope of the account that an event belongs to, by the event's id.
///
/// # Errors
/// [`ExportError::Nothing`] if there is no such event, or if it belongs to no account.
pub fn account_of_event(store: &dyn Store, id: &str) -> Result<Scope, ExportError> {
    let nothing =
        |expected: &str| ExportError::Nothing { what: format!("event `{id}`"), expected: expected.to_owned() };
    let mut after = 0;
    loop {
        let page = store.inbox_after(after, PAGE)?;
        let Some(last) = page.last() else { return Err(nothing("the id of an event in it")) };
        after = last.seq;
        if let Some(row) = page.into_iter().find(|row| row.event.id == id) {
            let partition = Partition { business: row.event.business, livemode: row.livemode };
            let account = row.event.account.ok_or_else(|| nothing("an event that belongs to an account"))?;
            return Ok(partition.scope(account));
        }
    }
}
