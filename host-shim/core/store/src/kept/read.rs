//! The queries of a store.

use super::tables::{after, cells};
use super::{Kept, Tables};
use crate::cell::Cell;
use crate::error::Stored;
use crate::json::{DEAD, DEFERRED, PARKED, PENDING};
use crate::prefix::{kind_prefix, text_range};
use crate::query::{Op, Query};
use crate::records::{CallerReply, Claim, ClaimKey, EventNumber, EventTime, Fact};
use crate::rows::{AccountRow, ClaimRow, DueQuery, EffectRow, InboxRow, OpenedRows, PlaceQuery, Placed, Run, Wait};
use crate::schema::{claims, effects, events, rows};
use crate::scope::{Partition, Scope};
use crate::store::Read;
use extension_contract::{
    Account, CatalogKey, CatalogQuery, CatalogRow, Listing, Product, Reference, Reply, Row, RowKey, RowKind, Selection,
    StoredRow, Timestamp,
};
use std::ops::Bound;

fn product(stored: StoredRow) -> Option<Product> {
    match stored.row {
        Row::Product(product) => Some(product),
        _ => None,
    }
}

impl<B: Tables> Kept<B> {
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
}

impl<B: Tables> Read for Kept<B> {
    fn open(&self, scope: &Scope, named: &[Reference], facts: &[String]) -> Stored<OpenedRows> {
        B::open(self, scope, named, facts)
    }

    fn place(&self, query: &PlaceQuery<'_>) -> Stored<(Vec<Option<ClaimRow>>, Option<Placed>)> {
        B::place(self, query)
    }

    fn load(&self, scope: &Scope, keys: &[RowKey]) -> Stored<Vec<Option<StoredRow>>> {
        let keys: Vec<_> = keys.iter().map(|key| vec![scope.into(), key.to_string().into()]).collect();
        self.backend.get(&keys)
    }

    fn more(&self, scope: &Scope, selection: &Selection, limit: usize) -> Stored<Vec<StoredRow>> {
        match selection {
            Selection::Listed(listing) => self.listed(scope, listing, limit),
            Selection::Outdated(kind, fingerprint) => self.backend.outdated(scope, kind, fingerprint, limit),
        }
    }

    fn rows_all(&self, scope: &Scope, kind: &RowKind, after: Option<&str>, limit: usize) -> Stored<Vec<StoredRow>> {
        let kind = kind_prefix(kind);
        let (from, to) = cells(text_range(&kind, false, after.map(|after| format!("{kind}{after}"))));
        let query = Query { equal: &[scope.into()], from, to, limit, ..Query::default() };
        self.all(&query)
    }

    fn collections(&self, scope: &Scope) -> Stored<Vec<String>> {
        self.backend.collections(scope)
    }

    fn known(&self, scope: &Scope, facts: &[String]) -> Stored<Vec<bool>> {
        if facts.is_empty() {
            return Ok(Vec::new());
        }
        let keys: Vec<_> = facts.iter().map(|fact| vec![scope.into(), fact.into()]).collect();
        Ok(self.backend.get::<Fact>(&keys)?.iter().map(Option::is_some).collect())
    }

    fn account(&self, scope: &Scope) -> Stored<AccountRow> {
        Ok(self.backend.account(scope)?.unwrap_or_default())
    }

    fn reply(&self, scope: &Scope, caller: &str) -> Stored<Option<Reply>> {
        Ok(self.one(&[scope.into(), caller.into()])?.map(|CallerReply(_, reply)| reply))
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

    fn claims_after(&self, prefix: &str, after: Option<&str>, limit: usize) -> Stored<Vec<(String, ClaimRow)>> {
        let (from, to) = cells(text_range(prefix, false, after.map(str::to_owned)));
        let found = self.all(&Query { from, to, limit, ..Query::default() })?;
        Ok(found.into_iter().map(|Claim(key, claim)| (key, claim)).collect())
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
                let target = Reference::Name(name.clone()).to_string();
                let found = self.backend.referrers(&scope, &target, (from, to), limit)?;
                return Ok(found.into_iter().filter_map(product).collect());
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
        self.backend.effects_of(scope, seq, limit)
    }

    fn effects_due(&self, query: &DueQuery<'_>) -> Stored<Vec<EffectRow>> {
        self.backend.effects_due(query)
    }

    fn effects_running(&self, partition: &Partition) -> Stored<Vec<EffectRow>> {
        self.all(&Query { equal: &[partition.into()], ..Query::of(&effects::RUNNING) })
    }

    fn effects_awaited(&self, partition: &Partition) -> Stored<Vec<EffectRow>> {
        self.all(&Query { equal: &[partition.into()], ..Query::of(&effects::AWAITED) })
    }

    fn effects_open(&self, scope: &Scope) -> Stored<Vec<EffectRow>> {
        let mut open: Vec<EffectRow> = self.all(&Query { equal: &[scope.into()], ..Query::of(&effects::OPEN) })?;
        open.sort_unstable_by_key(|row| row.seq);
        Ok(open)
    }

    fn effects_open_after(&self, partition: &Partition, seq: u64, limit: usize) -> Stored<Vec<EffectRow>> {
        self.backend.effects_open_after(partition, seq, limit)
    }

    fn effect_at(&self, seq: u64) -> Stored<Option<EffectRow>> {
        self.one(&[seq.into()])
    }

    fn next_due(&self, partition: &Partition, now: Timestamp) -> Stored<Option<Timestamp>> {
        self.backend.next_due(partition, now)
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
        let to = self.backend.log_end()?;
        self.all(&Query { from: after(seq), to, tests: &tests, limit, ..Query::default() })
    }

    fn inbox_of(&self, scope: &Scope, seq: u64, limit: usize) -> Stored<Vec<InboxRow>> {
        let partition = scope.partition();
        let equal = [Cell::from(&scope.account), Cell::from(&partition)];
        let to = self.backend.log_end()?;
        self.all(&Query { equal: &equal, from: after(seq), to, limit, ..Query::of(&events::OF_ACCOUNT) })
    }

    fn effect_results_after(&self, seq: u64, limit: usize) -> Stored<Vec<InboxRow>> {
        let to = self.backend.log_end()?;
        self.all(&Query { from: after(seq), to, limit, ..Query::of(&events::OF_EFFECTS) })
    }

    fn inbox_newest(&self) -> Stored<u64> {
        let newest = self.first(Query { to: self.backend.log_end()?, descending: true, ..Query::default() })?;
        Ok(newest.map_or(0, |EventNumber(seq)| seq))
    }

    fn runs(&self, seq: u64) -> Stored<Vec<Run>> {
        self.backend.runs(seq)
    }

    fn inbox_due(&self, partition: &Partition, now: Timestamp, limit: usize) -> Stored<Vec<u64>> {
        self.backend.inbox_due(partition, now, limit)
    }

    fn inbox_next_due(&self, partition: &Partition, now: Timestamp) -> Stored<Option<Timestamp>> {
        let equal = [partition.into(), PENDING.into()];
        let from = Bound::Excluded(now.into());
        let next = self.first(Query { equal: &equal, from, ..Query::of(&events::WAITING) })?;
        Ok(next.map(|EventTime(at)| at))
    }

    fn woken_by(&self, keys: &[String]) -> Stored<Vec<u64>> {
        self.backend.woken_by(keys)
    }

    fn waiting_before(&self, partition: &Partition, wait: Wait, before: Timestamp, limit: usize) -> Stored<Vec<u64>> {
        let state = match wait {
            Wait::Parked => PARKED,
            Wait::Deferred => DEFERRED,
        };
        let equal = [partition.into(), state.into()];
        let to = Bound::Excluded(before.into());
        let waiting = self.all(&Query { equal: &equal, to, limit, ..Query::of(&events::WAITING) })?;
        Ok(waiting.into_iter().map(|EventNumber(seq)| seq).collect())
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
        let equal = [partition.into(), DEAD.into()];
        self.all(&Query { equal: &equal, from: after(seq), limit, ..Query::of(&events::FAILED) })
    }

    fn failed(&self, partition: &Partition, seq: u64, limit: usize) -> Stored<Vec<InboxRow>> {
        self.backend.failed(partition, seq, limit)
    }

    fn scopes(&self, partition: Option<&Partition>) -> Stored<Vec<Scope>> {
        let mut scopes = self.backend.scopes(partition)?;
        scopes.sort_by_cached_key(|scope| (scope.business.clone(), scope.livemode, scope.account.to_string()));
        Ok(scopes)
    }
}
