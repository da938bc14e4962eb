//! The store in memory, for replay and tests. It has the guarantees of the store on disk, except durability.

mod account;
mod claims;
mod inbox;
mod outbox;
mod same;

use crate::changes::{Applied, Changes, Conflict, Expected, ExpectedEffect, ExpectedGenerations, InboxChange};
use crate::error::{StoreError, Stored};
use crate::reach::{catalog_keys, reach};
use crate::refusal::{Lookup, UniqueField, check};
use crate::rows::{
    AccountRow, ClaimRow, DueQuery, EFFECT_RESULTS, EffectRow, InboxRow, LeaseRequest, OpenedRows, PlaceQuery, Placed,
    Run, Wait,
};
use crate::scope::{Partition, Scope};
use crate::store::{Lend, Read, Reader, Store, place_by_steps};
use account::{AccountRows, AccountUndo};
use claims::Claims;
use extension_contract::{
    Account, CatalogKey, CatalogQuery, CatalogRow, Product, Reference, Reply, RowKey, RowKind, Selection, StoredRow,
    Timestamp,
};
use inbox::{Inbox, InboxUndo};
use outbox::{Outbox, OutboxUndo};
use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// A store in memory, with the indexes for the queries of [`Read`].
///
/// A fork shares all data with its original. Before the first write to a shared part, for example to the map of an
/// account's rows, the writing store copies this part, but not the rows themselves. Persistent maps would avoid the
/// copy, but slow every replay: rpds takes two to three times as long for a look-up by hash, and eight times as long
/// for a scan. `deny.toml` excludes the licence of imbl.
#[derive(Debug, Default)]
pub struct MemoryStore {
    accounts: Arc<HashMap<Arc<Scope>, Arc<AccountRows>>>,
    claims: Arc<Claims>,
    outbox: Arc<Outbox>,
    inbox: Arc<Inbox>,
    /// Undo entries of the open group, in the order of its changes. The next group reuses the allocation.
    journal: Vec<Undo>,
    in_group: bool,
    /// The state of the last commit, for the open readers; none without readers.
    published: RefCell<Weak<Mutex<MemoryStore>>>,
}

#[derive(Debug)]
enum Undo {
    NewAccount(Scope),
    Account(Scope, Box<AccountUndo>),
    Claim(String, Option<ClaimRow>),
    Outbox(OutboxUndo),
    Inbox(InboxUndo),
}

impl MemoryStore {
    /// Returns an empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns an independent store with the same rows, at the cost of four pointers. It includes the changes of an
    /// open group, but has no open group itself.
    pub fn fork(&self) -> MemoryStore {
        MemoryStore {
            accounts: self.accounts.clone(),
            claims: self.claims.clone(),
            outbox: self.outbox.clone(),
            inbox: self.inbox.clone(),
            journal: Vec::new(),
            in_group: false,
            published: RefCell::default(),
        }
    }

    /// Returns the state of the last commit, which later commits replace.
    fn published(&self) -> Arc<Mutex<MemoryStore>> {
        let mut published = self.published.borrow_mut();
        published.upgrade().unwrap_or_else(|| {
            let new = Arc::new(Mutex::new(self.fork()));
            *published = Arc::downgrade(&new);
            new
        })
    }

    /// Publishes the state to the readers, if any. A state that readers share is copied before its next change.
    fn publish(&self) {
        if let Some(published) = self.published.borrow().upgrade() {
            *published.lock().unwrap_or_else(PoisonError::into_inner) = self.fork();
        }
    }

    fn rows_of(&self, scope: &Scope) -> Option<&AccountRows> {
        self.accounts.get(scope).map(|account| &**account)
    }

    fn catalog(&self, partition: &Partition) -> Option<&AccountRows> {
        self.rows_of(&partition.scope(Account::Platform))
    }

    fn revision_of(&self, scope: &Scope) -> u64 {
        self.rows_of(scope).map_or(0, |account| account.revision)
    }

    /// Returns the first condition of a change that does not hold, if any.
    fn conflict(&self, changes: &Changes) -> Option<Conflict> {
        let Expected { account_revision, catalog_revision, claims, effects, generations, inbox } = &changes.expected;
        let state_of = |change: &Option<InboxChange>| match change {
            Some(InboxChange::Move(change)) => self.inbox.state(change.seq),
            _ => None,
        };
        if inbox.as_ref().is_some_and(|expected| state_of(&changes.inbox).is_some_and(|state| state != expected)) {
            return Some(Conflict::Event);
        }
        let is_expected = |expected: &ExpectedEffect| {
            let scope = changes.scope.as_ref();
            let found = scope.and_then(|scope| self.outbox.find(scope, &expected.key, expected.generation));
            found.is_some_and(|seq| self.outbox.has_lease(seq, expected.state, expected.lease))
        };
        let has_generations = |expected: &ExpectedGenerations| {
            let scope = changes.scope.as_ref();
            scope.is_some_and(|scope| self.outbox.has_generations(scope, &expected.key, &expected.generations))
        };
        if !(effects.iter().all(is_expected) && generations.iter().all(has_generations)) {
            return Some(Conflict::Effect);
        }
        let at = |revision: &Option<u64>, scope: &dyn Fn(&Scope) -> u64| match (revision, &changes.scope) {
            (Some(revision), Some(of)) => *revision == scope(of),
            _ => true,
        };
        let are_unchanged = at(account_revision, &|scope| self.revision_of(scope))
            && at(catalog_revision, &|scope| self.revision_of(&scope.catalog()))
            && claims.iter().all(|(key, row)| self.claims.row(key) == row.as_ref());
        match &changes.inbox {
            _ if !are_unchanged => Some(Conflict::Read),
            Some(InboxChange::New(new)) if self.inbox.contains(new) => Some(Conflict::Event),
            _ => None,
        }
    }

    fn end_group(&mut self) -> Stored<()> {
        match std::mem::take(&mut self.in_group) {
            true => Ok(()),
            false => Err(StoreError::Misuse("no group is open".into())),
        }
    }

    fn record(&mut self, undo: impl FnOnce() -> Undo) {
        if self.in_group {
            self.journal.push(undo());
        }
    }

    fn apply_rows(&mut self, scope: &Scope, changes: &Changes) {
        for (key, row) in &changes.claims {
            let old = Arc::make_mut(&mut self.claims).set(key, row.clone());
            self.record(|| Undo::Claim(key.clone(), old));
        }
        for change in &changes.effects {
            let undo = Arc::make_mut(&mut self.outbox).change(scope, change);
            self.record(|| Undo::Outbox(undo));
        }
        let accounts = Arc::make_mut(&mut self.accounts);
        let new = !accounts.contains_key(scope);
        if new {
            accounts.insert(Arc::new(scope.clone()), Arc::default());
        }
        let undo = accounts.get_mut(scope).map(|account| Arc::make_mut(account).apply(changes));
        if new {
            self.record(|| Undo::NewAccount(scope.clone()));
        } else if let Some(undo) = undo {
            self.record(|| Undo::Account(scope.clone(), Box::new(undo)));
        }
    }

    fn apply_inbox(&mut self, change: &InboxChange) -> Option<u64> {
        let inbox = Arc::make_mut(&mut self.inbox);
        let (undo, seq) = match change {
            InboxChange::New(new) => {
                let seq = inbox.insert(new);
                (InboxUndo::Inserted, Some(seq))
            }
            InboxChange::Move(change) => (inbox.change(change), None),
        };
        self.record(|| Undo::Inbox(undo));
        seq
    }

    fn erase(&mut self, scope: &Scope) {
        let undo = Arc::make_mut(&mut self.inbox).erase(scope);
        self.record(|| Undo::Inbox(undo));
        let undo = Arc::make_mut(&mut self.outbox).erase(scope);
        self.record(|| Undo::Outbox(undo));
    }
}

impl Store for MemoryStore {
    fn begin(&mut self) -> Stored<()> {
        if self.in_group {
            return Err(StoreError::Misuse("a group is already open".into()));
        }
        self.in_group = true;
        Ok(())
    }

    fn commit(&mut self) -> Stored<()> {
        self.end_group()?;
        self.journal.clear();
        self.publish();
        Ok(())
    }

    fn rollback(&mut self) -> Stored<()> {
        self.end_group()?;
        while let Some(undo) = self.journal.pop() {
            match undo {
                Undo::NewAccount(scope) => drop(Arc::make_mut(&mut self.accounts).remove(&scope)),
                Undo::Account(scope, undo) => {
                    if let Some(account) = Arc::make_mut(&mut self.accounts).get_mut(&scope) {
                        Arc::make_mut(account).undo(*undo);
                    }
                }
                Undo::Claim(key, row) => drop(Arc::make_mut(&mut self.claims).set(&key, row)),
                Undo::Outbox(undo) => Arc::make_mut(&mut self.outbox).undo(undo),
                Undo::Inbox(undo) => Arc::make_mut(&mut self.inbox).undo(undo),
            }
        }
        Ok(())
    }

    fn apply(&mut self, changes: &Changes) -> Stored<Applied> {
        changes.check()?;
        if let Some(conflict) = self.conflict(changes) {
            return Ok(Applied::Conflict(conflict));
        }
        check(changes, &ScopeLookup { store: self, scope: changes.scope.as_ref() })?;
        if let Some(scope) = changes.scope.as_ref().filter(|_| changes.has_rows()) {
            self.apply_rows(scope, changes);
        }
        let seq = changes.inbox.as_ref().and_then(|change| self.apply_inbox(change));
        if let Some(scope) = changes.scope.as_ref().filter(|_| changes.erase) {
            self.erase(scope);
        }
        if !self.in_group {
            self.publish();
        }
        Ok(Applied::Done { seq })
    }

    fn lease(&mut self, request: &LeaseRequest<'_>) -> Stored<Vec<EffectRow>> {
        let (leased, undo) = Arc::make_mut(&mut self.outbox).lease(request);
        undo.into_iter().for_each(|undo| self.record(|| Undo::Outbox(undo)));
        if !self.in_group {
            self.publish();
        }
        Ok(leased)
    }

    fn reader(&self) -> Stored<Box<dyn Reader>> {
        if self.in_group {
            return Err(StoreError::Misuse("a reader is opened outside of a group".into()));
        }
        Ok(Box::new(MemoryReader { published: self.published(), snapshot: None }))
    }
}

impl Read for MemoryStore {
    fn open(&self, scope: &Scope, named: &[Reference], facts: &[String]) -> Stored<OpenedRows> {
        let new = AccountRows::default();
        let account = self.rows_of(scope).unwrap_or(&new);
        let rows = reach(account, account.live(), named)?;
        let catalog = self.catalog(&scope.partition());
        let references = rows.values().flat_map(|entry| &entry.references);
        let keys = catalog_keys(named.iter().chain(references));
        Ok(OpenedRows {
            account_revision: account.revision,
            catalog_revision: catalog.map_or(0, |catalog| catalog.revision),
            catalog: catalog.map_or_else(Vec::new, |catalog| {
                keys.into_iter().filter_map(|key| catalog_row(catalog, key)).collect()
            }),
            rows: rows.into_values().map(|entry| entry.stored.clone()).collect(),
            facts: facts.iter().map(|fact| account.facts.contains(fact.as_str())).collect(),
        })
    }

    fn place(&self, query: &PlaceQuery<'_>) -> Stored<(Vec<Option<ClaimRow>>, Option<Placed>)> {
        place_by_steps(self, query)
    }

    fn load(&self, scope: &Scope, keys: &[RowKey]) -> Stored<Vec<Option<StoredRow>>> {
        let account = self.rows_of(scope);
        Ok(keys.iter().map(|key| account.and_then(|account| account.load(key))).collect())
    }

    fn more(&self, scope: &Scope, selection: &Selection, limit: usize) -> Stored<Vec<StoredRow>> {
        let Some(account) = self.rows_of(scope) else { return Ok(Vec::new()) };
        Ok(match selection {
            Selection::Listed(listing) => account.listed(listing, limit),
            Selection::Outdated(kind, fingerprint) => account.outdated(kind, fingerprint, limit),
        })
    }

    fn rows_all(&self, scope: &Scope, kind: &RowKind, after: Option<&str>, limit: usize) -> Stored<Vec<StoredRow>> {
        Ok(self.rows_of(scope).map_or_else(Vec::new, |account| account.all(kind, after, limit)))
    }

    fn collections(&self, scope: &Scope) -> Stored<Vec<String>> {
        Ok(self.rows_of(scope).map_or_else(Vec::new, AccountRows::collections))
    }

    fn known(&self, scope: &Scope, facts: &[String]) -> Stored<Vec<bool>> {
        let account = self.rows_of(scope);
        let known = |fact: &String| account.is_some_and(|account| account.facts.contains(fact.as_str()));
        Ok(facts.iter().map(known).collect())
    }

    fn account(&self, scope: &Scope) -> Stored<AccountRow> {
        let row = |rows: &AccountRows| AccountRow { revision: rows.revision, data_version: rows.data_version };
        Ok(self.rows_of(scope).map(row).unwrap_or_default())
    }

    fn reply(&self, scope: &Scope, caller: &str) -> Stored<Option<Reply>> {
        Ok(self.rows_of(scope).and_then(|account| account.replies.get(caller)).cloned())
    }

    fn claims(&self, full_keys: &[String]) -> Stored<Vec<Option<ClaimRow>>> {
        Ok(full_keys.iter().map(|key| self.claims.row(key).cloned()).collect())
    }

    fn claims_held(&self, scope: &Scope, prefix: &str) -> Stored<Vec<String>> {
        Ok(self.claims.held(scope, prefix))
    }

    fn claims_after(&self, prefix: &str, after: Option<&str>, limit: usize) -> Stored<Vec<(String, ClaimRow)>> {
        Ok(self.claims.after(prefix, after, limit))
    }

    fn catalog_find(
        &self,
        partition: &Partition,
        query: &CatalogQuery,
        after: Option<&str>,
        limit: usize,
    ) -> Stored<Vec<Product>> {
        let Some(catalog) = self.catalog(partition) else { return Ok(Vec::new()) };
        Ok(match query {
            CatalogQuery::All => catalog.products(after, limit, |_| true),
            CatalogQuery::ProductType(name) => catalog.products(after, limit, |row| row.values.product_type == *name),
            CatalogQuery::Name(name) => catalog.named(name, after, limit),
        })
    }

    fn catalog_read(&self, partition: &Partition, keys: &[CatalogKey]) -> Stored<Vec<Option<CatalogRow>>> {
        let catalog = self.catalog(partition);
        Ok(keys.iter().map(|key| catalog.and_then(|catalog| catalog_row(catalog, key))).collect())
    }

    fn effect(&self, scope: &Scope, key: &str) -> Stored<Vec<EffectRow>> {
        Ok(self.outbox.generations(scope, key))
    }

    fn effects_of(&self, scope: &Scope, after: u64, limit: usize) -> Stored<Vec<EffectRow>> {
        Ok(self.outbox.of_scope(scope, after, limit))
    }

    fn effects_due(&self, query: &DueQuery<'_>) -> Stored<Vec<EffectRow>> {
        Ok(self.outbox.due(query))
    }

    fn effects_running(&self, partition: &Partition) -> Stored<Vec<EffectRow>> {
        Ok(self.outbox.running(partition))
    }

    fn effects_awaited(&self, partition: &Partition) -> Stored<Vec<EffectRow>> {
        Ok(self.outbox.awaited(partition))
    }

    fn effects_open(&self, scope: &Scope) -> Stored<Vec<EffectRow>> {
        Ok(self.outbox.open(scope))
    }

    fn effects_open_after(&self, partition: &Partition, after: u64, limit: usize) -> Stored<Vec<EffectRow>> {
        Ok(self.outbox.open_after(partition, after, limit))
    }

    fn effect_at(&self, seq: u64) -> Stored<Option<EffectRow>> {
        Ok(self.outbox.at(seq))
    }

    fn next_due(&self, partition: &Partition, now: Timestamp) -> Stored<Option<Timestamp>> {
        Ok(self.outbox.next_due(partition, now))
    }

    fn event(&self, partition: &Partition, source: &str, id: &str) -> Stored<Option<InboxRow>> {
        Ok(self.inbox.event(partition, source, id))
    }

    fn inbox(&self, seq: u64) -> Stored<Option<InboxRow>> {
        Ok(self.inbox.row(seq))
    }

    fn inbox_after(&self, partition: Option<&Partition>, after: u64, limit: usize) -> Stored<Vec<InboxRow>> {
        Ok(self.inbox.after(partition, after, limit))
    }

    fn inbox_of(&self, scope: &Scope, after: u64, limit: usize) -> Stored<Vec<InboxRow>> {
        Ok(self.inbox.of_account_after(scope, after, limit))
    }

    fn effect_results_after(&self, after: u64, limit: usize) -> Stored<Vec<InboxRow>> {
        Ok(self.inbox.of_source_after(EFFECT_RESULTS, after, limit))
    }

    fn inbox_newest(&self) -> Stored<u64> {
        Ok(self.inbox.newest())
    }

    fn runs(&self, seq: u64) -> Stored<Vec<Run>> {
        Ok(self.inbox.runs(seq))
    }

    fn inbox_due(&self, partition: &Partition, now: Timestamp, limit: usize) -> Stored<Vec<u64>> {
        Ok(self.inbox.due(partition, now, limit))
    }

    fn inbox_next_due(&self, partition: &Partition, now: Timestamp) -> Stored<Option<Timestamp>> {
        Ok(self.inbox.next_due(partition, now))
    }

    fn woken_by(&self, keys: &[String]) -> Stored<Vec<u64>> {
        Ok(self.inbox.woken_by(keys))
    }

    fn waiting_before(&self, partition: &Partition, wait: Wait, before: Timestamp, limit: usize) -> Stored<Vec<u64>> {
        Ok(self.inbox.waiting_before(partition, wait, before, limit))
    }

    fn parked_count(&self, partition: &Partition) -> Stored<u64> {
        Ok(self.inbox.parked_count(partition))
    }

    fn dead(&self, partition: &Partition, after: u64, limit: usize) -> Stored<Vec<InboxRow>> {
        Ok(self.inbox.dead(partition, after, limit))
    }

    fn failed(&self, partition: &Partition, after: u64, limit: usize) -> Stored<Vec<InboxRow>> {
        Ok(self.inbox.failed(partition, after, limit))
    }

    fn scopes(&self, partition: Option<&Partition>) -> Stored<Vec<Scope>> {
        let wanted =
            self.accounts.keys().filter(|scope| partition.is_none_or(|partition| scope.partition() == *partition));
        let mut scopes: Vec<Scope> = wanted.map(|scope| (**scope).clone()).collect();
        scopes.sort_by_cached_key(|scope| (scope.business.clone(), scope.livemode, scope.account.to_string()));
        Ok(scopes)
    }
}

/// A reader, with the state of the last commit and a copy of it during a snapshot.
struct MemoryReader {
    published: Arc<Mutex<MemoryStore>>,
    snapshot: Option<MemoryStore>,
}

impl Lend for MemoryReader {
    fn lend<T>(&self, body: impl FnOnce(&dyn Read) -> Stored<T>) -> Stored<T> {
        body(self.snapshot.as_ref().ok_or_else(|| StoreError::Misuse("no snapshot is open".into()))?)
    }
}

impl Reader for MemoryReader {
    fn begin(&mut self) -> Stored<()> {
        if self.snapshot.is_some() {
            return Err(StoreError::Misuse("a snapshot is already open".into()));
        }
        self.snapshot = Some(self.published.lock().unwrap_or_else(PoisonError::into_inner).fork());
        Ok(())
    }

    fn end(&mut self) -> Stored<()> {
        self.snapshot.take().map(drop).ok_or_else(|| StoreError::Misuse("no snapshot is open".into()))
    }
}

/// Look-ups in the scope of a change, if it has one.
struct ScopeLookup<'a> {
    store: &'a MemoryStore,
    scope: Option<&'a Scope>,
}

impl ScopeLookup<'_> {
    fn rows(&self) -> Option<&AccountRows> {
        self.scope.and_then(|scope| self.store.rows_of(scope))
    }
}

impl Lookup for ScopeLookup<'_> {
    fn purchase(&self, unique: UniqueField, value: &str) -> Stored<Option<RowKey>> {
        Ok(self.rows().and_then(|account| account.purchase(unique, value)))
    }

    fn fact(&self, fact: &str) -> Stored<bool> {
        Ok(self.rows().is_some_and(|account| account.facts.contains(fact)))
    }

    fn effect(&self, key: &str, generation: u32) -> Stored<bool> {
        Ok(self.scope.is_some_and(|scope| self.store.outbox.find(scope, key, generation).is_some()))
    }

    fn event(&self, seq: u64) -> Stored<bool> {
        Ok(self.store.inbox.has_row(seq))
    }
}

fn catalog_row(catalog: &AccountRows, key: &CatalogKey) -> Option<CatalogRow> {
    CatalogRow::of(catalog.row(&key.row_key()?)?.stored.row.clone())
}
