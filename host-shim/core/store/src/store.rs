//! What a store must do. Two implementations, one conformance suite.

use crate::changes::{Applied, Changes};
use crate::memory::MemoryStore;
use crate::rows::{ClaimRow, EffectRow, InboxRow, OpenedRows, Run};
use crate::scope::{Partition, Scope};
use extension_contract::{
    Account, CatalogKey, CatalogQuery, CatalogRow, Product, Reference, Reply, RowKey, RowKind, Selection, Stored,
    StoredRow, Timestamp,
};

/// Rows, kept. Every error is `StoreError::Unavailable` unless a unique index says `Taken`.
///
/// **Group commit.** Between [`Store::begin`] and [`Store::commit`] nothing is durable and everything is visible to
/// this store's own reads. Outside of a group each [`Store::apply`] is durable when it returns.
///
/// **Revisions.** An account's revision rises by one with each applied change that has rows, facts or claims. A change
/// that names the revision it was decided at is a conflict once the account is at another.
///
/// A list of keys is answered by a list of the same length and order.
pub trait Store: Send {
    /// Begin a group.
    fn begin(&mut self) -> Stored<()>;
    /// Make the group durable.
    fn commit(&mut self) -> Stored<()>;
    /// Throw the group away.
    fn rollback(&mut self) -> Stored<()>;

    /// Apply what an event changed: all of it, under a savepoint of its own, or nothing. A conflict if something is not
    /// as `expected` says, or if a new event's business, mode, source and id are in the inbox.
    fn apply(&mut self, changes: &Changes) -> Stored<Applied>;

    /// What an event of the account needs, in one read.
    ///
    /// `rows` are the live rows, those that are `named`, and at most
    /// [`REFERENCES_MAX`](extension_contract::REFERENCES_MAX) that are not live, the named ones among them: from the
    /// named rows breadth first over references in both directions, each row's own references before what refers to
    /// it; then from the live rows over their own references. A soft-deleted product comes only if it is named or
    /// referred to. `catalog` is what of the catalog's products and prices the named references and those of the rows
    /// name, each once.
    fn open(&self, scope: &Scope, named: &[Reference], facts: &[String]) -> Stored<OpenedRows>;
    /// Rows of the scope by their keys, soft-deleted products too.
    fn load(&self, scope: &Scope, keys: &[RowKey]) -> Stored<Vec<Option<StoredRow>>>;
    /// Rows of the scope: listed in byte order of their ids, or outdated ones, least recently written first. Without
    /// soft-deleted products.
    fn more(&self, scope: &Scope, selection: &Selection, limit: usize) -> Stored<Vec<StoredRow>>;
    /// Rows of a kind in byte order of their ids, after `after`, soft-deleted products too.
    fn rows_all(&self, scope: &Scope, kind: &RowKind, after: Option<&str>, limit: usize) -> Stored<Vec<StoredRow>>;
    /// Collections of the scope that have records, in byte order.
    fn collections(&self, scope: &Scope) -> Stored<Vec<String>>;
    /// Whether each of these facts of the scope is noted.
    fn known(&self, scope: &Scope, facts: &[String]) -> Stored<Vec<bool>>;
    /// Id of the event that noted a fact of the scope.
    fn fact(&self, scope: &Scope, fact: &str) -> Stored<Option<String>>;
    /// Revision of the scope, 0 for a new one.
    fn revision(&self, scope: &Scope) -> Stored<u64>;
    /// The last answer to a caller of the scope; none once its account was erased.
    fn reply(&self, scope: &Scope, caller: &str) -> Stored<Option<Reply>>;
    /// Newest data version that a row of the scope was ever written with; none for a new scope.
    fn newest_data_version(&self, scope: &Scope) -> Stored<Option<u32>>;

    /// Claims by their full keys.
    fn claims(&self, full_keys: &[String]) -> Stored<Vec<Option<ClaimRow>>>;
    /// Full keys that begin with `prefix` and are held by the scope's account, in order.
    fn claims_held(&self, scope: &Scope, prefix: &str) -> Stored<Vec<String>>;
    /// Every claim and block of a partition, or of all, in order of the full keys.
    fn claims_each(&self, partition: Option<&Partition>, visit: &mut dyn FnMut(&str, &ClaimRow)) -> Stored<()>;

    /// Products of the catalog in byte order of their ids, after `after`, without deleted ones.
    fn catalog_find(
        &self,
        partition: &Partition,
        query: &CatalogQuery,
        after: Option<&str>,
        limit: usize,
    ) -> Stored<Vec<Product>>;
    /// Products, deleted ones too, and prices of the catalog. A setting is not in a store: none.
    fn catalog_read(&self, partition: &Partition, keys: &[CatalogKey]) -> Stored<Vec<Option<CatalogRow>>>;

    /// The generations of an effect of the scope, oldest first, finished ones included.
    fn effect(&self, scope: &Scope, key: &str) -> Stored<Vec<EffectRow>>;
    /// All effects of the scope, finished and cancelled ones included, in order of `seq`, after `after`.
    fn effects_of(&self, scope: &Scope, after: u64, limit: usize) -> Stored<Vec<EffectRow>>;
    /// Effects that may begin at `now`: queued, due, and first of their ordering key; in order of due time, then `seq`.
    /// Without `timers`, those of kind `timer.at` are left out (a replay whose timers do not fire may hold many).
    fn effects_due(&self, partition: &Partition, now: Timestamp, timers: bool, limit: usize) -> Stored<Vec<EffectRow>>;
    /// Effects that are running, in order of `seq`: those whose host stopped, to a host that starts.
    fn effects_running(&self, partition: &Partition) -> Stored<Vec<EffectRow>>;
    /// All effects that are not finished, in order of `seq`; of every account if none is given.
    fn effects_open(&self, partition: &Partition, account: Option<&Account>) -> Stored<Vec<EffectRow>>;
    /// Time of the next effect that becomes due after `now`, timers and retries included.
    fn next_due(&self, partition: &Partition, now: Timestamp) -> Stored<Option<Timestamp>>;

    /// The row of an event by what makes it one: it is stored once.
    fn event(&self, partition: &Partition, source: &str, id: &str) -> Stored<Option<InboxRow>>;
    /// An inbox row by its number.
    fn inbox(&self, seq: u64) -> Stored<Option<InboxRow>>;
    /// Inbox rows of all partitions in order of acceptance, after `after`.
    fn inbox_after(&self, after: u64, limit: usize) -> Stored<Vec<InboxRow>>;
    /// The runs of an event, first to last.
    fn runs(&self, seq: u64) -> Stored<Vec<Run>>;
    /// The latest time at which an event of the partition was accepted or ran; none before the first. Reads every run.
    fn latest(&self, partition: &Partition) -> Stored<Option<Timestamp>>;
    /// Pending rows that may be tried at `now`, in order of acceptance.
    fn inbox_due(&self, partition: &Partition, now: Timestamp, limit: usize) -> Stored<Vec<u64>>;
    /// Time of the next pending row that becomes due after `now`.
    fn inbox_next_due(&self, partition: &Partition, now: Timestamp) -> Stored<Option<Timestamp>>;
    /// Parked or deferred rows that wait for one of these full keys, in order of acceptance. A full key is
    /// `claim:` and a full claim key, or `fact:` / `effect:`, a scope's name and the fact or effect key.
    fn woken_by(&self, keys: &[String]) -> Stored<Vec<u64>>;
    /// Parked rows that wait since before a time, longest first.
    fn parked_before(&self, partition: &Partition, before: Timestamp, limit: usize) -> Stored<Vec<u64>>;
    /// Deferred rows that wait since before a time, longest first.
    fn deferred_before(&self, partition: &Partition, before: Timestamp, limit: usize) -> Stored<Vec<u64>>;
    /// Number of parked rows.
    fn parked_count(&self, partition: &Partition) -> Stored<u64>;
    /// Dead letters in order of acceptance, after `after`.
    fn dead(&self, partition: &Partition, after: u64, limit: usize) -> Stored<Vec<InboxRow>>;
    /// Rows that wait for an attempt and dead letters in order of acceptance, after `after`.
    fn failed(&self, partition: &Partition, after: u64, limit: usize) -> Stored<Vec<InboxRow>>;

    /// Another store with the same rows that goes its own way, where that costs next to nothing: none from a store on
    /// disk.
    fn fork(&self) -> Option<MemoryStore> {
        None
    }

    /// Every scope that rows were written in, in order of business, mode (test first) and account text.
    fn scopes(&self) -> Stored<Vec<Scope>>;
}
