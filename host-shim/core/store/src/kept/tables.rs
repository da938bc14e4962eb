//! The queries that a database answers itself. The rest of [`Read`](crate::Read) is in [`Kept`].

use super::Kept;
use crate::cell::{Cell, View};
use crate::error::Stored;
use crate::json::{DEAD, PENDING};
use crate::parse::row_key;
use crate::prefix::{kind_prefix, prefix_end, text_range};
use crate::query::{Flow, Op, Query};
use crate::records::{
    DueEffect, DueTime, EarlierRun, EffectNumber, EventNumber, EventProgress, Fingerprint, OutdatedRow, ReferrerText,
    RowText, WaitingEvent,
};
use crate::rows::{
    AccountRow, ClaimRow, DueQuery, EffectRow, InboxRow, OpenedRows, PlaceQuery, Placed, Run, TURNS_SEARCHED_MAX,
};
use crate::schema::{Index, Table, effects, events, rows};
use crate::scope::{Partition, Scope};
use crate::store::place_by_steps;
use extension_contract::{RecordKey, Reference, RowKey, RowKind, StoredRow, Timestamp};
use std::collections::BTreeSet;
use std::ops::Bound;

/// The prefix of the keys of all records.
const RECORDS: &str = "record:";

/// A range of texts as bounds of a query.
pub type Range = (Bound<Cell<'static>>, Bound<Cell<'static>>);

/// Returns bounds of texts as bounds of cells.
pub(super) fn cells((from, to): (Bound<String>, Bound<String>)) -> Range {
    (from.map(Cell::from), to.map(Cell::from))
}

pub(super) fn after(number: u64) -> Bound<Cell<'static>> {
    Bound::Excluded(number.into())
}

/// The tables of a database, for reading. The methods with a body run several queries; a database overrides those that it can answer in
/// one.
///
/// # Errors
/// Every method fails with `StoreError::Unavailable` if the underlying storage fails.
pub trait Tables: Sized {
    /// Calls `each` with the rows of a query, in order.
    fn find<V: View>(&self, query: &Query<'_>, each: &mut dyn FnMut(V) -> Stored<Flow>) -> Stored<()>;
    /// Returns a row by the values of its key.
    fn one<V: View>(&self, key: &[Cell<'_>]) -> Stored<Option<V>> {
        let mut found = None;
        self.find::<V>(&Query { equal: key, ..Query::default() }, &mut |row| {
            found = Some(row);
            Ok(Flow::Stop)
        })?;
        Ok(found)
    }
    /// Returns rows by the values of their keys, in key order. The keys differ only in their last values.
    fn get<V: View>(&self, keys: &[Vec<Cell<'_>>]) -> Stored<Vec<Option<V>>> {
        keys.iter().map(|key| self.one(key)).collect()
    }
    /// Returns the number of rows of a query.
    fn count(&self, table: &'static Table, query: &Query<'_>) -> Stored<u64>;
    /// Returns the row of an account; none for a new one.
    fn account(&self, scope: &Scope) -> Stored<Option<AccountRow>>;
    /// Returns all accounts of a partition, or of all partitions, in any order.
    fn scopes(&self, partition: Option<&Partition>) -> Stored<Vec<Scope>>;

    /// Runs several queries on one state.
    fn together<T>(&self, body: impl FnOnce() -> Stored<T>) -> Stored<T> {
        body()
    }
    /// Returns the number of due effects that are searched for the accounts' turns.
    fn turns_searched() -> usize {
        TURNS_SEARCHED_MAX
    }
    /// Returns the maximum number of references of an account that [`Read::open`](crate::Read::open) reads at once; with more, or 0, it
    /// queries each row.
    fn references_at_once() -> usize {
        0
    }
    /// Returns the number up to which the log of events may be read, if that is before the end of its table.
    fn log_end(&self) -> Stored<Bound<Cell<'static>>> {
        Ok(Bound::Unbounded)
    }

    /// Returns the rows of a query.
    fn all<V: View>(&self, query: &Query<'_>) -> Stored<Vec<V>> {
        let mut found = Vec::new();
        self.find::<V>(query, &mut |row| {
            found.push(row);
            Ok(Flow::On)
        })?;
        Ok(found)
    }
    /// Returns the first row of a query.
    fn first<V: View>(&self, query: Query<'_>) -> Stored<Option<V>> {
        let mut found = None;
        self.find::<V>(&Query { limit: 1, ..query }, &mut |row| {
            found = Some(row);
            Ok(Flow::Stop)
        })?;
        Ok(found)
    }

    /// Like [`Read::open`](crate::Read::open).
    fn open(kept: &Kept<Self>, scope: &Scope, named: &[Reference], facts: &[String]) -> Stored<OpenedRows> {
        kept.open_by_steps(scope, named, facts)
    }
    /// Like [`Read::place`](crate::Read::place).
    fn place(kept: &Kept<Self>, query: &PlaceQuery<'_>) -> Stored<(Vec<Option<ClaimRow>>, Option<Placed>)> {
        place_by_steps(kept, query)
    }

    /// Returns the rows of a kind with a different fingerprint, least recently written first. Reads the oldest rows of each of these
    /// fingerprints from the index.
    fn outdated(&self, scope: &Scope, kind: &RowKind, fingerprint: &str, limit: usize) -> Stored<Vec<StoredRow>> {
        let kind = kind_prefix(kind);
        let mut oldest: Vec<OutdatedRow> = Vec::new();
        let mut last: Bound<Cell<'_>> = Bound::Unbounded;
        self.together(|| {
            loop {
                let equal = [scope.into(), Cell::from(&kind)];
                let next = Query { equal: &equal, from: last, ..Query::of(&rows::BY_FINGERPRINT) };
                let Some(Fingerprint(found)) = self.first(next)? else { break };
                if found != fingerprint {
                    let equal = [scope.into(), Cell::from(&kind), Cell::from(&found)];
                    // Only rows older than the newest one so far matter.
                    let newest = oldest.get(limit.wrapping_sub(1)).map(|row| row.written);
                    let to = newest.map_or(Bound::Unbounded, |newest| Bound::Included(newest.into()));
                    oldest.extend(self.all(&Query { equal: &equal, to, limit, ..Query::of(&rows::BY_FINGERPRINT) })?);
                    oldest.sort_by(|one, other| (one.written, &one.text).cmp(&(other.written, &other.text)));
                    oldest.truncate(limit);
                }
                last = Bound::Excluded(found.into());
            }
            Ok(oldest.into_iter().map(|row| row.stored).collect())
        })
    }

    /// Like [`Read::collections`](crate::Read::collections).
    fn collections(&self, scope: &Scope) -> Stored<Vec<String>> {
        self.together(|| {
            let mut collections = Vec::new();
            let (mut from, to) = cells(text_range(RECORDS, false, None));
            loop {
                let next = Query { equal: &[scope.into()], from, to: to.clone(), ..Query::default() };
                let Some(RowText(text)) = self.first(next)? else { break };
                let Some(RowKey::Record(RecordKey { collection, .. })) = row_key(&text) else { break };
                let kind = kind_prefix(&RowKind::Record(collection.clone()));
                from = prefix_end(&kind).map_or(Bound::Unbounded, |end| Bound::Included(end.into()));
                collections.push(collection);
            }
            collections.sort_unstable();
            Ok(collections)
        })
    }

    /// Returns the rows in a range of keys that refer to a target.
    fn referrers(&self, scope: &Scope, target: &str, (from, to): Range, limit: usize) -> Stored<Vec<StoredRow>> {
        let equal = [Cell::from(scope), target.into()];
        let found = self.all(&Query { equal: &equal, from, to, limit, ..Query::default() })?;
        let keys = found.into_iter().map(|ReferrerText(key)| vec![Cell::from(scope), key.into()]);
        Ok(self.get(&keys.collect::<Vec<_>>())?.into_iter().flatten().collect())
    }

    /// Like [`Read::effects_of`](crate::Read::effects_of).
    fn effects_of(&self, scope: &Scope, seq: u64, limit: usize) -> Stored<Vec<EffectRow>> {
        let (equal, tests) = ([scope.into()], [(effects::SEQ, Op::Gt, seq.into())]);
        first_effects(self, &[Query { equal: &equal, tests: &tests, ..Query::of(&effects::BY_KEY) }], limit)
    }

    /// Like [`Read::effects_open_after`](crate::Read::effects_open_after).
    fn effects_open_after(&self, partition: &Partition, seq: u64, limit: usize) -> Stored<Vec<EffectRow>> {
        let (equal, tests) = ([partition.into()], [(effects::SEQ, Op::Gt, seq.into())]);
        let open = [&effects::RUNNING, &effects::DUE, &effects::DUE_TIMERS];
        first_effects(self, &open.map(|index| Query { equal: &equal, tests: &tests, ..Query::of(index) }), limit)
    }

    /// Like [`Read::effects_due`](crate::Read::effects_due).
    fn effects_due(&self, query: &DueQuery<'_>) -> Stored<Vec<EffectRow>> {
        let most = if query.turns.is_some() { Self::turns_searched() } else { query.limit };
        let mut due: Vec<DueEffect> = Vec::new();
        let mut search = |index: &'static Index| {
            let mut room = most;
            let search = Query {
                equal: &[query.partition.into()],
                to: Bound::Included(query.now.into()),
                first_of_ordering_key: true,
                limit: if query.busy.is_empty() { most } else { usize::MAX },
                ..Query::of(index)
            };
            self.find::<DueEffect>(&search, &mut |effect| {
                if !query.passes_over(&effect) {
                    due.push(effect);
                    room -= 1;
                }
                Ok(if room > 0 { Flow::On } else { Flow::Stop })
            })
        };
        if most == 0 {
            return Ok(Vec::new());
        }
        search(&effects::DUE)?;
        if query.timers {
            search(&effects::DUE_TIMERS)?;
            due.sort_unstable_by_key(|effect| (effect.due_at, effect.seq));
        }
        effects_at(self, query.in_order(due).into_iter().map(|effect| effect.seq))
    }

    /// Like [`Read::next_due`](crate::Read::next_due).
    fn next_due(&self, partition: &Partition, now: Timestamp) -> Stored<Option<Timestamp>> {
        let mut next = None;
        for index in [&effects::DUE, &effects::DUE_TIMERS] {
            let first = self.first(Query {
                equal: &[partition.into()],
                from: Bound::Excluded(now.into()),
                first_of_ordering_key: true,
                ..Query::of(index)
            })?;
            next = [next, first.map(|DueTime(at)| at)].into_iter().flatten().min();
        }
        Ok(next)
    }

    /// Like [`Read::runs`](crate::Read::runs).
    fn runs(&self, seq: u64) -> Stored<Vec<Run>> {
        self.together(|| {
            let earlier: Vec<EarlierRun> = self.all(&Query { equal: &[seq.into()], ..Query::default() })?;
            let last: Option<EventProgress> = self.one(&[seq.into()])?;
            Ok(earlier.into_iter().map(|earlier| earlier.run).chain(last.and_then(|last| last.run)).collect())
        })
    }

    /// Like [`Read::inbox_due`](crate::Read::inbox_due).
    fn inbox_due(&self, partition: &Partition, now: Timestamp, limit: usize) -> Stored<Vec<u64>> {
        let (equal, more) = ([partition.into(), PENDING.into()], limit.saturating_add(1));
        let to = Bound::Included(now.into());
        let numbers = |query: Query<'_>| self.all(&query);
        let mut due = numbers(Query { equal: &equal, to, limit: more, ..Query::of(&events::WAITING) })?;
        if due.len() > limit {
            // There are more events than the limit: returns the first ones in order of acceptance.
            let tests = [(events::AT, Op::Le, now.into())];
            due = numbers(Query { equal: &equal, tests: &tests, limit, ..Query::of(&events::FAILED) })?;
        }
        let mut due: Vec<u64> = due.into_iter().map(|EventNumber(seq)| seq).collect();
        due.sort_unstable();
        Ok(due)
    }

    /// Like [`Read::failed`](crate::Read::failed).
    fn failed(&self, partition: &Partition, seq: u64, limit: usize) -> Stored<Vec<InboxRow>> {
        let mut failed: Vec<InboxRow> = Vec::new();
        for state in [PENDING, DEAD] {
            let equal = [partition.into(), state.into()];
            failed.extend(self.all(&Query { equal: &equal, from: after(seq), limit, ..Query::of(&events::FAILED) })?);
        }
        failed.sort_unstable_by_key(|row| row.seq);
        failed.truncate(limit);
        Ok(failed)
    }

    /// Like [`Read::woken_by`](crate::Read::woken_by).
    fn woken_by(&self, keys: &[String]) -> Stored<Vec<u64>> {
        let mut woken = BTreeSet::new();
        for key in keys {
            let waits = self.all(&Query { equal: &[key.into()], ..Query::default() })?;
            woken.extend(waits.into_iter().map(|WaitingEvent(seq)| seq));
        }
        Ok(woken.into_iter().collect())
    }
}

/// Returns effects by number.
pub(super) fn effects_at(tables: &impl Tables, seqs: impl IntoIterator<Item = u64>) -> Stored<Vec<EffectRow>> {
    let keys: Vec<_> = seqs.into_iter().map(|seq| vec![seq.into()]).collect();
    Ok(tables.get(&keys)?.into_iter().flatten().collect())
}

/// Returns the first effects of some queries, in number order.
fn first_effects(tables: &impl Tables, queries: &[Query<'_>], limit: usize) -> Stored<Vec<EffectRow>> {
    let mut seqs: Vec<u64> = Vec::new();
    for query in queries {
        seqs.extend(tables.all(query)?.into_iter().map(|EffectNumber(seq)| seq));
    }
    seqs.sort_unstable();
    effects_at(tables, seqs.into_iter().take(limit))
}
