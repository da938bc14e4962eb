//! What a store must do. Two implementations, one conformance suite.

use crate::changes::Changes;
use crate::rows::{ClaimRow, EffectRow, InboxRow, NewInboxRow};
use crate::scope::Scope;
use products_contract::{
    Price, Product, Purchase, PurchaseKey, RecordKey, StoreError, StoredRecord, Subscription, Timestamp,
};

/// What became of a new inbox row.
#[derive(Clone, Debug, PartialEq)]
pub enum Inserted {
    /// It is in, under this number.
    New(u64),
    /// The same business, mode, source and id is in already.
    Known(Box<InboxRow>),
}

/// Rows, kept. Every error is `StoreError::Unavailable` unless a unique index says `Taken`.
///
/// **Group commit.** Between [`Store::begin`] and [`Store::commit`] nothing is durable and everything is visible to
/// this store's own reads. Outside of a group each [`Store::apply`] and [`Store::accept`] is durable when it returns.
pub trait Store: Send {
    /// Begin a group.
    fn begin(&mut self) -> Result<(), StoreError>;
    /// Make the group durable.
    fn commit(&mut self) -> Result<(), StoreError>;
    /// Throw the group away.
    fn rollback(&mut self) -> Result<(), StoreError>;

    /// Store an event that came in, or find the one that is there.
    fn accept(&mut self, row: &NewInboxRow) -> Result<Inserted, StoreError>;
    /// Apply what an event changed: all of it, under a savepoint of its own, or nothing.
    fn apply(&mut self, changes: &Changes) -> Result<(), StoreError>;

    /// A product of the scope, soft-deleted ones included.
    fn product(&self, scope: &Scope, id: &str) -> Result<Option<Product>, StoreError>;
    /// Products of the scope in byte order of their ids, after `after`, without deleted ones.
    fn products(
        &self,
        scope: &Scope,
        product_type: Option<&str>,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Product>, StoreError>;
    /// Products of the scope in byte order of their ids, after `after`, deleted ones too.
    fn products_all(&self, scope: &Scope, after: Option<&str>, limit: usize) -> Result<Vec<Product>, StoreError>;
    /// A price of the catalog that the scope reads.
    fn price(&self, scope: &Scope, id: &str) -> Result<Option<Price>, StoreError>;
    /// Prices of the catalog that the scope reads, in order of their ids.
    fn prices(&self, scope: &Scope, after: Option<&str>, limit: usize) -> Result<Vec<Price>, StoreError>;
    /// A purchase of the scope.
    fn purchase(&self, scope: &Scope, key: &PurchaseKey) -> Result<Option<Purchase>, StoreError>;
    /// Purchases of the scope in order of their ids.
    fn purchases(&self, scope: &Scope, after: Option<&str>, limit: usize) -> Result<Vec<Purchase>, StoreError>;
    /// A subscription of the scope.
    fn subscription(&self, scope: &Scope, id: &str) -> Result<Option<Subscription>, StoreError>;
    /// Subscriptions of the scope in order of their ids.
    fn subscriptions(&self, scope: &Scope, after: Option<&str>, limit: usize) -> Result<Vec<Subscription>, StoreError>;
    /// A record of the scope.
    fn record(&self, scope: &Scope, key: &RecordKey) -> Result<Option<StoredRecord>, StoreError>;
    /// Records of the scope whose ids begin with `prefix`, in byte order or its reverse, beyond `after`.
    fn records(
        &self,
        scope: &Scope,
        collection: &str,
        prefix: &str,
        descending: bool,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<StoredRecord>, StoreError>;
    /// Collections of the scope that have records, in byte order.
    fn collections(&self, scope: &Scope) -> Result<Vec<String>, StoreError>;
    /// Id of the event that noted a fact of the scope.
    fn fact(&self, scope: &Scope, fact: &str) -> Result<Option<String>, StoreError>;
    /// A claim by its full key.
    fn claim(&self, full_key: &str) -> Result<Option<ClaimRow>, StoreError>;
    /// Full keys that begin with `prefix` and are held by the scope's account, in order.
    fn claims_held(&self, scope: &Scope, prefix: &str) -> Result<Vec<String>, StoreError>;
    /// Every claim and block in order of the full keys, of all businesses and modes.
    fn claims_each(&self, visit: &mut dyn FnMut(&str, &ClaimRow)) -> Result<(), StoreError>;
    /// The generations of an effect of the scope, oldest first, finished ones included.
    fn effect(&self, scope: &Scope, key: &str) -> Result<Vec<EffectRow>, StoreError>;
    /// Data version that the scope's rows were written with; none for a new account.
    fn data_version(&self, scope: &Scope) -> Result<Option<u32>, StoreError>;

    /// Effects that may begin at `now`: queued, due, and first of their ordering key; in order of due time, then `seq`.
    /// Without `timers`, those of kind `timer.at` are left out (a replay whose timers do not fire may hold many).
    fn effects_due(&self, now: Timestamp, timers: bool, limit: usize) -> Result<Vec<EffectRow>, StoreError>;
    /// Effects that were running when the host stopped.
    fn effects_running(&self) -> Result<Vec<EffectRow>, StoreError>;
    /// All effects of the scope that are not finished, in order of `seq`; of every scope if none is given.
    fn effects_open(&self, scope: Option<&Scope>) -> Result<Vec<EffectRow>, StoreError>;
    /// Time of the next effect that becomes due after `now`, timers and retries included.
    fn next_due(&self, now: Timestamp) -> Result<Option<Timestamp>, StoreError>;

    /// An inbox row by its number.
    fn inbox(&self, seq: u64) -> Result<Option<InboxRow>, StoreError>;
    /// Inbox rows in order of acceptance, after `after`.
    fn inbox_after(&self, after: u64, limit: usize) -> Result<Vec<InboxRow>, StoreError>;
    /// Pending rows that may be tried at `now`, in order of acceptance.
    fn inbox_due(&self, now: Timestamp, limit: usize) -> Result<Vec<u64>, StoreError>;
    /// Time of the next pending row that becomes due after `now`.
    fn inbox_next_due(&self, now: Timestamp) -> Result<Option<Timestamp>, StoreError>;
    /// Parked or deferred rows that wait for one of these full keys, in order of acceptance. A full key is
    /// `claim:` and a full claim key, or `fact:` / `effect:`, a partition, a space and the fact or effect key.
    fn woken_by(&self, keys: &[String]) -> Result<Vec<u64>, StoreError>;
    /// Parked rows accepted before a time, in order of acceptance.
    fn parked_before(&self, before: Timestamp, limit: usize) -> Result<Vec<u64>, StoreError>;
    /// Number of parked rows.
    fn parked_count(&self) -> Result<u64, StoreError>;

    /// Every scope that rows were written in, in order of business, mode (test first) and account text.
    fn scopes(&self) -> Result<Vec<Scope>, StoreError>;
}
