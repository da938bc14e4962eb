//! Events that came in, and which of them may be tried.

use crate::changes::InboxChange;
use crate::rows::{InboxRow, InboxState, NewInboxRow, Provenance};
use crate::store::Inserted;
use products_contract::{Account, Outcome, StoreError, Stored, Timestamp};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;

#[derive(Debug, Default)]
pub(super) struct Inbox {
    /// In order of `seq`, which begins at 1.
    rows: Vec<InboxRow>,
    by_id: HashMap<Identity, u64>,
    /// Pending rows, in order of acceptance, and when they may be tried.
    pending: BTreeMap<u64, Timestamp>,
    pending_times: BTreeSet<(Timestamp, u64)>,
    parked: BTreeSet<u64>,
    waits: HashMap<u64, Vec<String>>,
    waiting: HashMap<String, BTreeSet<u64>>,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Identity {
    business: String,
    livemode: bool,
    source: String,
    id: String,
}

impl Identity {
    fn of(row: &NewInboxRow) -> Self {
        Identity {
            business: row.event.business.clone(),
            livemode: row.livemode,
            source: row.event.source.clone(),
            id: row.event.id.clone(),
        }
    }
}

/// How to undo one change.
#[derive(Debug)]
pub(super) enum InboxUndo {
    Inserted,
    Changed(Box<Standing>),
}

/// The part of a row that changes.
#[derive(Debug)]
pub(super) struct Standing {
    seq: u64,
    account: Option<Account>,
    state: InboxState,
    failures: u32,
    error: Option<String>,
    outcome: Option<Outcome>,
    provenance: Option<Provenance>,
    waits_for: Vec<String>,
}

impl Inbox {
    pub(super) fn check(&self, seq: u64) -> Stored<()> {
        match self.row(seq) {
            Some(_) => Ok(()),
            None => Err(StoreError::Unavailable(format!("no inbox row {seq}"))),
        }
    }

    pub(super) fn insert(&mut self, new: &NewInboxRow) -> Inserted {
        let identity = Identity::of(new);
        if let Some(seq) = self.by_id.get(&identity) {
            return Inserted::Known(Box::new(self.rows[*seq as usize - 1].clone()));
        }
        let seq = self.rows.len() as u64 + 1;
        self.rows.push(InboxRow {
            seq,
            event: new.event.clone(),
            livemode: new.livemode,
            raw: new.raw.clone(),
            state: InboxState::Pending { not_before: new.event.received_at },
            failures: 0,
            error: None,
            outcome: None,
            provenance: None,
        });
        self.by_id.insert(identity, seq);
        self.enter(seq, Vec::new());
        Inserted::New(seq)
    }

    /// Make a change that [`Inbox::check`] let pass.
    pub(super) fn change(&mut self, change: &InboxChange) -> InboxUndo {
        let account = change.account.clone().or_else(|| self.rows[change.seq as usize - 1].event.account.clone());
        let waits = matches!(change.state, InboxState::Parked | InboxState::Deferred);
        let old = self.stand(Standing {
            seq: change.seq,
            account,
            state: change.state.clone(),
            failures: change.failures,
            error: change.error.clone(),
            outcome: change.outcome.clone(),
            provenance: change.provenance.clone(),
            waits_for: if waits { change.waits_for.clone() } else { Vec::new() },
        });
        InboxUndo::Changed(Box::new(old))
    }

    pub(super) fn undo(&mut self, undo: InboxUndo) {
        match undo {
            InboxUndo::Inserted => {
                self.leave(self.rows.len() as u64);
                if let Some(row) = self.rows.pop() {
                    let InboxRow { event, livemode, raw, .. } = row;
                    self.by_id.remove(&Identity::of(&NewInboxRow { event, livemode, raw }));
                }
            }
            InboxUndo::Changed(old) => drop(self.stand(*old)),
        }
    }

    pub(super) fn row(&self, seq: u64) -> Option<&InboxRow> {
        self.rows.get(usize::try_from(seq).ok()?.checked_sub(1)?)
    }

    pub(super) fn after(&self, after: u64, limit: usize) -> Vec<InboxRow> {
        let from = usize::try_from(after).unwrap_or(usize::MAX).min(self.rows.len());
        self.rows[from..].iter().take(limit).cloned().collect()
    }

    pub(super) fn due(&self, now: Timestamp, limit: usize) -> Vec<u64> {
        self.pending.iter().filter(|(_, at)| **at <= now).take(limit).map(|(seq, _)| *seq).collect()
    }

    pub(super) fn next_due(&self, now: Timestamp) -> Option<Timestamp> {
        self.pending_times.range((Bound::Excluded((now, u64::MAX)), Bound::Unbounded)).next().map(|(at, _)| *at)
    }

    pub(super) fn woken_by(&self, keys: &[String]) -> Vec<u64> {
        let woken: BTreeSet<u64> = keys.iter().filter_map(|key| self.waiting.get(key)).flatten().copied().collect();
        woken.into_iter().collect()
    }

    pub(super) fn parked_before(&self, before: Timestamp, limit: usize) -> Vec<u64> {
        let old = |seq: &&u64| self.rows[**seq as usize - 1].event.received_at < before;
        self.parked.iter().filter(old).take(limit).copied().collect()
    }

    pub(super) fn parked_count(&self) -> u64 {
        self.parked.len() as u64
    }

    /// Replace what changes of a row; returns what was there.
    fn stand(&mut self, new: Standing) -> Standing {
        let waits_for = self.leave(new.seq);
        let row = &mut self.rows[new.seq as usize - 1];
        let old = Standing {
            seq: new.seq,
            account: std::mem::replace(&mut row.event.account, new.account),
            state: std::mem::replace(&mut row.state, new.state),
            failures: std::mem::replace(&mut row.failures, new.failures),
            error: std::mem::replace(&mut row.error, new.error),
            outcome: std::mem::replace(&mut row.outcome, new.outcome),
            provenance: std::mem::replace(&mut row.provenance, new.provenance),
            waits_for,
        };
        self.enter(new.seq, new.waits_for);
        old
    }

    /// Take a row out of every index; returns what it waited for.
    fn leave(&mut self, seq: u64) -> Vec<String> {
        if let Some(at) = self.pending.remove(&seq) {
            self.pending_times.remove(&(at, seq));
        }
        self.parked.remove(&seq);
        let keys = self.waits.remove(&seq).unwrap_or_default();
        for key in &keys {
            if let Some(seqs) = self.waiting.get_mut(key) {
                seqs.remove(&seq);
                if seqs.is_empty() {
                    self.waiting.remove(key);
                }
            }
        }
        keys
    }

    /// Put a row into the indexes that its state asks for.
    fn enter(&mut self, seq: u64, waits_for: Vec<String>) {
        match self.rows[seq as usize - 1].state {
            InboxState::Pending { not_before } => {
                self.pending.insert(seq, not_before);
                self.pending_times.insert((not_before, seq));
            }
            InboxState::Parked => {
                self.parked.insert(seq);
            }
            InboxState::Deferred | InboxState::Done | InboxState::Dead => {}
        }
        if waits_for.is_empty() {
            return;
        }
        for key in &waits_for {
            self.waiting.entry(key.clone()).or_default().insert(seq);
        }
        self.waits.insert(seq, waits_for);
    }
}
