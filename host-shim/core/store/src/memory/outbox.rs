//! Effects, and which of them may begin.

use crate::changes::EffectChange;
use crate::erase::NO_JSON;
use crate::rows::{EffectRow, EffectState, Lease, TIMER};
use crate::scope::{Partition, Scope};
use extension_contract::{Account, Timestamp};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::Arc;

#[derive(Clone, Debug, Default)]
pub(super) struct Outbox {
    /// In order of `seq`, which begins at 1.
    rows: Vec<Arc<EffectRow>>,
    by_scope: HashMap<Arc<Scope>, Arc<ScopedEffects>>,
    queues: BTreeMap<Partition, Queues>,
}

/// Effects of a partition that are not finished.
#[derive(Clone, Debug, Default)]
struct Queues {
    /// Queued effects that are first of their ordering key, by due time; timers apart, since most of them are far off.
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

/// How to undo one change.
#[derive(Debug)]
pub(super) enum OutboxUndo {
    Inserted,
    Updated(u64, Box<Standing>),
    Erased(Vec<Arc<EffectRow>>),
}

/// The part of an effect that changes.
#[derive(Debug)]
pub(super) struct Standing {
    state: EffectState,
    attempts: u32,
    due_at: Timestamp,
    lease: Lease,
}

/// An effect without the order in which it was asked for, and by which event.
fn timeless(row: &Arc<EffectRow>) -> EffectRow {
    EffectRow { seq: 0, caused_by: String::new(), ..(**row).clone() }
}

fn place(row: &EffectRow) -> (String, &str, u32) {
    (row.scope.name(), &row.effect.key, row.effect.generation)
}

fn is_open(state: EffectState) -> bool {
    matches!(state, EffectState::Queued | EffectState::Running)
}

impl Outbox {
    /// True if both have the same effects to carry out, whatever has ended.
    pub(super) fn same_open(&self, other: &Outbox) -> bool {
        let open = |of: &Outbox| -> Vec<EffectRow> {
            let seqs = of.queues.values().flat_map(|queues| &queues.open);
            let mut rows: Vec<EffectRow> =
                seqs.filter_map(|seq| of.rows.get(*seq as usize - 1)).map(timeless).collect();
            rows.sort_by(|a, b| place(a).cmp(&place(b)));
            rows
        };
        open(self) == open(other)
    }

    /// Make a change that nothing refuses.
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
                self.enter(seq);
                OutboxUndo::Inserted
            }
            EffectChange::Update { key, generation, state, attempts, due_at, lease } => {
                let seq = self.find(scope, key, *generation).expect("checked before the first change");
                let new = Standing { state: *state, attempts: *attempts, due_at: *due_at, lease: lease.clone() };
                OutboxUndo::Updated(seq, Box::new(self.set(seq, new)))
            }
        }
    }

    pub(super) fn undo(&mut self, undo: OutboxUndo) {
        match undo {
            OutboxUndo::Inserted => {
                let seq = self.rows.len() as u64;
                self.leave(seq);
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

    /// Erase what the effects of a scope said that have ended. Nothing is found by that, so no index changes.
    pub(super) fn erase(&mut self, scope: &Scope) -> OutboxUndo {
        let Some(scoped) = self.by_scope.get(scope) else { return OutboxUndo::Erased(Vec::new()) };
        let mut before = Vec::new();
        for seq in scoped.by_key.values().flatten() {
            let row = &mut self.rows[*seq as usize - 1];
            if is_open(row.state) || row.erased {
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

    pub(super) fn due(&self, partition: &Partition, now: Timestamp, timers: bool, limit: usize) -> Vec<EffectRow> {
        let Some(queues) = self.queues.get(partition) else { return Vec::new() };
        let upto = |queue: &Queue| queue.range(..=(now, u64::MAX)).take(limit).copied().collect::<Vec<_>>();
        let mut due = upto(&queues.due);
        if timers {
            due.extend(upto(&queues.timers));
            due.sort_unstable();
            due.truncate(limit);
        }
        due.into_iter().map(|(_, seq)| self.row(seq).clone()).collect()
    }

    pub(super) fn next_due(&self, partition: &Partition, now: Timestamp) -> Option<Timestamp> {
        let queues = self.queues.get(partition)?;
        let next = |queue: &Queue| queue.range((Bound::Excluded((now, u64::MAX)), Bound::Unbounded)).next().copied();
        [&queues.due, &queues.timers].into_iter().filter_map(next).min().map(|(due_at, _)| due_at)
    }

    pub(super) fn running(&self, partition: &Partition) -> Vec<EffectRow> {
        self.queues.get(partition).map_or_else(Vec::new, |queues| self.rows_of(&queues.running))
    }

    pub(super) fn open(&self, partition: &Partition, account: Option<&Account>) -> Vec<EffectRow> {
        match account {
            None => self.queues.get(partition).map_or_else(Vec::new, |queues| self.rows_of(&queues.open)),
            Some(account) => {
                let scoped = self.by_scope.get(&partition.scope(account.clone()));
                scoped.map_or_else(Vec::new, |scoped| self.rows_of(&scoped.open))
            }
        }
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

    /// Replace what changes of a row; returns what was there.
    fn set(&mut self, seq: u64, new: Standing) -> Standing {
        self.leave(seq);
        let row = Arc::make_mut(&mut self.rows[seq as usize - 1]);
        let old = Standing {
            state: std::mem::replace(&mut row.state, new.state),
            attempts: std::mem::replace(&mut row.attempts, new.attempts),
            due_at: std::mem::replace(&mut row.due_at, new.due_at),
            lease: std::mem::replace(&mut row.lease, new.lease),
        };
        self.enter(seq);
        old
    }

    /// Take a row out of every index but that of its key.
    fn leave(&mut self, seq: u64) {
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

    /// Put a row into the indexes that its state asks for.
    fn enter(&mut self, seq: u64) {
        let row = &self.rows[seq as usize - 1];
        if !is_open(row.state) {
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
        // A row that comes back in front, as an undo does, takes the place of the one that was first.
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
