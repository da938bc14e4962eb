//! The inbox in memory: events, and the queues of the unfinished events.

use crate::changes::{InboxMove, InboxProgress, NewInbox};
use crate::erase;
use crate::rows::{InboxRow, InboxState, Run, Wait};
use crate::scope::{Partition, Scope};
use extension_contract::{Account, Event, Outcome, Timestamp};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::Arc;

#[derive(Clone, Debug, Default)]
pub(super) struct Inbox {
    /// The immutable parts of the rows, in order of `seq`, which begins at 1. Only an erasure changes them.
    events: Vec<Arc<Accepted>>,
    /// The changing parts of the rows.
    progress: Vec<Arc<Progress>>,
    by_id: HashMap<Arc<Identity>, u64>,
    queues: BTreeMap<Partition, Queues>,
    waiting: HashMap<Arc<str>, BTreeSet<u64>>,
}

#[derive(Debug)]
pub(super) struct Accepted {
    event: Arc<Event>,
    partition: Partition,
    raw: Arc<Vec<u8>>,
    erased: bool,
}

/// The changing part of a row.
#[derive(Clone, Debug)]
pub(super) struct Progress {
    account: Option<Account>,
    state: InboxState,
    failures: u32,
    error: Option<String>,
    outcome: Option<Outcome>,
    waits_for: Vec<Arc<str>>,
    runs: Vec<Arc<Run>>,
}

/// Unfinished rows of a partition.
#[derive(Clone, Debug, Default)]
struct Queues {
    /// Pending rows in order of acceptance, with the time of their next attempt.
    pending: BTreeMap<u64, Timestamp>,
    pending_times: BTreeSet<(Timestamp, u64)>,
    parked: BTreeSet<(Timestamp, u64)>,
    deferred: BTreeSet<(Timestamp, u64)>,
    dead: BTreeSet<u64>,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Identity {
    partition: Partition,
    source: String,
    id: String,
}

impl Identity {
    fn of(event: &Event, livemode: bool) -> Self {
        Identity {
            partition: Partition { business: event.business.clone(), livemode },
            source: event.source.clone(),
            id: event.id.clone(),
        }
    }
}

/// Source and id of an event.
type EventName<'a> = (&'a str, &'a str);

/// State of an unfinished event, and the keys that wake it.
type Waiting<'a> = (&'a InboxState, &'a [Arc<str>]);

/// The data to undo one change.
#[derive(Debug)]
pub(super) enum InboxUndo {
    Inserted,
    Moved(u64, Arc<Progress>),
    Erased(Vec<(u64, Arc<Accepted>, Arc<Progress>)>),
}

impl Inbox {
    /// Returns the state of a row.
    pub(super) fn state(&self, seq: u64) -> Option<&InboxState> {
        self.find(seq).map(|at| &self.progress[at].state)
    }

    /// Returns true if a row has this number.
    pub(super) fn has_row(&self, seq: u64) -> bool {
        self.find(seq).is_some()
    }

    /// Returns the unfinished events in order of their ids, each with its state and the keys that it waits for.
    pub(super) fn open_events(&self) -> BTreeMap<EventName<'_>, Waiting<'_>> {
        let open = self.queues.values().flat_map(|queues| {
            let waiting = queues.parked.iter().chain(&queues.deferred).map(|(_, seq)| seq);
            queues.pending.keys().chain(waiting).chain(&queues.dead)
        });
        let entry = |seq: &u64| {
            let (event, current) = (&self.events[index(*seq)].event, &self.progress[index(*seq)]);
            ((event.source.as_str(), event.id.as_str()), (&current.state, current.waits_for.as_slice()))
        };
        open.map(entry).collect()
    }

    /// Returns true if the inbox has the event.
    pub(super) fn contains(&self, new: &NewInbox) -> bool {
        self.by_id.contains_key(&Identity::of(&new.event, new.livemode))
    }

    /// Inserts an event that the inbox does not have; returns its number.
    pub(super) fn insert(&mut self, new: &NewInbox) -> u64 {
        let NewInbox { event, livemode, raw, progress } = new;
        let identity = Identity::of(event, *livemode);
        let seq = self.events.len() as u64 + 1;
        let partition = identity.partition.clone();
        self.events.push(Arc::new(Accepted { event: event.clone(), partition, raw: raw.clone(), erased: false }));
        self.progress.push(Arc::new(next_progress(progress, event.account.as_ref(), &[])));
        self.by_id.insert(Arc::new(identity), seq);
        self.add_to_indexes(seq);
        seq
    }

    /// Updates an existing row; returns the data to undo the change.
    pub(super) fn change(&mut self, change: &InboxMove) -> InboxUndo {
        let old = &self.progress[index(change.seq)];
        let new = Arc::new(next_progress(&change.progress, old.account.as_ref(), &old.runs));
        InboxUndo::Moved(change.seq, self.replace(change.seq, new))
    }

    pub(super) fn undo(&mut self, undo: InboxUndo) {
        match undo {
            InboxUndo::Inserted => {
                self.remove_from_indexes(self.events.len() as u64);
                self.progress.pop();
                if let Some(row) = self.events.pop() {
                    self.by_id.remove(&Identity::of(&row.event, row.partition.livemode));
                }
            }
            InboxUndo::Moved(seq, old) => drop(self.replace(seq, old)),
            InboxUndo::Erased(rows) => {
                for (seq, accepted, current) in rows {
                    (self.events[index(seq)], self.progress[index(seq)]) = (accepted, current);
                }
            }
        }
    }

    /// Erases the done and dead events of an account. No index contains the erased data. Scans all rows, since erasures
    /// are rare.
    pub(super) fn erase(&mut self, scope: &Scope) -> InboxUndo {
        let partition = scope.partition();
        let mut before = Vec::new();
        for (at, (accepted, current)) in self.events.iter_mut().zip(&mut self.progress).enumerate() {
            let is_of_account = current.account.as_ref() == Some(&scope.account) && accepted.partition == partition;
            let has_ended = matches!(current.state, InboxState::Done | InboxState::Dead);
            if !is_of_account || !has_ended || accepted.erased {
                continue;
            }
            before.push((at as u64 + 1, accepted.clone(), current.clone()));
            let mut event = accepted.event.clone();
            erase::payload(&mut Arc::make_mut(&mut event).payload);
            *accepted = Arc::new(Accepted { event, partition: partition.clone(), raw: Arc::default(), erased: true });
            let current = Arc::make_mut(current);
            erase::error(&mut current.error);
            erase::outcome(&mut current.outcome);
            current.runs.iter_mut().for_each(|run| erase::run(Arc::make_mut(run)));
        }
        InboxUndo::Erased(before)
    }

    pub(super) fn row(&self, seq: u64) -> Option<InboxRow> {
        let at = self.find(seq)?;
        let (accepted, current) = (&self.events[at], &self.progress[at]);
        Some(InboxRow {
            seq,
            event: Event { account: current.account.clone(), ..(*accepted.event).clone() },
            livemode: accepted.partition.livemode,
            raw: (*accepted.raw).clone(),
            state: current.state.clone(),
            failures: current.failures,
            error: current.error.clone(),
            outcome: current.outcome.clone(),
            provenance: current.runs.last().and_then(|run| run.provenance.clone()),
            erased: accepted.erased,
        })
    }

    pub(super) fn event(&self, partition: &Partition, source: &str, id: &str) -> Option<InboxRow> {
        let identity = Identity { partition: partition.clone(), source: source.to_owned(), id: id.to_owned() };
        self.row(*self.by_id.get(&identity)?)
    }

    pub(super) fn runs(&self, seq: u64) -> Vec<Run> {
        let Some(at) = self.find(seq) else { return Vec::new() };
        self.progress[at].runs.iter().map(|run| (**run).clone()).collect()
    }

    pub(super) fn after(&self, partition: Option<&Partition>, after: u64, limit: usize) -> Vec<InboxRow> {
        let from = after.saturating_add(1);
        let of_partition = |seq: &u64| partition.is_none_or(|wanted| self.events[index(*seq)].partition == *wanted);
        let seqs = (from..=self.events.len() as u64).filter(of_partition);
        seqs.take(limit).filter_map(|seq| self.row(seq)).collect()
    }

    /// Returns the rows of an account after the number `after`.
    pub(super) fn of_account_after(&self, scope: &Scope, after: u64, limit: usize) -> Vec<InboxRow> {
        let rows = self.after(Some(&scope.partition()), after, usize::MAX).into_iter();
        rows.filter(|row| row.event.account.as_ref() == Some(&scope.account)).take(limit).collect()
    }

    /// Returns the rows of a source after the number `after`.
    pub(super) fn of_source_after(&self, source: &str, after: u64, limit: usize) -> Vec<InboxRow> {
        let from = after.saturating_add(1);
        let seqs = (from..=self.events.len() as u64).filter(|seq| self.events[index(*seq)].event.source == source);
        seqs.take(limit).filter_map(|seq| self.row(seq)).collect()
    }

    /// Returns the number of the newest row; 0 without rows.
    pub(super) fn newest(&self) -> u64 {
        self.events.len() as u64
    }

    pub(super) fn due(&self, partition: &Partition, now: Timestamp, limit: usize) -> Vec<u64> {
        let Some(queues) = self.queues.get(partition) else { return Vec::new() };
        let mut due: Vec<u64> = up_to_now(&queues.pending_times, now).take(limit.saturating_add(1)).collect();
        if due.len() > limit {
            // More rows than the limit: returns the first rows in order of acceptance.
            due = queues.pending.iter().filter(|(_, at)| **at <= now).take(limit).map(|(seq, _)| *seq).collect();
        }
        due.sort_unstable();
        due
    }

    pub(super) fn next_due(&self, partition: &Partition, now: Timestamp) -> Option<Timestamp> {
        let times = &self.queues.get(partition)?.pending_times;
        times.range((Bound::Excluded((now, u64::MAX)), Bound::Unbounded)).next().map(|(at, _)| *at)
    }

    pub(super) fn woken_by(&self, keys: &[String]) -> Vec<u64> {
        let waiting = keys.iter().filter_map(|key| self.waiting.get(key.as_str()));
        let woken: BTreeSet<u64> = waiting.flatten().copied().collect();
        woken.into_iter().collect()
    }

    pub(super) fn waiting_before(
        &self,
        partition: &Partition,
        wait: Wait,
        before: Timestamp,
        limit: usize,
    ) -> Vec<u64> {
        let Some(queues) = self.queues.get(partition) else { return Vec::new() };
        let waiting = match wait {
            Wait::Parked => &queues.parked,
            Wait::Deferred => &queues.deferred,
        };
        waiting.range(..(before, 0)).take(limit).map(|(_, seq)| *seq).collect()
    }

    pub(super) fn parked_count(&self, partition: &Partition) -> u64 {
        self.queues.get(partition).map_or(0, |queues| queues.parked.len() as u64)
    }

    pub(super) fn dead(&self, partition: &Partition, after: u64, limit: usize) -> Vec<InboxRow> {
        let Some(queues) = self.queues.get(partition) else { return Vec::new() };
        let dead = queues.dead.range((Bound::Excluded(after), Bound::Unbounded));
        dead.take(limit).filter_map(|seq| self.row(*seq)).collect()
    }

    pub(super) fn failed(&self, partition: &Partition, after: u64, limit: usize) -> Vec<InboxRow> {
        let Some(queues) = self.queues.get(partition) else { return Vec::new() };
        let range = (Bound::Excluded(after), Bound::Unbounded);
        let pending = queues.pending.range(range).map(|(seq, _)| *seq).take(limit);
        let dead = queues.dead.range(range).copied().take(limit);
        let failed: BTreeSet<u64> = pending.chain(dead).collect();
        failed.into_iter().take(limit).filter_map(|seq| self.row(seq)).collect()
    }

    fn find(&self, seq: u64) -> Option<usize> {
        let at = usize::try_from(seq).ok()?.checked_sub(1)?;
        (at < self.events.len()).then_some(at)
    }

    /// Replaces the changing part of a row; returns the old part.
    fn replace(&mut self, seq: u64, new: Arc<Progress>) -> Arc<Progress> {
        self.remove_from_indexes(seq);
        let old = std::mem::replace(&mut self.progress[index(seq)], new);
        self.add_to_indexes(seq);
        old
    }

    /// Removes a row from every index.
    fn remove_from_indexes(&mut self, seq: u64) {
        let current = &self.progress[index(seq)];
        if let Some(queues) = self.queues.get_mut(&self.events[index(seq)].partition) {
            match current.state {
                InboxState::Pending { not_before, .. } => {
                    queues.pending.remove(&seq);
                    queues.pending_times.remove(&(not_before, seq));
                }
                InboxState::Parked { since } => drop(queues.parked.remove(&(since, seq))),
                InboxState::Deferred { since } => drop(queues.deferred.remove(&(since, seq))),
                InboxState::Dead => drop(queues.dead.remove(&seq)),
                InboxState::Done => {}
            }
        }
        for key in &current.waits_for {
            if let Some(seqs) = self.waiting.get_mut(key) {
                seqs.remove(&seq);
                if seqs.is_empty() {
                    self.waiting.remove(key);
                }
            }
        }
    }

    /// Adds a row to the indexes of its state.
    fn add_to_indexes(&mut self, seq: u64) {
        let current = &self.progress[index(seq)];
        if current.state == InboxState::Done {
            return;
        }
        let partition = &self.events[index(seq)].partition;
        let queues = match self.queues.get_mut(partition) {
            Some(queues) => queues,
            None => self.queues.entry(partition.clone()).or_default(),
        };
        match current.state {
            InboxState::Pending { not_before, .. } => {
                queues.pending.insert(seq, not_before);
                queues.pending_times.insert((not_before, seq));
            }
            InboxState::Parked { since } => drop(queues.parked.insert((since, seq))),
            InboxState::Deferred { since } => drop(queues.deferred.insert((since, seq))),
            InboxState::Dead => drop(queues.dead.insert(seq)),
            InboxState::Done => {}
        }
        for key in &current.waits_for {
            self.waiting.entry(key.clone()).or_default().insert(seq);
        }
    }
}

/// Returns the changing part of a row after `progress`: adds its run to the earlier runs, and keeps `account` if the
/// progress has no account.
fn next_progress(progress: &InboxProgress, account: Option<&Account>, runs: &[Arc<Run>]) -> Progress {
    let InboxProgress { account: placed, state, failures, error, outcome, waits_for, run } = progress;
    Progress {
        account: placed.as_ref().or(account).cloned(),
        state: state.clone(),
        failures: *failures,
        error: error.clone(),
        outcome: outcome.clone(),
        waits_for: if state.is_waiting() {
            waits_for.iter().map(|key| key.as_str().into()).collect()
        } else {
            Vec::new()
        },
        runs: runs.iter().cloned().chain(run.clone().map(Arc::new)).collect(),
    }
}

fn up_to_now(times: &BTreeSet<(Timestamp, u64)>, now: Timestamp) -> impl Iterator<Item = u64> {
    times.range(..=(now, u64::MAX)).map(|(_, seq)| *seq)
}

fn index(seq: u64) -> usize {
    seq as usize - 1
}
