//! Events that came in, and which of them may be tried.

use crate::changes::{InboxMove, NewInbox, Standing};
use crate::erase;
use crate::rows::{InboxRow, InboxState, Run};
use crate::scope::{Partition, Scope};
use extension_contract::{Account, Event, Outcome, Timestamp};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::Arc;

#[derive(Clone, Debug, Default)]
pub(super) struct Inbox {
    /// What came in and never changes, unless it is erased, in order of `seq`, which begins at 1.
    events: Vec<Arc<Accepted>>,
    /// Where each of them stands.
    places: Vec<Arc<Place>>,
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

/// The part of a row that changes.
#[derive(Clone, Debug)]
pub(super) struct Place {
    account: Option<Account>,
    state: InboxState,
    failures: u32,
    error: Option<String>,
    outcome: Option<Outcome>,
    waits_for: Vec<Arc<str>>,
    runs: Vec<Arc<Run>>,
}

/// Rows of a partition that are not done.
#[derive(Clone, Debug, Default)]
struct Queues {
    /// Pending rows, in order of acceptance, and when they may be tried.
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

/// Where an event stands that is not done, and the keys that wake it.
type Waiting<'a> = (&'a InboxState, &'a [Arc<str>]);

/// How to undo one change.
#[derive(Debug)]
pub(super) enum InboxUndo {
    Inserted,
    Moved(u64, Arc<Place>),
    Erased(Vec<(u64, Arc<Accepted>, Arc<Place>)>),
}

impl Inbox {
    /// True if there is a row of this number.
    pub(super) fn has(&self, seq: u64) -> bool {
        self.find(seq).is_some()
    }

    /// Events that are not done, in order of their ids: where each stands and what it waits for.
    pub(super) fn open_events(&self) -> BTreeMap<EventName<'_>, Waiting<'_>> {
        let open = self.queues.values().flat_map(|queues| {
            let waiting = queues.parked.iter().chain(&queues.deferred).map(|(_, seq)| seq);
            queues.pending.keys().chain(waiting).chain(&queues.dead)
        });
        let standing = |seq: &u64| {
            let (event, place) = (&self.events[index(*seq)].event, &self.places[index(*seq)]);
            ((event.source.as_str(), event.id.as_str()), (&place.state, place.waits_for.as_slice()))
        };
        open.map(standing).collect()
    }

    /// True if the event is there.
    pub(super) fn knows(&self, new: &NewInbox) -> bool {
        self.by_id.contains_key(&Identity::of(&new.event, new.livemode))
    }

    /// Number of an event that [`Inbox::knows`] not.
    pub(super) fn insert(&mut self, new: &NewInbox) -> u64 {
        let NewInbox { event, livemode, raw, standing } = new;
        let identity = Identity::of(event, *livemode);
        let seq = self.events.len() as u64 + 1;
        let partition = identity.partition.clone();
        self.events.push(Arc::new(Accepted { event: event.clone(), partition, raw: raw.clone(), erased: false }));
        self.places.push(Arc::new(place(standing, event.account.as_ref(), &[])));
        self.by_id.insert(Arc::new(identity), seq);
        self.enter(seq);
        seq
    }

    /// Make a move of a row that is there.
    pub(super) fn change(&mut self, change: &InboxMove) -> InboxUndo {
        let old = &self.places[index(change.seq)];
        let new = Arc::new(place(&change.standing, old.account.as_ref(), &old.runs));
        InboxUndo::Moved(change.seq, self.stand(change.seq, new))
    }

    pub(super) fn undo(&mut self, undo: InboxUndo) {
        match undo {
            InboxUndo::Inserted => {
                self.leave(self.events.len() as u64);
                self.places.pop();
                if let Some(row) = self.events.pop() {
                    self.by_id.remove(&Identity::of(&row.event, row.partition.livemode));
                }
            }
            InboxUndo::Moved(seq, old) => drop(self.stand(seq, old)),
            InboxUndo::Erased(rows) => {
                for (seq, accepted, place) in rows {
                    (self.events[index(seq)], self.places[index(seq)]) = (accepted, place);
                }
            }
        }
    }

    /// Erase what the events of an account said that are done or dead. Nothing is found by that, so no index changes; all
    /// rows are looked at, which is seldom.
    pub(super) fn erase(&mut self, scope: &Scope) -> InboxUndo {
        let partition = scope.partition();
        let mut before = Vec::new();
        for (at, (accepted, place)) in self.events.iter_mut().zip(&mut self.places).enumerate() {
            let is_of_account = place.account.as_ref() == Some(&scope.account) && accepted.partition == partition;
            let is_through = matches!(place.state, InboxState::Done | InboxState::Dead);
            if !is_of_account || !is_through || accepted.erased {
                continue;
            }
            before.push((at as u64 + 1, accepted.clone(), place.clone()));
            let mut event = accepted.event.clone();
            erase::payload(&mut Arc::make_mut(&mut event).payload);
            *accepted = Arc::new(Accepted { event, partition: partition.clone(), raw: Arc::default(), erased: true });
            let place = Arc::make_mut(place);
            erase::error(&mut place.error);
            erase::outcome(&mut place.outcome);
            place.runs.iter_mut().for_each(|run| erase::run(Arc::make_mut(run)));
        }
        InboxUndo::Erased(before)
    }

    pub(super) fn row(&self, seq: u64) -> Option<InboxRow> {
        let at = self.find(seq)?;
        let (accepted, place) = (&self.events[at], &self.places[at]);
        Some(InboxRow {
            seq,
            event: Event { account: place.account.clone(), ..(*accepted.event).clone() },
            livemode: accepted.partition.livemode,
            raw: (*accepted.raw).clone(),
            state: place.state.clone(),
            failures: place.failures,
            error: place.error.clone(),
            outcome: place.outcome.clone(),
            provenance: place.runs.last().and_then(|run| run.provenance.clone()),
            erased: accepted.erased,
        })
    }

    pub(super) fn event(&self, partition: &Partition, source: &str, id: &str) -> Option<InboxRow> {
        let identity = Identity { partition: partition.clone(), source: source.to_owned(), id: id.to_owned() };
        self.row(*self.by_id.get(&identity)?)
    }

    pub(super) fn runs(&self, seq: u64) -> Vec<Run> {
        let Some(at) = self.find(seq) else { return Vec::new() };
        self.places[at].runs.iter().map(|run| (**run).clone()).collect()
    }

    pub(super) fn after(&self, after: u64, limit: usize) -> Vec<InboxRow> {
        let from = after.saturating_add(1);
        (from..=self.events.len() as u64).take(limit).filter_map(|seq| self.row(seq)).collect()
    }

    pub(super) fn due(&self, partition: &Partition, now: Timestamp, limit: usize) -> Vec<u64> {
        let Some(queues) = self.queues.get(partition) else { return Vec::new() };
        let mut due: Vec<u64> = upto(&queues.pending_times, now).take(limit.saturating_add(1)).collect();
        if due.len() > limit {
            // More than are asked for: the first of them in order of acceptance.
            due = queues.pending.iter().filter(|(_, at)| **at <= now).take(limit).map(|(seq, _)| *seq).collect();
        }
        due.sort_unstable();
        due
    }

    pub(super) fn latest(&self, partition: &Partition) -> Option<Timestamp> {
        let of_partition = self.events.iter().zip(&self.places).filter(|(event, _)| event.partition == *partition);
        let times = of_partition
            .flat_map(|(accepted, place)| place.runs.iter().map(|run| run.at).chain([accepted.event.received_at]));
        times.max()
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

    pub(super) fn parked_before(&self, partition: &Partition, before: Timestamp, limit: usize) -> Vec<u64> {
        let Some(queues) = self.queues.get(partition) else { return Vec::new() };
        queues.parked.range(..(before, 0)).take(limit).map(|(_, seq)| *seq).collect()
    }

    pub(super) fn deferred_before(&self, partition: &Partition, before: Timestamp, limit: usize) -> Vec<u64> {
        let Some(queues) = self.queues.get(partition) else { return Vec::new() };
        queues.deferred.range(..(before, 0)).take(limit).map(|(_, seq)| *seq).collect()
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
        let beyond = (Bound::Excluded(after), Bound::Unbounded);
        let pending = queues.pending.range(beyond).map(|(seq, _)| *seq).take(limit);
        let dead = queues.dead.range(beyond).copied().take(limit);
        let failed: BTreeSet<u64> = pending.chain(dead).collect();
        failed.into_iter().take(limit).filter_map(|seq| self.row(seq)).collect()
    }

    fn find(&self, seq: u64) -> Option<usize> {
        let at = usize::try_from(seq).ok()?.checked_sub(1)?;
        (at < self.events.len()).then_some(at)
    }

    /// Replace what changes of a row; returns what was there.
    fn stand(&mut self, seq: u64, new: Arc<Place>) -> Arc<Place> {
        self.leave(seq);
        let old = std::mem::replace(&mut self.places[index(seq)], new);
        self.enter(seq);
        old
    }

    /// Take a row out of every index.
    fn leave(&mut self, seq: u64) {
        let place = &self.places[index(seq)];
        if let Some(queues) = self.queues.get_mut(&self.events[index(seq)].partition) {
            match place.state {
                InboxState::Pending { not_before } => {
                    queues.pending.remove(&seq);
                    queues.pending_times.remove(&(not_before, seq));
                }
                InboxState::Parked { since } => drop(queues.parked.remove(&(since, seq))),
                InboxState::Deferred { since } => drop(queues.deferred.remove(&(since, seq))),
                InboxState::Dead => drop(queues.dead.remove(&seq)),
                InboxState::Done => {}
            }
        }
        for key in &place.waits_for {
            if let Some(seqs) = self.waiting.get_mut(key) {
                seqs.remove(&seq);
                if seqs.is_empty() {
                    self.waiting.remove(key);
                }
            }
        }
    }

    /// Put a row into the indexes that its state asks for.
    fn enter(&mut self, seq: u64) {
        let place = &self.places[index(seq)];
        if place.state == InboxState::Done {
            return;
        }
        let partition = &self.events[index(seq)].partition;
        let queues = match self.queues.get_mut(partition) {
            Some(queues) => queues,
            None => self.queues.entry(partition.clone()).or_default(),
        };
        match place.state {
            InboxState::Pending { not_before } => {
                queues.pending.insert(seq, not_before);
                queues.pending_times.insert((not_before, seq));
            }
            InboxState::Parked { since } => drop(queues.parked.insert((since, seq))),
            InboxState::Deferred { since } => drop(queues.deferred.insert((since, seq))),
            InboxState::Dead => drop(queues.dead.insert(seq)),
            InboxState::Done => {}
        }
        for key in &place.waits_for {
            self.waiting.entry(key.clone()).or_default().insert(seq);
        }
    }
}

/// A standing after earlier runs; an account that is not told stays.
fn place(standing: &Standing, account: Option<&Account>, runs: &[Arc<Run>]) -> Place {
    let Standing { account: placed, state, failures, error, outcome, waits_for, run } = standing;
    let waits = matches!(state, InboxState::Parked { .. } | InboxState::Deferred { .. });
    Place {
        account: placed.as_ref().or(account).cloned(),
        state: state.clone(),
        failures: *failures,
        error: error.clone(),
        outcome: outcome.clone(),
        waits_for: if waits { waits_for.iter().map(|key| key.as_str().into()).collect() } else { Vec::new() },
        runs: runs.iter().cloned().chain(run.clone().map(Arc::new)).collect(),
    }
}

fn upto(times: &BTreeSet<(Timestamp, u64)>, now: Timestamp) -> impl Iterator<Item = u64> {
    times.range(..=(now, u64::MAX)).map(|(_, seq)| *seq)
}

fn index(seq: u64) -> usize {
    seq as usize - 1
}
