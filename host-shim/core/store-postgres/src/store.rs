//! The handle of a store: its connection, and what its open group has done.

use crate::error::OpenError;
use crate::settings::Settings;
use crate::together::Together;
use crate::wire::{Params, Wire};
use crate::{locks, schema};
use extension_contract::CatalogRow;
use host_store::implementation::sql::{Dialect, Texts};
use host_store::{Partition, StoreError, Stored};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use tokio_postgres::Row;

/// What a transaction holds.
#[derive(Clone, Default)]
pub(crate) struct Held {
    /// True once the transaction has locks: from then on it must not wait for others.
    pub(crate) locks: bool,
    /// True once the event numbers that it may get are marked as open.
    pub(crate) open_numbers: bool,
    /// The first new event that it has stored.
    pub(crate) event: Option<StoredEvent>,
}

/// A new event of a transaction. It distinguishes this transaction from a later one that gets the same number because a crash of the
/// server has lost both the transaction and the fact that its number was used.
#[derive(Clone)]
pub(crate) struct StoredEvent {
    pub(crate) seq: i64,
    pub(crate) source: String,
    pub(crate) id: String,
}

/// The cached rows of one revision of a catalog, by key; none for a row that does not exist.
#[derive(Default)]
pub(crate) struct CatalogCache {
    pub(crate) of: Option<(Partition, u64)>,
    pub(crate) rows: HashMap<String, Option<CatalogRow>>,
}

/// A store in PostgreSQL. Any number of handles, of any number of hosts, may write at the same time.
pub struct PostgresStore {
    pub(crate) wire: Wire,
    /// Prefix of the keys that mark this schema's event numbers as open.
    pub(crate) tag: i64,
    pub(crate) in_group: bool,
    /// True after a statement of the open group failed.
    pub(crate) is_broken: Cell<bool>,
    pub(crate) held: RefCell<Held>,
    /// What the group held at the last mark.
    pub(crate) at_mark: Option<Held>,
    /// Number of the open group's transaction, once it has written.
    pub(crate) transaction: RefCell<Option<String>>,
    /// The changes that wait, if the open group's changes may wait; otherwise none.
    pub(crate) together: RefCell<Option<Together>>,
    /// The texts of queries.
    pub(crate) texts: Texts,
    /// Rows of the catalog that events have needed.
    pub(crate) catalog: RefCell<CatalogCache>,
    /// True after the open group has changed a catalog.
    pub(crate) catalog_is_written: Cell<bool>,
    /// End of the log in a reader's snapshot.
    pub(crate) snapshot_end: Cell<Option<i64>>,
}

impl PostgresStore {
    /// Opens a store, and creates or migrates its schema.
    ///
    /// # Errors
    /// Fails if the database cannot be reached, is too old, is not in UTF-8, has a newer schema, or refuses a statement.
    pub fn open(settings: &Settings) -> Result<Self, OpenError> {
        let store = Self::of(settings)?;
        schema::migrate(&store.wire)?;
        Ok(store)
    }

    pub(crate) fn of(settings: &Settings) -> Result<Self, OpenError> {
        Ok(PostgresStore {
            wire: Wire::connect(settings.clone())?,
            tag: locks::tag(settings.schema()),
            in_group: false,
            is_broken: Cell::new(false),
            held: RefCell::default(),
            at_mark: None,
            transaction: RefCell::default(),
            together: RefCell::default(),
            texts: Texts::of(Dialect::Postgres),
            catalog: RefCell::default(),
            catalog_is_written: Cell::new(false),
            snapshot_end: Cell::new(None),
        })
    }

    /// Runs a query that may read anything that a change in the open group has written.
    pub(crate) fn query(&self, sql: &str, params: Params<'_>) -> Stored<Vec<Row>> {
        self.settle_held()?;
        self.query_now(sql, params)
    }

    /// Runs a query that reads nothing written by waiting changes. After an error in a group, the only possible next step is a rollback,
    /// either of the whole group or to its mark.
    pub(crate) fn query_now(&self, sql: &str, params: Params<'_>) -> Stored<Vec<Row>> {
        if !self.in_group {
            self.wire.ensure()?;
        } else if self.is_broken.get() {
            return Err(StoreError::Unavailable("the open group is incomplete after an earlier error".into()));
        }
        match self.wire.query(sql, params) {
            // Only reads run outside a group. The first of them notices a restart of the server.
            Err(_) if !self.in_group && self.wire.may_repeat() => {
                self.wire.ensure()?;
                self.wire.query(sql, params)
            }
            done => done.inspect_err(|_| self.is_broken.set(self.in_group)),
        }
    }

    pub(crate) fn query_one(&self, sql: &str, params: Params<'_>) -> Stored<Option<Row>> {
        Ok(self.query(sql, params)?.into_iter().next())
    }

    /// Records that the event numbers which the transaction may get are marked as open.
    pub(crate) fn marked_open(&self) {
        self.held.borrow_mut().open_numbers = true;
    }

    /// Records that the transaction takes locks. Returns true if it may wait for them.
    pub(crate) fn locks_now(&self) -> bool {
        !std::mem::replace(&mut self.held.borrow_mut().locks, true)
    }

    /// Makes the open group fail: only its rollback can follow.
    pub(crate) fn break_group(&self) {
        self.is_broken.set(true);
    }

    /// Clears this program's state of the group.
    pub(crate) fn forget_group(&mut self) {
        self.wire.forget_ahead();
        self.in_group = false;
        self.is_broken.set(false);
        self.held.replace(Held::default());
        self.at_mark = None;
        self.transaction.replace(None);
        self.together.replace(None);
        self.catalog_is_written.set(false);
    }
}
