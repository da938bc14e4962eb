//! A store that lends another store for each query.

use crate::error::Stored;
use crate::rows::{ClaimRow, DueQuery, EffectRow, InboxRow, OpenedRows, PlaceQuery, Placed, Run};
use crate::scope::{Partition, Scope};
use crate::store::Read;
use extension_contract::{
    Account, CatalogKey, CatalogQuery, CatalogRow, Product, Reference, Reply, RowKey, RowKind, Selection, StoredRow,
    Timestamp,
};

/// Answers each query of [`Read`] from another store.
pub trait Lend {
    /// Calls `body` with the other store.
    ///
    /// # Errors
    /// Fails if no store can be lent now.
    fn lend<T>(&self, body: impl FnOnce(&dyn Read) -> Stored<T>) -> Stored<T>;
}

impl<L: Lend> Read for L {
    fn open(&self, scope: &Scope, named: &[Reference], facts: &[String]) -> Stored<OpenedRows> {
        self.lend(|store| store.open(scope, named, facts))
    }
    fn place(&self, query: &PlaceQuery<'_>) -> Stored<(Vec<Option<ClaimRow>>, Option<Placed>)> {
        self.lend(|store| store.place(query))
    }
    fn load(&self, scope: &Scope, keys: &[RowKey]) -> Stored<Vec<Option<StoredRow>>> {
        self.lend(|store| store.load(scope, keys))
    }
    fn more(&self, scope: &Scope, selection: &Selection, limit: usize) -> Stored<Vec<StoredRow>> {
        self.lend(|store| store.more(scope, selection, limit))
    }
    fn rows_all(&self, scope: &Scope, kind: &RowKind, after: Option<&str>, limit: usize) -> Stored<Vec<StoredRow>> {
        self.lend(|store| store.rows_all(scope, kind, after, limit))
    }
    fn collections(&self, scope: &Scope) -> Stored<Vec<String>> {
        self.lend(|store| store.collections(scope))
    }
    fn known(&self, scope: &Scope, facts: &[String]) -> Stored<Vec<bool>> {
        self.lend(|store| store.known(scope, facts))
    }
    fn fact(&self, scope: &Scope, fact: &str) -> Stored<Option<String>> {
        self.lend(|store| store.fact(scope, fact))
    }
    fn revision(&self, scope: &Scope) -> Stored<u64> {
        self.lend(|store| store.revision(scope))
    }
    fn reply(&self, scope: &Scope, caller: &str) -> Stored<Option<Reply>> {
        self.lend(|store| store.reply(scope, caller))
    }
    fn newest_data_version(&self, scope: &Scope) -> Stored<Option<u32>> {
        self.lend(|store| store.newest_data_version(scope))
    }
    fn claims(&self, full_keys: &[String]) -> Stored<Vec<Option<ClaimRow>>> {
        self.lend(|store| store.claims(full_keys))
    }
    fn claims_held(&self, scope: &Scope, prefix: &str) -> Stored<Vec<String>> {
        self.lend(|store| store.claims_held(scope, prefix))
    }
    fn claim_keys(&self, prefix: &str, after: Option<&str>, limit: usize) -> Stored<Vec<String>> {
        self.lend(|store| store.claim_keys(prefix, after, limit))
    }
    fn claims_each(&self, partition: Option<&Partition>, visit: &mut dyn FnMut(&str, &ClaimRow)) -> Stored<()> {
        self.lend(|store| store.claims_each(partition, visit))
    }
    fn catalog_find(
        &self,
        partition: &Partition,
        query: &CatalogQuery,
        after: Option<&str>,
        limit: usize,
    ) -> Stored<Vec<Product>> {
        self.lend(|store| store.catalog_find(partition, query, after, limit))
    }
    fn catalog_read(&self, partition: &Partition, keys: &[CatalogKey]) -> Stored<Vec<Option<CatalogRow>>> {
        self.lend(|store| store.catalog_read(partition, keys))
    }
    fn effect(&self, scope: &Scope, key: &str) -> Stored<Vec<EffectRow>> {
        self.lend(|store| store.effect(scope, key))
    }
    fn effects_of(&self, scope: &Scope, after: u64, limit: usize) -> Stored<Vec<EffectRow>> {
        self.lend(|store| store.effects_of(scope, after, limit))
    }
    fn effects_due(&self, query: &DueQuery<'_>) -> Stored<Vec<EffectRow>> {
        self.lend(|store| store.effects_due(query))
    }
    fn effects_running(&self, partition: &Partition) -> Stored<Vec<EffectRow>> {
        self.lend(|store| store.effects_running(partition))
    }
    fn effects_awaited(&self, partition: &Partition) -> Stored<Vec<EffectRow>> {
        self.lend(|store| store.effects_awaited(partition))
    }
    fn effects_open(&self, partition: &Partition, account: Option<&Account>) -> Stored<Vec<EffectRow>> {
        self.lend(|store| store.effects_open(partition, account))
    }
    fn effects_open_after(&self, partition: &Partition, after: u64, limit: usize) -> Stored<Vec<EffectRow>> {
        self.lend(|store| store.effects_open_after(partition, after, limit))
    }
    fn effect_at(&self, seq: u64) -> Stored<Option<EffectRow>> {
        self.lend(|store| store.effect_at(seq))
    }
    fn next_due(&self, partition: &Partition, now: Timestamp) -> Stored<Option<Timestamp>> {
        self.lend(|store| store.next_due(partition, now))
    }
    fn event(&self, partition: &Partition, source: &str, id: &str) -> Stored<Option<InboxRow>> {
        self.lend(|store| store.event(partition, source, id))
    }
    fn inbox(&self, seq: u64) -> Stored<Option<InboxRow>> {
        self.lend(|store| store.inbox(seq))
    }
    fn inbox_after(&self, partition: Option<&Partition>, after: u64, limit: usize) -> Stored<Vec<InboxRow>> {
        self.lend(|store| store.inbox_after(partition, after, limit))
    }
    fn inbox_of(&self, scope: &Scope, after: u64, limit: usize) -> Stored<Vec<InboxRow>> {
        self.lend(|store| store.inbox_of(scope, after, limit))
    }
    fn effect_results_after(&self, after: u64, limit: usize) -> Stored<Vec<InboxRow>> {
        self.lend(|store| store.effect_results_after(after, limit))
    }
    fn inbox_newest(&self) -> Stored<u64> {
        self.lend(|store| store.inbox_newest())
    }
    fn runs(&self, seq: u64) -> Stored<Vec<Run>> {
        self.lend(|store| store.runs(seq))
    }
    fn inbox_due(&self, partition: &Partition, now: Timestamp, limit: usize) -> Stored<Vec<u64>> {
        self.lend(|store| store.inbox_due(partition, now, limit))
    }
    fn inbox_next_due(&self, partition: &Partition, now: Timestamp) -> Stored<Option<Timestamp>> {
        self.lend(|store| store.inbox_next_due(partition, now))
    }
    fn woken_by(&self, keys: &[String]) -> Stored<Vec<u64>> {
        self.lend(|store| store.woken_by(keys))
    }
    fn parked_before(&self, partition: &Partition, before: Timestamp, limit: usize) -> Stored<Vec<u64>> {
        self.lend(|store| store.parked_before(partition, before, limit))
    }
    fn deferred_before(&self, partition: &Partition, before: Timestamp, limit: usize) -> Stored<Vec<u64>> {
        self.lend(|store| store.deferred_before(partition, before, limit))
    }
    fn parked_count(&self, partition: &Partition) -> Stored<u64> {
        self.lend(|store| store.parked_count(partition))
    }
    fn dead(&self, partition: &Partition, after: u64, limit: usize) -> Stored<Vec<InboxRow>> {
        self.lend(|store| store.dead(partition, after, limit))
    }
    fn failed(&self, partition: &Partition, after: u64, limit: usize) -> Stored<Vec<InboxRow>> {
        self.lend(|store| store.failed(partition, after, limit))
    }
    fn scopes(&self, partition: Option<&Partition>) -> Stored<Vec<Scope>> {
        self.lend(|store| store.scopes(partition))
    }
}
