//! The store in SQLite: one file, one writing connection, durable when a group is committed.
//!
//! Rows are typed columns; what only the extension reads stays the text that it wrote, and bytes stay bytes, so that
//! nothing is encoded twice. Statements are prepared once. One event costs one savepoint and a statement a row.

mod claims;
mod effects;
mod inbox;
mod rows;
mod schema;
mod scopes;
mod text;

use crate::changes::Changes;
use crate::rows::{ClaimRow, EffectRow, InboxRow, NewInboxRow};
use crate::scope::Scope;
use crate::store::{Inserted, Store};
use products_contract::{
    Account, Price, Product, Purchase, PurchaseKey, RecordKey, StoreError, Stored, StoredRecord, Subscription,
    Timestamp,
};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode};
use scopes::Scopes;
use std::fs::OpenOptions;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long to wait for another process that writes.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Statements that stay prepared: more than there are, so that none is ever prepared twice.
const STATEMENTS_MAX: usize = 128;
/// Page cache in KiB: bounds the memory of a host at rest, whatever the size of the file.
const CACHE_KIB: i64 = 16 * 1024;
/// Pages in the write-ahead log before they go to the file (16 MiB): fewer, larger checkpoints.
const CHECKPOINT_PAGES: i64 = 4096;
/// Size to which the write-ahead log is cut after a checkpoint.
const LOG_BYTES_MAX: i64 = 64 * 1024 * 1024;

/// What a commit waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Synchronous {
    /// The disk: what was committed outlives a power failure.
    #[default]
    Full,
    /// The operating system: it outlives the process, but the last groups may be lost with the machine.
    Normal,
}

/// Why a file cannot be used as a store.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It could not be made or opened.
    #[error("cannot open {path}: {error}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// It was written by a newer version of this program.
    #[error("schema version {found} is newer than the newest known one, {known}")]
    TooNew {
        /// The file's `user_version`.
        found: i64,
        /// The newest that this program knows.
        known: usize,
    },
    /// It is a database, but not one of ours.
    #[error("a foreign database: {tables} tables and indexes without a schema version")]
    Foreign {
        /// Entries of its schema.
        tables: i64,
    },
    /// SQLite said no.
    #[error("sqlite: {0}")]
    Sqlite(#[from] rusqlite::Error),
}

/// A store in SQLite. One process may write at a time; others may read.
pub struct SqliteStore {
    connection: Connection,
    scopes: Scopes,
    /// SQLite's counter of changes by other connections when the group began.
    seen_changes: i64,
    in_group: bool,
}

impl SqliteStore {
    /// Open or make a file; a new one can be read by its owner only.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        Self::open_with(path, Synchronous::Full)
    }

    /// The same, with a choice of what a commit waits for.
    pub fn open_with(path: impl AsRef<Path>, synchronous: Synchronous) -> Result<Self, OpenError> {
        let path = path.as_ref();
        create_private(path).map_err(|error| OpenError::Io { path: path.to_owned(), error })?;
        Self::prepare(Connection::open(path)?, synchronous)
    }

    /// A store that ends with the process.
    pub fn open_in_memory() -> Result<Self, OpenError> {
        Self::prepare(Connection::open_in_memory()?, Synchronous::Normal)
    }

    fn prepare(mut connection: Connection, synchronous: Synchronous) -> Result<Self, OpenError> {
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
        // Else SQLite prepares a statement anew for each value that could make a partial index apply.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        // Before the mode of the journal, since that writes to a file which may not be ours.
        schema::migrate(&mut connection)?;
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
        let synchronous = match synchronous {
            Synchronous::Full => "FULL",
            Synchronous::Normal => "NORMAL",
        };
        connection.pragma_update(None, "synchronous", synchronous)?;
        connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
        connection.pragma_update(None, "temp_store", "MEMORY")?;
        connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
        connection.pragma_update(None, "journal_size_limit", LOG_BYTES_MAX)?;
        Ok(SqliteStore { connection, scopes: Scopes::default(), seen_changes: -1, in_group: false })
    }

    #[cfg(test)]
    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    fn run(&self, sql: &str) -> Result<(), rusqlite::Error> {
        self.connection.prepare_cached(sql)?.execute([])?;
        Ok(())
    }

    fn begin_group(&mut self) -> Result<(), rusqlite::Error> {
        self.run("BEGIN IMMEDIATE")?;
        let changes = self.connection.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0));
        match changes {
            Ok(changes) if changes == self.seen_changes => {}
            Ok(changes) => {
                self.scopes.forget();
                self.seen_changes = changes;
            }
            Err(error) => {
                self.run("ROLLBACK")?;
                return Err(error);
            }
        }
        self.in_group = true;
        Ok(())
    }

    /// Take back to `undo` what a failed change did.
    fn undo(&mut self, undo: &[&str]) -> Stored<()> {
        self.scopes.forget();
        undo.iter().try_for_each(|sql| self.run(sql)).map_err(unavailable)
    }

    /// A group that SQLite itself threw away, as it does when the disk is full, must not go on as if it were there.
    fn check_group(&self) -> Stored<()> {
        if self.in_group && self.connection.is_autocommit() {
            return Err(StoreError::Unavailable("the group was rolled back by an earlier error".into()));
        }
        Ok(())
    }

    /// Run a write in a group: the open one under a savepoint, or one of its own.
    fn write<T>(&mut self, body: impl FnOnce(&Self) -> Stored<T>) -> Stored<T> {
        self.check_group()?;
        let grouped = self.in_group;
        if grouped {
            self.run("SAVEPOINT change").map_err(unavailable)?;
        } else {
            self.begin_group().map_err(unavailable)?;
        }
        let answer = body(self);
        if grouped {
            match answer {
                Ok(answer) => self.run("RELEASE change").map(|()| answer).map_err(unavailable),
                Err(error) if self.connection.is_autocommit() => Err(error),
                Err(error) => self.undo(&["ROLLBACK TO change", "RELEASE change"]).and(Err(error)),
            }
        } else {
            let answer = match answer {
                Ok(answer) => self.run("COMMIT").map(|()| answer).map_err(unavailable),
                Err(error) => Err(error),
            };
            self.in_group = false;
            match answer {
                Err(error) if self.connection.is_autocommit() => {
                    self.scopes.forget();
                    Err(error)
                }
                Err(error) => self.undo(&["ROLLBACK"]).and(Err(error)),
                Ok(answer) => Ok(answer),
            }
        }
    }

    fn apply_rows(&self, changes: &Changes) -> Stored<()> {
        let connection = &self.connection;
        if let Some(scope) = changes.scope.as_ref().filter(|_| changes.has_rows()) {
            let id = self.scopes.ensure(connection, scope).map_err(refused)?;
            for row in changes.products.values() {
                rows::put_product(connection, id, row).map_err(refused)?;
            }
            for row in changes.prices.values() {
                rows::put_price(connection, id, row).map_err(refused)?;
            }
            // Two purchases may exchange what a unique index guards: all old values go before the first new one comes.
            if changes.purchases.len() > 1 {
                for purchase in changes.purchases.keys() {
                    rows::release_purchase(connection, id, purchase).map_err(refused)?;
                }
            }
            for row in changes.purchases.values() {
                rows::put_purchase(connection, id, row).map_err(refused)?;
            }
            for row in changes.subscriptions.values() {
                rows::put_subscription(connection, id, row).map_err(refused)?;
            }
            for (key, row) in &changes.records {
                rows::put_record(connection, id, key, row.as_ref()).map_err(refused)?;
            }
            for fact in &changes.facts {
                rows::put_fact(connection, id, fact, &changes.event_id).map_err(refused)?;
            }
            for (key, row) in &changes.claims {
                claims::put(connection, key, row.as_ref()).map_err(refused)?;
            }
            for change in &changes.effects {
                if !effects::change(connection, id, change).map_err(refused)? {
                    return Err(StoreError::Unavailable("an effect to update is not there".into()));
                }
            }
            if let Some(version) = changes.data_version {
                self.scopes.set_data_version(connection, scope, id, version).map_err(refused)?;
            }
        } else if changes.has_rows() {
            return Err(StoreError::Unavailable("changes without a scope".into()));
        }
        match &changes.inbox {
            Some(change) if !inbox::change(connection, change).map_err(refused)? => {
                Err(StoreError::Unavailable(format!("no inbox row {}", change.seq)))
            }
            _ => Ok(()),
        }
    }

    /// Number of a scope, to read its rows.
    fn scope(&self, scope: &Scope) -> Stored<Option<i64>> {
        let known = self.scopes.find(&self.connection, scope, self.in_group).map_err(unavailable)?;
        Ok(known.map(|known| known.id))
    }

    /// Number of the catalog that a scope reads.
    fn catalog(&self, scope: &Scope) -> Stored<Option<i64>> {
        if scope.account == Account::Platform { self.scope(scope) } else { self.scope(&scope.catalog()) }
    }

    /// Read one row of a scope, if there is such a scope.
    fn one<T>(
        &self,
        scope: Option<i64>,
        read: impl FnOnce(&Connection, i64) -> Result<Option<T>, rusqlite::Error>,
    ) -> Stored<Option<T>> {
        scope.map_or(Ok(None), |scope| read(&self.connection, scope)).map_err(unavailable)
    }

    /// Read rows of a scope, if there is such a scope.
    fn many<T>(
        &self,
        scope: Option<i64>,
        read: impl FnOnce(&Connection, i64) -> Result<Vec<T>, rusqlite::Error>,
    ) -> Stored<Vec<T>> {
        scope.map_or(Ok(Vec::new()), |scope| read(&self.connection, scope)).map_err(unavailable)
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        // Nobody reads an error here; what an open group did was never promised to anybody.
        if self.in_group {
            let _ = self.rollback();
        }
    }
}

fn create_private(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

fn unavailable(error: rusqlite::Error) -> StoreError {
    StoreError::Unavailable(error.to_string())
}

/// An error of a write: a unique index by its name, anything else as it is.
fn refused(error: rusqlite::Error) -> StoreError {
    if let rusqlite::Error::SqliteFailure(code, Some(text)) = &error
        && code.code == ErrorCode::ConstraintViolation
    {
        let indexes = [
            ("purchases.session_id", "purchase.session"),
            ("purchases.payment_intent_id", "purchase.payment-intent"),
            ("facts.fact", "fact"),
            ("effects.generation", "effect.generation"),
        ];
        if let Some((_, index)) = indexes.iter().find(|(column, _)| text.contains(column)) {
            return StoreError::Taken((*index).to_owned());
        }
    }
    unavailable(error)
}

impl Store for SqliteStore {
    fn begin(&mut self) -> Stored<()> {
        if self.in_group {
            return Err(StoreError::Unavailable("a group is open already".into()));
        }
        self.begin_group().map_err(unavailable)
    }

    fn commit(&mut self) -> Stored<()> {
        if !self.in_group {
            return Err(StoreError::Unavailable("no group is open".into()));
        }
        self.check_group()?;
        self.run("COMMIT").map_err(unavailable)?;
        self.in_group = false;
        Ok(())
    }

    fn rollback(&mut self) -> Stored<()> {
        if !self.in_group {
            return Err(StoreError::Unavailable("no group is open".into()));
        }
        self.scopes.forget();
        if !self.connection.is_autocommit() {
            self.run("ROLLBACK").map_err(unavailable)?;
        }
        self.in_group = false;
        Ok(())
    }

    fn accept(&mut self, row: &NewInboxRow) -> Stored<Inserted> {
        self.write(|store| {
            let seq = inbox::insert(&store.connection, row).map_err(unavailable)?;
            Ok(match seq {
                Some(seq) => Inserted::New(seq),
                None => Inserted::Known(Box::new(inbox::known(&store.connection, row).map_err(unavailable)?)),
            })
        })
    }

    fn apply(&mut self, changes: &Changes) -> Stored<()> {
        self.write(|store| store.apply_rows(changes))
    }

    fn product(&self, scope: &Scope, id: &str) -> Stored<Option<Product>> {
        self.one(self.scope(scope)?, |connection, number| rows::product(connection, number, &scope.account, id))
    }

    fn products(
        &self,
        scope: &Scope,
        product_type: Option<&str>,
        after: Option<&str>,
        limit: usize,
    ) -> Stored<Vec<Product>> {
        self.many(self.scope(scope)?, |connection, number| {
            rows::products(connection, number, &scope.account, product_type, after, limit)
        })
    }

    fn products_all(&self, scope: &Scope, after: Option<&str>, limit: usize) -> Stored<Vec<Product>> {
        self.many(self.scope(scope)?, |connection, number| {
            rows::products_all(connection, number, &scope.account, after, limit)
        })
    }

    fn price(&self, scope: &Scope, id: &str) -> Stored<Option<Price>> {
        self.one(self.catalog(scope)?, |connection, number| rows::price(connection, number, id))
    }

    fn prices(&self, scope: &Scope, after: Option<&str>, limit: usize) -> Stored<Vec<Price>> {
        self.many(self.catalog(scope)?, |connection, number| rows::prices(connection, number, after, limit))
    }

    fn purchase(&self, scope: &Scope, key: &PurchaseKey) -> Stored<Option<Purchase>> {
        self.one(self.scope(scope)?, |connection, number| rows::purchase(connection, number, key))
    }

    fn purchases(&self, scope: &Scope, after: Option<&str>, limit: usize) -> Stored<Vec<Purchase>> {
        self.many(self.scope(scope)?, |connection, number| rows::purchases(connection, number, after, limit))
    }

    fn subscription(&self, scope: &Scope, id: &str) -> Stored<Option<Subscription>> {
        self.one(self.scope(scope)?, |connection, number| rows::subscription(connection, number, id))
    }

    fn subscriptions(&self, scope: &Scope, after: Option<&str>, limit: usize) -> Stored<Vec<Subscription>> {
        self.many(self.scope(scope)?, |connection, number| rows::subscriptions(connection, number, after, limit))
    }

    fn record(&self, scope: &Scope, key: &RecordKey) -> Stored<Option<StoredRecord>> {
        self.one(self.scope(scope)?, |connection, number| rows::record(connection, number, key))
    }

    fn records(
        &self,
        scope: &Scope,
        collection: &str,
        prefix: &str,
        descending: bool,
        after: Option<&str>,
        limit: usize,
    ) -> Stored<Vec<StoredRecord>> {
        self.many(self.scope(scope)?, |connection, number| {
            rows::records(connection, number, collection, prefix, descending, after, limit)
        })
    }

    fn collections(&self, scope: &Scope) -> Stored<Vec<String>> {
        self.many(self.scope(scope)?, rows::collections)
    }

    fn fact(&self, scope: &Scope, fact: &str) -> Stored<Option<String>> {
        self.one(self.scope(scope)?, |connection, number| rows::fact(connection, number, fact))
    }

    fn claim(&self, full_key: &str) -> Stored<Option<ClaimRow>> {
        claims::claim(&self.connection, full_key).map_err(unavailable)
    }

    fn claims_held(&self, scope: &Scope, prefix: &str) -> Stored<Vec<String>> {
        claims::held(&self.connection, scope, prefix).map_err(unavailable)
    }

    fn claims_each(&self, visit: &mut dyn FnMut(&str, &ClaimRow)) -> Stored<()> {
        claims::each(&self.connection, visit).map_err(unavailable)
    }

    fn effect(&self, scope: &Scope, key: &str) -> Stored<Vec<EffectRow>> {
        self.many(self.scope(scope)?, |connection, number| effects::generations(connection, number, key))
    }

    fn data_version(&self, scope: &Scope) -> Stored<Option<u32>> {
        let known = self.scopes.find(&self.connection, scope, self.in_group).map_err(unavailable)?;
        Ok(known.and_then(|known| known.data_version))
    }

    fn effects_due(&self, now: Timestamp, timers: bool, limit: usize) -> Stored<Vec<EffectRow>> {
        effects::due(&self.connection, now, timers, limit).map_err(unavailable)
    }

    fn effects_running(&self) -> Stored<Vec<EffectRow>> {
        effects::running(&self.connection).map_err(unavailable)
    }

    fn effects_open(&self, scope: Option<&Scope>) -> Stored<Vec<EffectRow>> {
        match scope {
            None => effects::open(&self.connection, None).map_err(unavailable),
            Some(scope) => self.many(self.scope(scope)?, |connection, number| effects::open(connection, Some(number))),
        }
    }

    fn next_due(&self, now: Timestamp) -> Stored<Option<Timestamp>> {
        effects::next_due(&self.connection, now).map_err(unavailable)
    }

    fn inbox(&self, seq: u64) -> Stored<Option<InboxRow>> {
        inbox::row(&self.connection, seq).map_err(unavailable)
    }

    fn inbox_after(&self, after: u64, limit: usize) -> Stored<Vec<InboxRow>> {
        inbox::after(&self.connection, after, limit).map_err(unavailable)
    }

    fn inbox_due(&self, now: Timestamp, limit: usize) -> Stored<Vec<u64>> {
        inbox::due(&self.connection, now, limit).map_err(unavailable)
    }

    fn inbox_next_due(&self, now: Timestamp) -> Stored<Option<Timestamp>> {
        inbox::next_due(&self.connection, now).map_err(unavailable)
    }

    fn woken_by(&self, keys: &[String]) -> Stored<Vec<u64>> {
        inbox::woken_by(&self.connection, keys).map_err(unavailable)
    }

    fn parked_before(&self, before: Timestamp, limit: usize) -> Stored<Vec<u64>> {
        inbox::parked_before(&self.connection, before, limit).map_err(unavailable)
    }

    fn parked_count(&self) -> Stored<u64> {
        inbox::parked_count(&self.connection).map_err(unavailable)
    }

    fn scopes(&self) -> Stored<Vec<Scope>> {
        scopes::all(&self.connection).map_err(unavailable)
    }
}
