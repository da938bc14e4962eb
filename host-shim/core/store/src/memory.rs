//! The tables in memory, for replay and tests. It has the guarantees of the store on disk, except durability.
//!
//! A fork shares all data with its original. Before the first write to a shared part, for example to the rows of an
//! account, the writing store copies this part, but not the rows themselves. Persistent maps would avoid the
//! copy, but slow every replay: rpds takes two to three times as long for a look-up by hash, and eight times as long
//! for a scan. `deny.toml` excludes the licence of imbl.

mod key;
mod reader;
mod same;
mod shelf;

use crate::backend::{AccountRow, Backend};
use crate::cell::{Cell, Entity, Patch, View};
use crate::error::{StoreError, Stored};
use crate::kept::Kept;
use crate::query::{Flow, Query};
use crate::records::{
    ClaimRecord, EventRecord, FactRecord, Referrer, ReplyRecord, RowRecord, RunRecord, Wait,
};
use crate::rows::EffectRow;
use crate::scope::{Partition, Scope};
use crate::store::Reader;
use key::Key;
use reader::MemoryReader;
use shelf::Shelf;
use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// A store in memory.
pub type MemoryStore = Kept<Memory>;

/// The tables of a store in memory.
#[derive(Default)]
pub struct Memory {
    accounts: Arc<HashMap<Arc<Scope>, Arc<Account>>>,
    claims: Arc<Shelf<ClaimRecord>>,
    events: Arc<Shelf<EventRecord>>,
    runs: Arc<Shelf<RunRecord>>,
    waits: Arc<Shelf<Wait>>,
    effects: Arc<Shelf<EffectRow>>,
    /// What the open group has replaced, in the order of its changes. The next group reuses the allocation.
    journal: Vec<Box<dyn Undo>>,
    /// The state of the last commit, for the open readers; none without readers.
    published: RefCell<Weak<Mutex<Memory>>>,
}

/// An account and its tables.
#[derive(Clone, Debug, Default)]
struct Account {
    row: AccountRow,
    rows: Shelf<RowRecord>,
    refs: Shelf<Referrer>,
    facts: Shelf<FactRecord>,
    replies: Shelf<ReplyRecord>,
}

/// Where the rows of a table are.
pub trait Shelved: Sized {
    /// Returns the rows: of an account if the table is of accounts.
    fn shelf<'m>(memory: &'m Memory, scope: Option<&Scope>) -> Option<&'m Shelf<Self>>;
    /// Returns the rows for a change.
    fn shelf_mut<'m>(memory: &'m mut Memory, scope: Option<&Arc<Scope>>) -> Option<&'m mut Shelf<Self>>;
}

macro_rules! shelved {
    (accounts: $($field:ident $entity:ty),+) => {$(
        impl Shelved for $entity {
            fn shelf<'m>(memory: &'m Memory, scope: Option<&Scope>) -> Option<&'m Shelf<Self>> {
                memory.accounts.get(scope?).map(|account| &account.$field)
            }

            fn shelf_mut<'m>(memory: &'m mut Memory, scope: Option<&Arc<Scope>>) -> Option<&'m mut Shelf<Self>> {
                Some(&mut memory.account_mut(scope?).$field)
            }
        }
    )+};
    (all: $($field:ident $entity:ty),+) => {$(
        impl Shelved for $entity {
            fn shelf<'m>(memory: &'m Memory, _: Option<&Scope>) -> Option<&'m Shelf<Self>> {
                Some(&memory.$field)
            }

            fn shelf_mut<'m>(memory: &'m mut Memory, _: Option<&Arc<Scope>>) -> Option<&'m mut Shelf<Self>> {
                Some(Arc::make_mut(&mut memory.$field))
            }
        }
    )+};
}

shelved!(accounts: rows RowRecord, refs Referrer, facts FactRecord, replies ReplyRecord);
shelved!(all: claims ClaimRecord, events EventRecord, runs RunRecord, waits Wait, effects EffectRow);

/// What undoes a change.
trait Undo: Send {
    fn undo(self: Box<Self>, memory: &mut Memory);
}

/// A row before a change.
struct RowBefore<E> {
    scope: Option<Arc<Scope>>,
    key: Key,
    row: Option<Arc<E>>,
}

impl<E: Entity> Undo for RowBefore<E> {
    fn undo(self: Box<Self>, memory: &mut Memory) {
        if let Some(shelf) = E::shelf_mut(memory, self.scope.as_ref()) {
            shelf.set(self.key, self.row);
        }
    }
}

/// An account before a change.
struct AccountBefore(Arc<Scope>, Option<AccountRow>);

impl Undo for AccountBefore {
    fn undo(self: Box<Self>, memory: &mut Memory) {
        let AccountBefore(scope, row) = *self;
        match row {
            Some(row) => memory.account_mut(&scope).row = row,
            None => drop(Arc::make_mut(&mut memory.accounts).remove(&scope)),
        }
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory").field("accounts", &self.accounts.len()).finish_non_exhaustive()
    }
}

impl Memory {
    /// Returns the same tables, at the cost of a few pointers, without an open group.
    fn fork(&self) -> Memory {
        Memory {
            accounts: self.accounts.clone(),
            claims: self.claims.clone(),
            events: self.events.clone(),
            runs: self.runs.clone(),
            waits: self.waits.clone(),
            effects: self.effects.clone(),
            journal: Vec::new(),
            published: RefCell::default(),
        }
    }

    /// Returns the state of the last commit, which later commits replace.
    fn published(&self) -> Arc<Mutex<Memory>> {
        let mut published = self.published.borrow_mut();
        published.upgrade().unwrap_or_else(|| {
            let new = Arc::new(Mutex::new(self.fork()));
            *published = Arc::downgrade(&new);
            new
        })
    }

    /// Returns an account for a change; adds a new one.
    fn account_mut(&mut self, scope: &Arc<Scope>) -> &mut Account {
        Arc::make_mut(Arc::make_mut(&mut self.accounts).entry(scope.clone()).or_default())
    }

    /// Sets or removes a row, and records what undoes this.
    fn set<E: Entity>(&mut self, scope: Option<&Arc<Scope>>, key: Key, row: Option<Arc<E>>) {
        let Some(shelf) = E::shelf_mut(self, scope) else { return };
        let before = shelf.set(key.clone(), row);
        self.journal.push(Box::new(RowBefore { scope: scope.cloned(), key, row: before }));
    }
}

/// Returns the scope with which a key of a table of accounts begins.
fn scope_among<'c>(cells: &'c [Cell<'_>]) -> Option<&'c Scope> {
    match cells.first() {
        Some(Cell::Scope(scope)) => Some(scope),
        _ => None,
    }
}

impl Backend for Memory {
    const IS_FAR: bool = false;

    fn find<V: View>(&self, query: &Query<'_>, each: &mut dyn FnMut(V) -> Stored<Flow>) -> Stored<()> {
        let Some(shelf) = V::Of::shelf(self, scope_among(query.equal)) else { return Ok(()) };
        shelf.find(query, &mut |row| each(V::of(row)))
    }

    fn one<V: View>(&self, key: &[Cell<'_>]) -> Stored<Option<V>> {
        Ok(V::Of::shelf(self, scope_among(key)).and_then(|shelf| shelf.get(key)).map(V::of))
    }

    fn count<E: Entity>(&self, query: &Query<'_>) -> Stored<u64> {
        let mut count = 0;
        if let Some(shelf) = E::shelf(self, scope_among(query.equal)) {
            shelf.find(query, &mut |_| {
                count += 1;
                Ok(Flow::On)
            })?;
        }
        Ok(count)
    }

    fn insert<E: Entity>(&mut self, mut row: E) -> Stored<Option<u64>> {
        let scope = row.scope().cloned();
        let Some(shelf) = E::shelf_mut(self, scope.as_ref()) else { return Ok(None) };
        let mut number = 0;
        if row.cell(E::TABLE.key[0])? == Cell::Int(0) {
            number = shelf.newest()? + 1;
            row.set_number(number);
        }
        let key = key::of_row(&row, E::TABLE.key)?;
        if !shelf.insert(&key, row)? {
            return Ok(None);
        }
        self.journal.push(Box::new(RowBefore::<E> { scope, key, row: None }));
        Ok(Some(number))
    }

    fn put<E: Entity>(&mut self, row: E) -> Stored<()> {
        let key = key::of_row(&row, E::TABLE.key)?;
        let row = Arc::new(row);
        self.set(row.scope(), key, Some(row.clone()));
        Ok(())
    }

    fn patch<P: Patch>(&mut self, cells: &[Cell<'_>], patch: &P) -> Stored<()> {
        let scope = scope_among(cells);
        let Some(row) = P::Of::shelf(self, scope).and_then(|shelf| shelf.get(cells)) else { return Ok(()) };
        let mut row = P::Of::clone(row);
        patch.apply(&mut row);
        let key = key::of_cells(cells, P::Of::TABLE.of_accounts);
        let row = Arc::new(row);
        self.set(row.scope(), key.into(), Some(row.clone()));
        Ok(())
    }

    fn delete<E: Entity>(&mut self, cells: &[Cell<'_>]) -> Stored<()> {
        let key = key::of_cells(cells, E::TABLE.of_accounts);
        let scope = scope_among(cells).map(|scope| Arc::new(scope.clone()));
        self.set::<E>(scope.as_ref(), key.into(), None);
        Ok(())
    }

    fn account(&self, scope: &Scope) -> Stored<Option<AccountRow>> {
        Ok(self.accounts.get(scope).map(|account| account.row))
    }

    fn set_account(&mut self, scope: &Scope, row: AccountRow) -> Stored<()> {
        let (scope, before) = match self.accounts.get_key_value(scope) {
            Some((scope, account)) => (scope.clone(), Some(account.row)),
            None => (Arc::new(scope.clone()), None),
        };
        self.account_mut(&scope).row = row;
        self.journal.push(Box::new(AccountBefore(scope, before)));
        Ok(())
    }

    fn scopes(&self, partition: Option<&Partition>) -> Stored<Vec<Scope>> {
        let is_wanted = |scope: &&Arc<Scope>| partition.is_none_or(|partition| scope.partition() == *partition);
        Ok(self.accounts.keys().filter(is_wanted).map(|scope| (**scope).clone()).collect())
    }

    fn begin(&mut self) -> Stored<bool> {
        Ok(false)
    }

    fn commit(&mut self) -> Stored<()> {
        self.journal.clear();
        // A state that readers share is copied before its next change.
        if let Some(published) = self.published.borrow().upgrade() {
            *published.lock().unwrap_or_else(PoisonError::into_inner) = self.fork();
        }
        Ok(())
    }

    fn rollback(&mut self) -> Stored<()> {
        while let Some(undo) = self.journal.pop() {
            undo.undo(self);
        }
        Ok(())
    }

    fn reader(&self) -> Stored<Box<dyn Reader>> {
        Ok(Box::new(MemoryReader::new(self.published())))
    }
}

impl Kept<Memory> {
    /// Returns an empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns an independent store with the same rows, at the cost of a few pointers. It includes the changes of an
    /// open group, but has no open group itself.
    pub fn fork(&self) -> MemoryStore {
        Kept::over(self.backend.fork())
    }
}

/// Returns the error for a row without a number.
fn no_number(table: &str) -> StoreError {
    StoreError::Misuse(format!("the rows of `{table}` have no numbers"))
}
