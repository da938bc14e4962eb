//! Effects, and which of them may begin.

use crate::changes::EffectChange;
use crate::rows::{EffectRow, EffectState, Lease, TIMER};
use crate::scope::Scope;
use products_contract::{StoreError, Stored, Timestamp};
use std::collections::{BTreeSet, HashMap};
use std::ops::Bound;

#[derive(Debug, Default)]
pub(super) struct Outbox {
    /// In order of `seq`, which begins at 1.
    rows: Vec<EffectRow>,
    by_scope: HashMap<Scope, ScopedEffects>,
    /// Queued effects that are first of their ordering key, by due time; timers apart, since most of them are far off.
    due: Queue,
    timers: Queue,
    running: BTreeSet<u64>,
    open: BTreeSet<u64>,
}

type Queue = BTreeSet<(Timestamp, u64)>;

#[derive(Debug, Default)]
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
    Updated { seq: u64, state: EffectState, attempts: u32, due_at: Timestamp, lease: Lease },
}

fn is_open(state: EffectState) -> bool {
    matches!(state, EffectState::Queued | EffectState::Running)
}

impl Outbox {
    /// Refuse an insert of what is there and an update of what is not.
    pub(super) fn check(&self, scope: &Scope, changes: &[EffectChange]) -> Stored<()> {
        let inserted = |at: usize, key: &str, generation: u32| {
            changes[..at].iter().any(|change| {
                matches!(change, EffectChange::Insert(row)
                    if row.effect.key == key && row.effect.generation == generation)
            })
        };
        for (at, change) in changes.iter().enumerate() {
            match change {
                EffectChange::Insert(row) => {
                    let (key, generation) = (&row.effect.key, row.effect.generation);
                    if self.find(scope, key, generation).is_some() || inserted(at, key, generation) {
                        return Err(StoreError::Taken("effect.generation".to_owned()));
                    }
                }
                EffectChange::Update { key, generation, .. } => {
                    if self.find(scope, key, *generation).is_none() && !inserted(at, key, *generation) {
                        return Err(StoreError::Unavailable(format!("no effect `{key}` of generation {generation}")));
                    }
                }
            }
        }
        Ok(())
    }

    /// Make a change that [`Outbox::check`] let pass.
    pub(super) fn change(&mut self, scope: &Scope, change: &EffectChange) -> OutboxUndo {
        match change {
            EffectChange::Insert(row) => {
                let seq = self.rows.len() as u64 + 1;
                let scoped = match self.by_scope.get_mut(scope) {
                    Some(scoped) => scoped,
                    None => self.by_scope.entry(scope.clone()).or_default(),
                };
                scoped.by_key.entry(row.effect.key.clone()).or_default().push(seq);
                self.rows.push(EffectRow { seq, scope: scope.clone(), ..(**row).clone() });
                self.enter(seq);
                OutboxUndo::Inserted
            }
            EffectChange::Update { key, generation, state, attempts, due_at, lease } => {
                let seq = self.find(scope, key, *generation).expect("checked before the first change");
                let row = &self.rows[seq as usize - 1];
                let (before, attempts_before, due_before) = (row.state, row.attempts, row.due_at);
                let lease = self.set(seq, *state, *attempts, *due_at, lease.clone());
                OutboxUndo::Updated { seq, state: before, attempts: attempts_before, due_at: due_before, lease }
            }
        }
    }

    pub(super) fn undo(&mut self, undo: OutboxUndo) {
        match undo {
            OutboxUndo::Inserted => {
                let seq = self.rows.len() as u64;
                self.leave(seq);
                if let Some(row) = self.rows.pop()
                    && let Some(scoped) = self.by_scope.get_mut(&row.scope)
                    && let Some(seqs) = scoped.by_key.get_mut(&row.effect.key)
                {
                    seqs.pop();
                    if seqs.is_empty() {
                        scoped.by_key.remove(&row.effect.key);
                    }
                }
            }
            OutboxUndo::Updated { seq, state, attempts, due_at, lease } => {
                self.set(seq, state, attempts, due_at, lease);
            }
        }
    }

    pub(super) fn generations(&self, scope: &Scope, key: &str) -> Vec<EffectRow> {
        let Some(seqs) = self.by_scope.get(scope).and_then(|scoped| scoped.by_key.get(key)) else { return Vec::new() };
        self.rows_of(seqs)
    }

    pub(super) fn due(&self, now: Timestamp, timers: bool, limit: usize) -> Vec<EffectRow> {
        let upto = |queue: &Queue| queue.range(..=(now, u64::MAX)).take(limit).copied().collect::<Vec<_>>();
        let mut due = upto(&self.due);
        if timers {
            due.extend(upto(&self.timers));
            due.sort_unstable();
            due.truncate(limit);
        }
        due.into_iter().map(|(_, seq)| self.row(seq).clone()).collect()
    }

    pub(super) fn next_due(&self, now: Timestamp) -> Option<Timestamp> {
        let next = |queue: &Queue| queue.range((Bound::Excluded((now, u64::MAX)), Bound::Unbounded)).next().copied();
        [&self.due, &self.timers].into_iter().filter_map(next).min().map(|(due_at, _)| due_at)
    }

    pub(super) fn running(&self) -> Vec<EffectRow> {
        self.rows_of(&self.running)
    }

    pub(super) fn open(&self, scope: Option<&Scope>) -> Vec<EffectRow> {
        match scope {
            None => self.rows_of(&self.open),
            Some(scope) => self.by_scope.get(scope).map_or_else(Vec::new, |scoped| self.rows_of(&scoped.open)),
        }
    }

    fn rows_of<'a>(&self, seqs: impl IntoIterator<Item = &'a u64>) -> Vec<EffectRow> {
        seqs.into_iter().map(|seq| self.row(*seq).clone()).collect()
    }

    fn row(&self, seq: u64) -> &EffectRow {
        &self.rows[seq as usize - 1]
    }

    fn find(&self, scope: &Scope, key: &str, generation: u32) -> Option<u64> {
        let seqs = self.by_scope.get(scope)?.by_key.get(key)?;
        seqs.iter().copied().find(|seq| self.row(*seq).effect.generation == generation)
    }

    /// The lease that stood there.
    fn set(&mut self, seq: u64, state: EffectState, attempts: u32, due_at: Timestamp, lease: Lease) -> Lease {
        self.leave(seq);
        let row = &mut self.rows[seq as usize - 1];
        row.state = state;
        row.attempts = attempts;
        row.due_at = due_at;
        let before = std::mem::replace(&mut row.lease, lease);
        self.enter(seq);
        before
    }

    /// Take a row out of every index but that of its key.
    fn leave(&mut self, seq: u64) {
        self.open.remove(&seq);
        self.running.remove(&seq);
        self.dequeue(seq);
        let row = &self.rows[seq as usize - 1];
        let Some(scoped) = self.by_scope.get_mut(&row.scope) else { return };
        scoped.open.remove(&seq);
        let Some(ordering_key) = &row.effect.ordering_key else { return };
        let Some(group) = scoped.ordered.get_mut(ordering_key) else { return };
        group.remove(&seq);
        match group.first().copied() {
            Some(first) => self.enqueue(first),
            None => drop(scoped.ordered.remove(ordering_key)),
        }
    }

    /// Put a row into the indexes that its state asks for.
    fn enter(&mut self, seq: u64) {
        let row = &self.rows[seq as usize - 1];
        if !is_open(row.state) {
            return;
        }
        self.open.insert(seq);
        if row.state == EffectState::Running {
            self.running.insert(seq);
        }
        let Some(scoped) = self.by_scope.get_mut(&row.scope) else { return };
        scoped.open.insert(seq);
        let Some(ordering_key) = &row.effect.ordering_key else { return self.enqueue(seq) };
        let group = match scoped.ordered.get_mut(ordering_key) {
            Some(group) => group,
            None => scoped.ordered.entry(ordering_key.clone()).or_default(),
        };
        group.insert(seq);
        let mut order = group.iter().copied();
        // A row that comes back in front, as an undo does, takes the place of the one that was first.
        if order.next() == Some(seq) {
            if let Some(second) = order.next() {
                self.dequeue(second);
            }
            self.enqueue(seq);
        }
    }

    fn enqueue(&mut self, seq: u64) {
        let row = &self.rows[seq as usize - 1];
        if row.state == EffectState::Queued {
            let queue = if row.effect.kind == TIMER { &mut self.timers } else { &mut self.due };
            queue.insert((row.due_at, seq));
        }
    }

    fn dequeue(&mut self, seq: u64) {
        let row = &self.rows[seq as usize - 1];
        let queue = if row.effect.kind == TIMER { &mut self.timers } else { &mut self.due };
        queue.remove(&(row.due_at, seq));
    }
}
