//! The queries of a store.

use super::{Backend, Kept};
use crate::cell::Cell;
use crate::error::Stored;
use crate::json::{DEAD, DEFERRED, PARKED, PENDING};
use crate::parse::row_key;
use crate::prefix::{kind_prefix, prefix_end, text_range};
use crate::query::{Flow, Op, Query};
use crate::records::{
    CallerReply, Claim, ClaimKey, DueEffect, DueTime, EarlierRun, EffectNumber, EventNumber, EventProgress, EventTime,
    FactEvent, Fingerprint, OutdatedRow, ReferrerText, RowText, WaitingEvent,
};
use crate::rows::{ClaimRow, DueQuery, EffectRow, InboxRow, OpenedRows, Run};
use crate::schema::{Index, claims, effects, events, rows};
use crate::scope::{Partition, Scope};
use crate::store::Read;
use extension_contract::{
    Account, CatalogKey, CatalogQuery, CatalogRow, Listing, Product, RecordKey, Reference, Reply, Row, RowKey, RowKind,
    Selection, StoredRow, Timestamp,
};
use std::collections::BTreeSet;
use std::ops::Bound;

/// The beginning of the keys of all records.
const RECORDS: &str = "record:";

/// Returns bounds of texts as bounds of cells.
fn cells((from, to): (Bound<String>, Bound<String>)) -> (Bound<Cell<'static>>, Bound<Cell<'static>>) {
    (from.map(Cell::from), to.map(Cell::from))
}

fn after(number: u64) -> Bound<Cell<'static>> {
    Bound::Excluded(number.into())
}

fn product(stored: StoredRow) -> Option<Product> {
    match stored.row {
        Row::Product(product) => Some(product),
        _ => None,
    }
}

impl<B: Backend> Kept<B> {
    fn event_numbers(&self, query: &Query<'_>) -> Stored<Vec<u64>> {
        Ok(self.all(query)?.into_iter().map(|EventNumber(seq)| seq).collect())
    }

    /// Returns the events of a partition that entered a waiting state before a time, longest wait first.
    fn waiting(&self, partition: &Partition, state: i16, before: Timestamp, limit: usize) -> Stored<Vec<u64>> {
        let equal = [partition.into(), state.into()];
        let to = Bound::Excluded(before.into());
        self.event_numbers(&Query { equal: &equal, to, limit, ..Query::of(&events::WAITING) })
    }

    /// Returns the pending or dead events of a partition in order of acceptance.
    fn unfinished(&self, partition: &Partition, state: i16, seq: u64, limit: usize) -> Stored<Vec<InboxRow>> {
        let equal = [partition.into(), state.into()];
        self.all(&Query { equal: &equal, from: after(seq), limit, ..Query::of(&events::FAILED) })
    }

    /// Returns the events that wait for keys with a query for each: as [`Read::woken_by`].
    pub(crate) fn woken_by_steps(&self, keys: &[String]) -> Stored<Vec<u64>> {
        let mut woken = BTreeSet::new();
        for key in keys {
            let waits = self.all(&Query { equal: &[key.into()], ..Query::default() })?;
            woken.extend(waits.into_iter().map(|WaitingEvent(seq)| seq));
        }
        Ok(woken.into_iter().collect())
    }

    /// Returns effects by number.
    pub(super) fn effects_at(&self, seqs: impl IntoIterator<Item = u64>) -> Stored<Vec<EffectRow>> {
        let keys: Vec<_> = seqs.into_iter().map(|seq| vec![seq.into()]).collect();
        Ok(self.backend.get(&keys)?.into_iter().flatten().collect())
    }

    fn effect_numbers(&self, query: &Query<'_>) -> Stored<Vec<u64>> {
        Ok(self.all(query)?.into_iter().map(|EffectNumber(seq)| seq).collect())
    }

    fn listed(&self, scope: &Scope, listing: &Listing, limit: usize) -> Stored<Vec<StoredRow>> {
        let kind = kind_prefix(&listing.kind);
        let after = listing.after.as_ref().map(|after| format!("{kind}{after}"));
        let prefix = format!("{kind}{}", listing.prefix);
        let (from, to) = cells(text_range(&prefix, listing.descending, after));
        let (equal, tests) = ([scope.into()], [(rows::SHOWN, Op::Eq, true.into())]);
        let query =
            Query { equal: &equal, from, to, tests: &tests, descending: listing.descending, limit, ..Query::default() };
        self.all(&query)
    }

    /// Returns the rows of a kind with another fingerprint, least recently written first. Reads the oldest rows of each of these
    /// fingerprints, from the index.
    fn outdated(&self, scope: &Scope, kind: &RowKind, fingerprint: &str, limit: usize) -> Stored<Vec<StoredRow>> {
        let kind = kind_prefix(kind);
        let mut oldest: Vec<OutdatedRow> = Vec::new();
        let mut last: Bound<Cell<'_>> = Bound::Unbounded;
        loop {
            let equal = [scope.into(), Cell::from(&kind)];
            let next = Query { equal: &equal, from: last, ..Query::of(&rows::BY_FINGERPRINT) };
            let Some(Fingerprint(found)) = self.first(next)? else { break };
            if found != fingerprint {
                let equal = [scope.into(), Cell::from(&kind), Cell::from(&found)];
                // Only rows that are older than the newest one so far matter.
                let newest = oldest.get(limit.wrapping_sub(1)).map(|row| row.written);
                let to = newest.map_or(Bound::Unbounded, |newest| Bound::Included(newest.into()));
                oldest.extend(self.all(&Query { equal: &equal, to, limit, ..Query::of(&rows::BY_FINGERPRINT) })?);
                oldest.sort_by(|one, other| (one.written, &one.text).cmp(&(other.written, &other.text)));
                oldest.truncate(limit);
            }
            last = Bound::Excluded(found.into());
        }
        Ok(oldest.into_iter().map(|row| row.stored).collect())
    }
}

impl<B: Backend> Read for Kept<B> {
    fn open(&self, scope: &Scope, named: &[Reference], facts: &[String]) -> Stored<OpenedRows> {
        B::open(self, scope, named, facts)
    }

    fn load(&self, scope: &Scope, keys: &[RowKey]) -> Stored<Vec<Option<StoredRow>>> {
        let keys: Vec<_> = keys.iter().map(|key| vec![scope.into(), key.to_string().into()]).collect();
        self.backend.get(&keys)
    }

    fn more(&self, scope: &Scope, selection: &Selection, limit: usize) -> Stored<Vec<StoredRow>> {
        match selection {
            Selection::Listed(listing) => self.listed(scope, listing, limit),
            Selection::Outdated(kind, fingerprint) => {
                self.backend.together(|| self.outdated(scope, kind, fingerprint, limit))
            }
        }
    }

    fn rows_all(&self, scope: &Scope, kind: &RowKind, after: Option<&str>, limit: usize) -> Stored<Vec<StoredRow>> {
        let kind = kind_prefix(kind);
        let (from, to) = cells(text_range(&kind, false, after.map(|after| format!("{kind}{after}"))));
        let query = Query { equal: &[scope.into()], from, to, limit, ..Query::default() };
        self.all(&query)
    }

    fn collections(&self, scope: &Scope) -> Stored<Vec<String>> {
        self.backend.together(|| {
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

    fn known(&self, scope: &Scope, facts: &[String]) -> Stored<Vec<bool>> {
        if facts.is_empty() {
            return Ok(Vec::new());
        }
        let keys: Vec<_> = facts.iter().map(|fact| vec![scope.into(), fact.into()]).collect();
        Ok(self.backend.get::<FactEvent>(&keys)?.iter().map(Option::is_some).collect())
    }

    fn fact(&self, scope: &Scope, fact: &str) -> Stored<Option<String>> {
        Ok(self.one(&[scope.into(), fact.into()])?.map(|FactEvent(id)| id))
    }

    fn revision(&self, scope: &Scope) -> Stored<u64> {
        Ok(self.backend.account(scope)?.map_or(0, |account| account.revision))
    }

    fn reply(&self, scope: &Scope, caller: &str) -> Stored<Option<Reply>> {
        Ok(self.one(&[scope.into(), caller.into()])?.map(|CallerReply(_, reply)| reply))
    }

    fn newest_data_version(&self, scope: &Scope) -> Stored<Option<u32>> {
        Ok(self.backend.account(scope)?.and_then(|account| account.data_version))
    }

    fn claims(&self, full_keys: &[String]) -> Stored<Vec<Option<ClaimRow>>> {
        let read = |keys: &[&String]| -> Stored<Vec<Option<ClaimRow>>> {
            let cells: Vec<_> = keys.iter().map(|key| vec![Cell::from(*key)]).collect();
            let found = self.backend.get(&cells)?;
            Ok(found.into_iter().map(|found| found.map(|Claim(_, claim)| claim)).collect())
        };
        if !self.in_group {
            return read(&full_keys.iter().collect::<Vec<_>>());
        }
        let is_new = |key: &&String| !self.cache.claims.borrow().contains_key(*key);
        let new: Vec<&String> = full_keys.iter().filter(is_new).collect();
        if !new.is_empty() {
            let found = read(&new)?;
            new.iter().zip(found).for_each(|(key, claim)| self.cache.remember_claim(key, claim));
        }
        let cached = self.cache.claims.borrow();
        Ok(full_keys.iter().map(|key| cached.get(key).cloned().flatten()).collect())
    }

    fn claims_held(&self, scope: &Scope, prefix: &str) -> Stored<Vec<String>> {
        let space = scope.partition().name() + "/";
        let (from, to) = cells(text_range(prefix, false, None));
        let equal = [Cell::from(&scope.account)];
        let found = self.all(&Query { equal: &equal, from, to, ..Query::of(&claims::BY_HOLDER) })?;
        Ok(found.into_iter().map(|ClaimKey(key)| key).filter(|key| key.starts_with(&space)).collect())
    }

    fn claim_keys(&self, prefix: &str, after: Option<&str>, limit: usize) -> Stored<Vec<String>> {
        let (from, to) = cells(text_range(prefix, false, after.map(str::to_owned)));
        let found = self.all(&Query { from, to, limit, ..Query::default() })?;
        Ok(found.into_iter().map(|ClaimKey(key)| key).collect())
    }

    fn claims_each(&self, partition: Option<&Partition>, visit: &mut dyn FnMut(&str, &ClaimRow)) -> Stored<()> {
        let prefix = partition.map_or_else(String::new, |partition| partition.name() + "/");
        let (from, to) = cells(text_range(&prefix, false, None));
        self.backend.find(&Query { from, to, ..Query::default() }, &mut |Claim(key, claim)| {
            visit(&key, &claim);
            Ok(Flow::On)
        })
    }

    fn catalog_find(
        &self,
        partition: &Partition,
        query: &CatalogQuery,
        after: Option<&str>,
        limit: usize,
    ) -> Stored<Vec<Product>> {
        let scope = partition.scope(Account::Platform);
        let kind = kind_prefix(&RowKind::Product);
        let (from, to) = cells(text_range(&kind, false, after.map(|after| format!("{kind}{after}"))));
        let mut tests = vec![(rows::SHOWN, Op::Eq, true.into())];
        match query {
            CatalogQuery::All => {}
            CatalogQuery::ProductType(name) => tests.push((rows::PRODUCT_TYPE, Op::Eq, name.into())),
            CatalogQuery::Name(name) => {
                let equal = [Cell::from(&scope), Reference::Name(name.clone()).to_string().into()];
                let named = self.all(&Query { equal: &equal, from, to, limit, ..Query::default() })?;
                let keys = named.into_iter().map(|ReferrerText(key)| vec![Cell::from(&scope), key.into()]);
                let found = self.backend.get(&keys.collect::<Vec<_>>())?;
                return Ok(found.into_iter().flatten().filter_map(product).collect());
            }
        }
        let query = Query { equal: &[Cell::from(&scope)], from, to, tests: &tests, limit, ..Query::default() };
        Ok(self.all(&query)?.into_iter().filter_map(product).collect())
    }

    fn catalog_read(&self, partition: &Partition, keys: &[CatalogKey]) -> Stored<Vec<Option<CatalogRow>>> {
        let scope = partition.scope(Account::Platform);
        let read = |keys: &[&CatalogKey]| -> Stored<Vec<Option<CatalogRow>>> {
            let cells = |key: &&CatalogKey| Some(vec![Cell::from(&scope), key.row_key()?.to_string().into()]);
            let cells: Vec<_> = keys.iter().map(cells).collect();
            let known: Vec<_> = cells.iter().flatten().cloned().collect();
            let mut found = self.backend.get::<StoredRow>(&known)?.into_iter();
            let row = |key: &Option<_>| CatalogRow::of(key.as_ref().and_then(|_| found.next())??.row);
            Ok(cells.iter().map(row).collect())
        };
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        if !self.in_group {
            return read(&keys.iter().collect::<Vec<_>>());
        }
        let is_known = |key: &CatalogKey| {
            let cached = self.cache.catalog.borrow();
            cached.get(partition).is_some_and(|rows| rows.contains_key(key))
        };
        let new: Vec<&CatalogKey> = keys.iter().filter(|key| !is_known(key)).collect();
        if !new.is_empty() {
            let found = read(&new)?;
            new.iter().zip(found).for_each(|(key, row)| self.cache.remember_catalog(partition, key, row));
        }
        let cached = self.cache.catalog.borrow();
        let rows = cached.get(partition);
        Ok(keys.iter().map(|key| rows.and_then(|rows| rows.get(key).cloned().flatten())).collect())
    }

    fn effect(&self, scope: &Scope, key: &str) -> Stored<Vec<EffectRow>> {
        let mut rows: Vec<EffectRow> =
            self.all(&Query { equal: &[scope.into(), key.into()], ..Query::of(&effects::BY_KEY) })?;
        rows.sort_unstable_by_key(|row| row.seq);
        Ok(rows)
    }

    fn effects_of(&self, scope: &Scope, seq: u64, limit: usize) -> Stored<Vec<EffectRow>> {
        let (equal, tests) = ([scope.into()], [(effects::SEQ, Op::Gt, seq.into())]);
        let mut seqs = self.effect_numbers(&Query { equal: &equal, tests: &tests, ..Query::of(&effects::BY_KEY) })?;
        seqs.sort_unstable();
        self.effects_at(seqs.into_iter().take(limit))
    }

    fn effects_due(&self, query: &DueQuery<'_>) -> Stored<Vec<EffectRow>> {
        let most = if query.turns.is_some() { B::turns_searched() } else { query.limit };
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
            self.backend.find::<DueEffect>(&search, &mut |effect| {
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
        self.effects_at(query.in_order(due).into_iter().map(|effect| effect.seq))
    }

    fn effects_running(&self, partition: &Partition) -> Stored<Vec<EffectRow>> {
        self.all(&Query { equal: &[partition.into()], ..Query::of(&effects::RUNNING) })
    }

    fn effects_awaited(&self, partition: &Partition) -> Stored<Vec<EffectRow>> {
        self.all(&Query { equal: &[partition.into()], ..Query::of(&effects::AWAITED) })
    }

    fn effects_open(&self, partition: &Partition, account: Option<&Account>) -> Stored<Vec<EffectRow>> {
        let Some(account) = account else { return self.effects_open_after(partition, 0, usize::MAX) };
        let scope = partition.scope(account.clone());
        let mut open: Vec<EffectRow> =
            self.all(&Query { equal: &[Cell::from(&scope)], ..Query::of(&effects::OPEN) })?;
        open.sort_unstable_by_key(|row| row.seq);
        Ok(open)
    }

    fn effects_open_after(&self, partition: &Partition, seq: u64, limit: usize) -> Stored<Vec<EffectRow>> {
        let (equal, tests) = ([partition.into()], [(effects::SEQ, Op::Gt, seq.into())]);
        let mut seqs = Vec::new();
        for index in [&effects::RUNNING, &effects::DUE, &effects::DUE_TIMERS] {
            seqs.extend(self.effect_numbers(&Query { equal: &equal, tests: &tests, ..Query::of(index) })?);
        }
        seqs.sort_unstable();
        self.effects_at(seqs.into_iter().take(limit))
    }

    fn effect_at(&self, seq: u64) -> Stored<Option<EffectRow>> {
        self.one(&[seq.into()])
    }

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

    fn event(&self, partition: &Partition, source: &str, id: &str) -> Stored<Option<InboxRow>> {
        let equal = [id.into(), source.into(), partition.into()];
        Ok(self.all(&Query { equal: &equal, limit: 1, ..Query::of(&events::BY_ID) })?.pop())
    }

    fn inbox(&self, seq: u64) -> Stored<Option<InboxRow>> {
        self.one(&[seq.into()])
    }

    fn inbox_after(&self, partition: Option<&Partition>, seq: u64, limit: usize) -> Stored<Vec<InboxRow>> {
        let tests: Vec<_> =
            partition.iter().map(|partition| (events::PARTITION, Op::Eq, Cell::from(*partition))).collect();
        self.all(&Query { from: after(seq), tests: &tests, limit, ..Query::default() })
    }

    fn inbox_of(&self, scope: &Scope, seq: u64, limit: usize) -> Stored<Vec<InboxRow>> {
        let partition = scope.partition();
        let equal = [Cell::from(&scope.account), Cell::from(&partition)];
        self.all(&Query { equal: &equal, from: after(seq), limit, ..Query::of(&events::OF_ACCOUNT) })
    }

    fn effect_results_after(&self, seq: u64, limit: usize) -> Stored<Vec<InboxRow>> {
        self.all(&Query { from: after(seq), limit, ..Query::of(&events::OF_EFFECTS) })
    }

    fn inbox_newest(&self) -> Stored<u64> {
        let newest = self.first(Query { descending: true, ..Query::default() })?;
        Ok(newest.map_or(0, |EventNumber(seq)| seq))
    }

    fn runs(&self, seq: u64) -> Stored<Vec<Run>> {
        self.backend.together(|| {
            let earlier: Vec<EarlierRun> = self.all(&Query { equal: &[seq.into()], ..Query::default() })?;
            let last: Option<EventProgress> = self.one(&[seq.into()])?;
            Ok(earlier.into_iter().map(|earlier| earlier.run).chain(last.and_then(|last| last.run)).collect())
        })
    }

    fn inbox_due(&self, partition: &Partition, now: Timestamp, limit: usize) -> Stored<Vec<u64>> {
        let (equal, more) = ([partition.into(), PENDING.into()], limit.saturating_add(1));
        let to = Bound::Included(now.into());
        let mut due = self.event_numbers(&Query { equal: &equal, to, limit: more, ..Query::of(&events::WAITING) })?;
        if due.len() > limit {
            // More events than the limit: returns the first ones in order of acceptance.
            let tests = [(events::AT, Op::Le, now.into())];
            due = self.event_numbers(&Query { equal: &equal, tests: &tests, limit, ..Query::of(&events::FAILED) })?;
        }
        due.sort_unstable();
        Ok(due)
    }

    fn inbox_next_due(&self, partition: &Partition, now: Timestamp) -> Stored<Option<Timestamp>> {
        let equal = [partition.into(), PENDING.into()];
        let from = Bound::Excluded(now.into());
        let next = self.first(Query { equal: &equal, from, ..Query::of(&events::WAITING) })?;
        Ok(next.map(|EventTime(at)| at))
    }

    fn woken_by(&self, keys: &[String]) -> Stored<Vec<u64>> {
        B::woken_by(self, keys)
    }

    fn parked_before(&self, partition: &Partition, before: Timestamp, limit: usize) -> Stored<Vec<u64>> {
        self.waiting(partition, PARKED, before, limit)
    }

    fn deferred_before(&self, partition: &Partition, before: Timestamp, limit: usize) -> Stored<Vec<u64>> {
        self.waiting(partition, DEFERRED, before, limit)
    }

    fn parked_count(&self, partition: &Partition) -> Stored<u64> {
        if let Some(count) = self.cache.parked.borrow().get(partition).filter(|_| self.in_group) {
            return Ok(*count);
        }
        let equal = [partition.into(), PARKED.into()];
        let count = self.backend.count(&events::TABLE, &Query { equal: &equal, ..Query::of(&events::WAITING) })?;
        if self.in_group {
            self.cache.parked.borrow_mut().insert(partition.clone(), count);
        }
        Ok(count)
    }

    fn dead(&self, partition: &Partition, seq: u64, limit: usize) -> Stored<Vec<InboxRow>> {
        self.unfinished(partition, DEAD, seq, limit)
    }

    fn failed(&self, partition: &Partition, seq: u64, limit: usize) -> Stored<Vec<InboxRow>> {
        let mut failed = self.unfinished(partition, PENDING, seq, limit)?;
        failed.extend(self.unfinished(partition, DEAD, seq, limit)?);
        failed.sort_unstable_by_key(|row| row.seq);
        failed.truncate(limit);
        Ok(failed)
    }

    fn scopes(&self, partition: Option<&Partition>) -> Stored<Vec<Scope>> {
        let mut scopes = self.backend.scopes(partition)?;
        scopes.sort_by_cached_key(|scope| (scope.business.clone(), scope.livemode, scope.account.to_string()));
        Ok(scopes)
    }
}
