//! The outbox in memory: effects, and the queues of the effects that may begin.

use crate::changes::EffectChange;
use crate::erase::NO_JSON;
use crate::rows::{DueQuery, EffectRow, EffectState, Lease, LeaseRequest, TIMER};
use crate::scope::{Partition, Scope};
use extension_contract::Timestamp;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::Arc;

#[derive(Clone, Debug, Default)]
pub(super) struct Outbox {
    /// Rows in order of `seq`, which begins at 1.
    rows: Vec<Arc<EffectRow>>,
    by_scope: HashMap<Arc<Scope>, Arc<ScopedEffects>>,
    queues: BTreeMap<Partition, Queues>,
}

/// Open effects of a partition.
#[derive(Clone, Debug, Default)]
struct Queues {
    /// Queued effects that are the first effects of their ordering keys, by due time. Timers have a separate queue,
    /// since most timers are due far later.
    due: Queue,
    timers: Queue,
    running: BTreeSet<u64>,
    open: BTreeSet<u64>,
}

type Queue = BTreeSet<(Timestamp, u64)>;

#[derive(Clone, Debug, Default)]
struct ScopedEffects {
    by_key: HashMap<String, Vec<u64>>,
    open: BTreeSet<u64>,
    /// Open effects of each ordering key.
    ordered: HashMap<String, BTreeSet<u64>>,
}

/// The data to undo one change.
#[derive(Debug)]
pub(super) enum OutboxUndo {
    Inserted,
    Updated(u64, Box<EffectProgress>),
    Erased(Vec<Arc<EffectRow>>),
}

/// The changing part of an effect.
#[derive(Debug)]
pub(super) struct EffectProgress {
    state: EffectState,
    attempts: u32,
    due_at: Timestamp,
    lease: Lease,
}

/// Returns an effect without its number and its causing event.
fn without_origin(row: &Arc<EffectRow>) -> EffectRow {
    EffectRow { seq: 0, caused_by: String::new(), ..(**row).clone() }
}

fn sort_key(row: &EffectRow) -> (String, &str, u32) {
    (row.scope.name(), &row.effect.key, row.effect.generation)
}

impl Outbox {
    /// Returns true if both outboxes have the same open effects.
    pub(super) fn same_open(&self, other: &Outbox) -> bool {
        let open = |of: &Outbox| -> Vec<EffectRow> {
            let seqs = of.queues.values().flat_map(|queues| &queues.open);
            let mut rows: Vec<EffectRow> =
                seqs.filter_map(|seq| of.rows.get(*seq as usize - 1)).map(without_origin).collect();
            rows.sort_by(|a, b| sort_key(a).cmp(&sort_key(b)));
            rows
        };
        open(self) == open(other)
    }

    /// Applies a checked change; returns the data to undo it.
    pub(super) fn change(&mut self, scope: &Scope, change: &EffectChange) -> OutboxUndo {
        match change {
            EffectChange::Insert(row) => {
                let seq = self.rows.len() as u64 + 1;
                let scoped = match self.by_scope.get_mut(scope) {
                    Some(scoped) => scoped,
                    None => self.by_scope.entry(Arc::new(scope.clone())).or_default(),
                };
                Arc::make_mut(scoped).by_key.entry(row.effect.key.clone()).or_default().push(seq);
                self.queues.entry(scope.partition()).or_default();
                self.rows.push(Arc::new(EffectRow { seq, scope: scope.clone(), ..(**row).clone() }));
                self.add_to_indexes(seq);
                OutboxUndo::Inserted
            }
            EffectChange::Update { key, generation, state, attempts, due_at, lease } => {
                let seq = self.find(scope, key, *generation).expect("checked before the first change");
                let new = EffectProgress { state: *state, attempts: *attempts, due_at: *due_at, lease: lease.clone() };
                OutboxUndo::Updated(seq, Box::new(self.set(seq, new)))
            }
        }
    }

    pub(super) fn undo(&mut self, undo: OutboxUndo) {
        match undo {
            OutboxUndo::Inserted => {
                let seq = self.rows.len() as u64;
                self.remove_from_indexes(seq);
                if let Some(row) = self.rows.pop()
                    && let Some(scoped) = self.by_scope.get_mut(&row.scope).map(Arc::make_mut)
                    && let Some(seqs) = scoped.by_key.get_mut(&row.effect.key)
                {
                    seqs.pop();
                    if seqs.is_empty() {
                        scoped.by_key.remove(&row.effect.key);
                    }
                }
            }
            OutboxUndo::Updated(seq, old) => drop(self.set(seq, *old)),
            OutboxUndo::Erased(rows) => {
                for row in rows {
                    let at = row.seq as usize - 1;
                    self.rows[at] = row;
                }
            }
        }
    }

    /// Erases payload and context of the scope's ended effects. No index contains them.
    pub(super) fn erase(&mut self, scope: &Scope) -> OutboxUndo {
        let Some(scoped) = self.by_scope.get(scope) else { return OutboxUndo::Erased(Vec::new()) };
        let mut before = Vec::new();
        for seq in scoped.by_key.values().flatten() {
            let row = &mut self.rows[*seq as usize - 1];
            if row.state.is_open() || row.erased {
                continue;
            }
            before.push(row.clone());
            let row = Arc::make_mut(row);
            (row.effect.payload, row.effect.context, row.erased) = (NO_JSON.into(), NO_JSON.into(), true);
        }
        OutboxUndo::Erased(before)
    }

    pub(super) fn generations(&self, scope: &Scope, key: &str) -> Vec<EffectRow> {
        let Some(seqs) = self.by_scope.get(scope).and_then(|scoped| scoped.by_key.get(key)) else { return Vec::new() };
        self.rows_of(seqs)
    }

    pub(super) fn of_scope(&self, scope: &Scope, after: u64, limit: usize) -> Vec<EffectRow> {
        let Some(scoped) = self.by_scope.get(scope) else { return Vec::new() };
        let mut seqs: Vec<u64> = scoped.by_key.values().flatten().copied().filter(|seq| *seq > after).collect();
        seqs.sort_unstable();
        seqs.truncate(limit);
        self.rows_of(&seqs)
    }

    pub(super) fn due(&self, query: &DueQuery<'_>) -> Vec<EffectRow> {
        let Some(queues) = self.queues.get(query.partition) else { return Vec::new() };
        let may_begin = |(_, seq): &&(Timestamp, u64)| !query.passes_over(self.row(*seq));
        let most = if query.turns.is_some() { usize::MAX } else { query.limit };
        let up_to_now = |queue: &Queue| -> Vec<_> {
            queue.range(..=(query.now, u64::MAX)).filter(may_begin).take(most).copied().collect()
        };
        let mut due = up_to_now(&queues.due);
        if query.timers {
            due.extend(up_to_now(&queues.timers));
            due.sort_unstable();
        }
        query.in_order(due.into_iter().map(|(_, seq)| self.row(seq))).into_iter().cloned().collect()
    }

    /// Leases chosen effects; returns them in order, with the data to undo each change.
    pub(super) fn lease(&mut self, request: &LeaseRequest<'_>) -> (Vec<EffectRow>, Vec<OutboxUndo>) {
        let LeaseRequest { partition, owner, now, until, chosen } = *request;
        let (mut leased, mut undo) = (Vec::new(), Vec::new());
        for seq in chosen {
            let Some(row) = self.at(*seq).filter(|row| row.scope.partition() == *partition) else { continue };
            if row.state != EffectState::Queued || row.due_at > now {
                continue;
            }
            let number = row.lease.number + 1;
            let lease = Lease { number, until: Some(until), token: None, owner: Some(owner.to_owned()) };
            let new =
                EffectProgress { state: EffectState::Running, attempts: row.attempts + 1, due_at: row.due_at, lease };
            undo.push(OutboxUndo::Updated(row.seq, Box::new(self.set(row.seq, new))));
            leased.push(self.row(row.seq).clone());
        }
        (leased, undo)
    }

    pub(super) fn next_due(&self, partition: &Partition, now: Timestamp) -> Option<Timestamp> {
        let queues = self.queues.get(partition)?;
        let next = |queue: &Queue| queue.range((Bound::Excluded((now, u64::MAX)), Bound::Unbounded)).next().copied();
        [&queues.due, &queues.timers].into_iter().filter_map(next).min().map(|(due_at, _)| due_at)
    }

    pub(super) fn awaited(&self, partition: &Partition) -> Vec<EffectRow> {
        let of_partition = self.rows.iter().filter(|row| row.scope.partition() == *partition);
        let awaited = of_partition.filter(|row| row.state == EffectState::Finished && row.lease.token.is_some());
        awaited.map(|row| EffectRow::clone(row)).collect()
    }

    pub(super) fn running(&self, partition: &Partition) -> Vec<EffectRow> {
        self.queues.get(partition).map_or_else(Vec::new, |queues| self.rows_of(&queues.running))
    }

    pub(super) fn open(&self, scope: &Scope) -> Vec<EffectRow> {
        self.by_scope.get(scope).map_or_else(Vec::new, |scoped| self.rows_of(&scoped.open))
    }

    pub(super) fn open_after(&self, partition: &Partition, after: u64, limit: usize) -> Vec<EffectRow> {
        let Some(queues) = self.queues.get(partition) else { return Vec::new() };
        let later = queues.open.range((Bound::Excluded(after), Bound::Unbounded));
        self.rows_of(later.take(limit))
    }

    pub(super) fn at(&self, seq: u64) -> Option<EffectRow> {
        let place = usize::try_from(seq.checked_sub(1)?).ok()?;
        self.rows.get(place).map(|row| EffectRow::clone(row))
    }

    fn rows_of<'a>(&self, seqs: impl IntoIterator<Item = &'a u64>) -> Vec<EffectRow> {
        seqs.into_iter().map(|seq| self.row(*seq).clone()).collect()
    }

    fn row(&self, seq: u64) -> &EffectRow {
        &self.rows[seq as usize - 1]
    }

    pub(super) fn find(&self, scope: &Scope, key: &str, generation: u32) -> Option<u64> {
        let seqs = self.by_scope.get(scope)?.by_key.get(key)?;
        seqs.iter().copied().find(|seq| self.row(*seq).effect.generation == generation)
    }

    /// Returns whether a row has this state, and a lease with this number.
    pub(super) fn has_lease(&self, seq: u64, state: EffectState, number: u64) -> bool {
        let row = self.row(seq);
        (row.state, row.lease.number) == (state, number)
    }

    /// Returns whether an effect has exactly these generations, with their states and the numbers of their leases.
    pub(super) fn has_generations(&self, scope: &Scope, key: &str, expected: &[(u32, EffectState, u64)]) -> bool {
        let seqs = self.by_scope.get(scope).and_then(|scoped| scoped.by_key.get(key));
        let found = seqs.into_iter().flatten().map(|seq| {
            let row = self.row(*seq);
            (row.effect.generation, row.state, row.lease.number)
        });
        found.eq(expected.iter().copied())
    }

    /// Replaces the changing part of a row; returns the old part.
    fn set(&mut self, seq: u64, new: EffectProgress) -> EffectProgress {
        self.remove_from_indexes(seq);
        let row = Arc::make_mut(&mut self.rows[seq as usize - 1]);
        let old = EffectProgress {
            state: std::mem::replace(&mut row.state, new.state),
            attempts: std::mem::replace(&mut row.attempts, new.attempts),
            due_at: std::mem::replace(&mut row.due_at, new.due_at),
            lease: std::mem::replace(&mut row.lease, new.lease),
        };
        self.add_to_indexes(seq);
        old
    }

    /// Removes a row from every index except the index by key.
    fn remove_from_indexes(&mut self, seq: u64) {
        let row = self.rows[seq as usize - 1].clone();
        let Some(queues) = self.queues.get_mut(&row.scope.partition()) else { return };
        queues.open.remove(&seq);
        queues.running.remove(&seq);
        queues.dequeue(&row);
        let Some(scoped) = self.by_scope.get_mut(&row.scope).map(Arc::make_mut) else { return };
        scoped.open.remove(&seq);
        let Some(ordering_key) = &row.effect.ordering_key else { return };
        let Some(group) = scoped.ordered.get_mut(ordering_key) else { return };
        group.remove(&seq);
        match group.first() {
            Some(first) => queues.enqueue(&self.rows[*first as usize - 1]),
            None => drop(scoped.ordered.remove(ordering_key)),
        }
    }

    /// Adds a row to the indexes of its state.
    fn add_to_indexes(&mut self, seq: u64) {
        let row = &self.rows[seq as usize - 1];
        if !row.state.is_open() {
            return;
        }
        let Some(queues) = self.queues.get_mut(&row.scope.partition()) else { return };
        queues.open.insert(seq);
        if row.state == EffectState::Running {
            queues.running.insert(seq);
        }
        let Some(scoped) = self.by_scope.get_mut(&row.scope).map(Arc::make_mut) else { return };
        scoped.open.insert(seq);
        let Some(ordering_key) = &row.effect.ordering_key else { return queues.enqueue(row) };
        let group = match scoped.ordered.get_mut(ordering_key) {
            Some(group) => group,
            None => scoped.ordered.entry(ordering_key.clone()).or_default(),
        };
        group.insert(seq);
        let mut order = group.iter();
        // A row that returns to the front of its ordering key, as in an undo, replaces the row that was first in the
        // queue.
        if order.next() == Some(&seq) {
            if let Some(second) = order.next() {
                queues.dequeue(&self.rows[*second as usize - 1]);
            }
            queues.enqueue(row);
        }
    }
}

impl Queues {
    fn enqueue(&mut self, row: &EffectRow) {
        if row.state == EffectState::Queued {
            self.queue(row).insert((row.due_at, row.seq));
        }
    }

    fn dequeue(&mut self, row: &EffectRow) {
        self.queue(row).remove(&(row.due_at, row.seq));
    }

    fn queue(&mut self, row: &EffectRow) -> &mut Queue {
        if row.effect.kind == TIMER { &mut self.timers } else { &mut self.due }
    }
}
