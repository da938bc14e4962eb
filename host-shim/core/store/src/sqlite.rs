//! The store in SQLite: one file, one writing connection, durable when a group is committed.
//!
//! Rows are typed columns; what only the extension reads stays the text that it wrote, and bytes stay bytes, so that
//! nothing is encoded twice. Statements are prepared once. All live rows of an account come by one statement; what is
//! written costs a statement a row, and no savepoint.

mod apply;
mod catalog;
mod claims;
mod effects;
mod erase;
mod graph;
mod inbox;
mod replies;
mod rows;
mod schema;
mod scopes;
mod text;

use crate::changes::{Applied, Changes};
use crate::reach::{Rows, catalog_keys};
use crate::rows::{ClaimRow, EffectRow, InboxRow, OpenedRows, Run};
use crate::scope::{Partition, Scope};
use crate::store::Store;
use catalog::Catalog;
use claims::Claims;
use extension_contract::{
    Account, CatalogKey, CatalogQuery, CatalogRow, Product, Reference, Reply, RowKey, RowKind, Selection, StoreError,
    Stored, StoredRow, Timestamp,
};
use graph::AccountGraph;
use rusqlite::Connection;
use rusqlite::config::DbConfig;
use scopes::{Known, Scopes};
use std::cell::Cell;
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
    catalog: Catalog,
    claims: Claims,
    /// SQLite's counter of changes by other connections when the group began.
    seen_changes: i64,
    in_group: bool,
    /// True once a change of the open group was written in part.
    is_broken: bool,
    /// True if the write-ahead log may still hold what was erased.
    erased: Cell<bool>,
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
        // What is deleted or written anew is overwritten with zeros, so that what an erasure takes is not in the file any
        // more. Where SQLite moved rows between pages it may leave a copy in the unused part of one; the tables that
        // hold what somebody wrote to us, `events` and `effect_texts`, only grow at their end, so that none of theirs move.
        connection.pragma_update(None, "secure_delete", true)?;
        connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
        connection.pragma_update(None, "journal_size_limit", LOG_BYTES_MAX)?;
        Ok(SqliteStore {
            connection,
            scopes: Scopes::default(),
            catalog: Catalog::default(),
            claims: Claims::default(),
            seen_changes: -1,
            in_group: false,
            is_broken: false,
            erased: Cell::new(false),
        })
    }

    #[cfg(test)]
    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// What SQLite did for questions about outdated rows since the last call, in steps of its machine.
    #[cfg(test)]
    pub(crate) fn steps_of_outdated(&self, kind: &RowKind) -> i32 {
        rows::steps_of_outdated(&self.connection, kind).expect("prepared")
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
                self.forget();
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

    /// Empty the write-ahead log, which holds pages as they were before something was erased. While somebody reads an older
    /// state that can't be done: the next commit tries again, and the last one who closes the file deletes the log.
    fn empty_log(&self) {
        let is_busy = || -> Result<bool, rusqlite::Error> {
            self.connection.busy_timeout(Duration::ZERO)?;
            self.connection.prepare_cached("PRAGMA wal_checkpoint(TRUNCATE)")?.query_row([], |row| row.get(0))
        };
        // What was committed stays committed, whatever becomes of this.
        self.erased.set(is_busy().unwrap_or(true));
        let _ = self.connection.busy_timeout(BUSY_TIMEOUT);
    }

    /// Forget what was read: somebody else changed it, or what changed it was thrown away.
    fn forget(&self) {
        self.scopes.forget();
        self.catalog.forget();
        self.claims.forget();
    }

    fn claim(&self, key: &str) -> Stored<Option<ClaimRow>> {
        self.claims.find(&self.connection, key, self.in_group).map_err(unavailable)
    }

    /// Throw the open group away.
    fn end_group(&mut self) -> Stored<()> {
        self.forget();
        self.in_group = false;
        self.is_broken = false;
        if self.connection.is_autocommit() { Ok(()) } else { self.run("ROLLBACK").map_err(unavailable) }
    }

    /// A group of which a part was lost, or that SQLite itself threw away, as it does when the disk is full, must not go
    /// on as if it were whole.
    fn check_group(&self) -> Stored<()> {
        if self.in_group && (self.is_broken || self.connection.is_autocommit()) {
            return Err(StoreError::Unavailable("the group is lost by an earlier error".into()));
        }
        Ok(())
    }

    /// Write a change in the open group. What refuses it is told before anything is written; a write that fails all the
    /// same leaves a part of the change behind, so that the group can only be thrown away.
    fn apply_in_group(&mut self, changes: &Changes) -> Stored<Applied> {
        if !self.may_apply(changes)? {
            return Ok(Applied::Conflict);
        }
        self.write_all(changes).inspect_err(|_| self.is_broken = true)
    }

    /// Read several rows as of one moment.
    fn read<T>(&self, body: impl FnOnce(&Self) -> Stored<T>) -> Stored<T> {
        if self.in_group {
            return body(self);
        }
        self.run("SAVEPOINT snapshot").map_err(unavailable)?;
        let answer = body(self);
        // Nothing was written, so either end is as good.
        self.run("RELEASE snapshot").map_err(unavailable)?;
        answer
    }

    fn known_scope(&self, scope: &Scope) -> Stored<Option<Known>> {
        self.scopes.find(&self.connection, scope, self.in_group).map_err(unavailable)
    }

    /// Read rows of a scope, if there is such a scope.
    fn of_scope<T: Default>(
        &self,
        scope: &Scope,
        read: impl FnOnce(&Connection, i64) -> Result<T, rusqlite::Error>,
    ) -> Stored<T> {
        match self.known_scope(scope)? {
            Some(known) => read(&self.connection, known.id).map_err(unavailable),
            None => Ok(T::default()),
        }
    }

    /// Read rows of a partition, if there is such a partition.
    fn of_partition<T: Default>(
        &self,
        partition: &Partition,
        read: impl FnOnce(&Connection, i64) -> Result<T, rusqlite::Error>,
    ) -> Stored<T> {
        let number = self.scopes.find_partition(&self.connection, partition, self.in_group).map_err(unavailable)?;
        match number {
            Some(number) => read(&self.connection, number).map_err(unavailable),
            None => Ok(T::default()),
        }
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
        if self.erased.get() {
            self.empty_log();
        }
        Ok(())
    }

    fn rollback(&mut self) -> Stored<()> {
        if !self.in_group {
            return Err(StoreError::Unavailable("no group is open".into()));
        }
        self.end_group()
    }

    fn apply(&mut self, changes: &Changes) -> Stored<Applied> {
        changes.check()?;
        self.check_group()?;
        if self.in_group {
            return self.apply_in_group(changes);
        }
        self.begin()?;
        let applied = self.apply_in_group(changes).and_then(|applied| self.commit().map(|()| applied));
        if applied.is_err() {
            // The first error says more than one of the rollback, after which nothing is there either way.
            let _ = self.end_group();
        }
        applied
    }

    fn open(&self, scope: &Scope, named: &[Reference], facts: &[String]) -> Stored<OpenedRows> {
        self.read(|store| {
            let connection = &store.connection;
            let account = store.known_scope(scope)?;
            let catalog = store.known_scope(&scope.catalog())?;
            let rows = match account {
                Some(known) => AccountGraph { connection, scope: known.id, owner: &scope.account }.reached(named)?,
                None => Rows::new(),
            };
            let references = rows.values().flat_map(|held| &held.references);
            let keys = catalog_keys(named.iter().chain(references));
            let catalog_rows = catalog.map_or(Ok(Vec::new()), |catalog| {
                let at = (catalog.id, catalog.revision);
                let rows = keys.into_iter().map(|key| store.catalog.row(connection, at, key));
                rows.filter_map(Result::transpose).collect::<Result<Vec<_>, _>>()
            });
            Ok(OpenedRows {
                account_revision: account.map_or(0, |known| known.revision),
                catalog_revision: catalog.map_or(0, |known| known.revision),
                catalog: catalog_rows.map_err(unavailable)?,
                rows: rows.into_values().map(|held| held.stored).collect(),
                facts: store.known(scope, facts)?,
            })
        })
    }

    fn load(&self, scope: &Scope, keys: &[RowKey]) -> Stored<Vec<Option<StoredRow>>> {
        self.read(|store| {
            let Some(known) = store.known_scope(scope)? else { return Ok(vec![None; keys.len()]) };
            let row = |key| rows::one(&store.connection, known.id, &scope.account, key);
            keys.iter().map(|key| Ok(row(key).map_err(unavailable)?.map(|held| held.stored))).collect()
        })
    }

    fn more(&self, scope: &Scope, selection: &Selection, limit: usize) -> Stored<Vec<StoredRow>> {
        self.of_scope(scope, |connection, number| match selection {
            Selection::Listed(listing) => rows::listed(connection, number, &scope.account, listing, limit),
            Selection::Outdated(kind, fingerprint) => {
                rows::outdated(connection, number, &scope.account, kind, fingerprint, limit)
            }
        })
    }

    fn rows_all(&self, scope: &Scope, kind: &RowKind, after: Option<&str>, limit: usize) -> Stored<Vec<StoredRow>> {
        self.of_scope(scope, |connection, number| rows::all(connection, number, &scope.account, kind, after, limit))
    }

    fn collections(&self, scope: &Scope) -> Stored<Vec<String>> {
        self.of_scope(scope, rows::collections)
    }

    fn known(&self, scope: &Scope, facts: &[String]) -> Stored<Vec<bool>> {
        if facts.is_empty() {
            return Ok(Vec::new());
        }
        self.read(|store| {
            let Some(known) = store.known_scope(scope)? else { return Ok(vec![false; facts.len()]) };
            let knows = |fact: &String| rows::knows(&store.connection, known.id, fact).map_err(unavailable);
            facts.iter().map(knows).collect()
        })
    }

    fn fact(&self, scope: &Scope, fact: &str) -> Stored<Option<String>> {
        self.of_scope(scope, |connection, number| rows::fact(connection, number, fact))
    }

    fn revision(&self, scope: &Scope) -> Stored<u64> {
        Ok(self.known_scope(scope)?.map_or(0, |known| known.revision))
    }

    fn reply(&self, scope: &Scope, caller: &str) -> Stored<Option<Reply>> {
        self.of_scope(scope, |connection, number| replies::of(connection, number, caller))
    }

    fn newest_data_version(&self, scope: &Scope) -> Stored<Option<u32>> {
        Ok(self.known_scope(scope)?.and_then(|known| known.data_version))
    }

    fn claims(&self, full_keys: &[String]) -> Stored<Vec<Option<ClaimRow>>> {
        self.read(|store| full_keys.iter().map(|key| store.claim(key)).collect())
    }

    fn claims_held(&self, scope: &Scope, prefix: &str) -> Stored<Vec<String>> {
        claims::held(&self.connection, scope, prefix).map_err(unavailable)
    }

    fn claims_each(&self, partition: Option<&Partition>, visit: &mut dyn FnMut(&str, &ClaimRow)) -> Stored<()> {
        claims::each(&self.connection, partition, visit).map_err(unavailable)
    }

    fn catalog_find(
        &self,
        partition: &Partition,
        query: &CatalogQuery,
        after: Option<&str>,
        limit: usize,
    ) -> Stored<Vec<Product>> {
        self.of_scope(&partition.scope(Account::Platform), |connection, number| match query {
            CatalogQuery::All => rows::products(connection, number, None, after, limit),
            CatalogQuery::ProductType(name) => rows::products(connection, number, Some(name), after, limit),
            CatalogQuery::Name(name) => rows::products_named(connection, number, name, after, limit),
        })
    }

    fn catalog_read(&self, partition: &Partition, keys: &[CatalogKey]) -> Stored<Vec<Option<CatalogRow>>> {
        self.read(|store| {
            let catalog = store.known_scope(&partition.scope(Account::Platform))?;
            let Some(known) = catalog else { return Ok(vec![None; keys.len()]) };
            let at = (known.id, known.revision);
            let row = |key| store.catalog.row(&store.connection, at, key).map_err(unavailable);
            keys.iter().map(row).collect()
        })
    }

    fn effect(&self, scope: &Scope, key: &str) -> Stored<Vec<EffectRow>> {
        self.of_scope(scope, |connection, number| effects::generations(connection, number, key))
    }

    fn effects_of(&self, scope: &Scope, after: u64, limit: usize) -> Stored<Vec<EffectRow>> {
        self.of_scope(scope, |connection, number| effects::of_scope(connection, number, after, limit))
    }

    fn effects_due(&self, partition: &Partition, now: Timestamp, timers: bool, limit: usize) -> Stored<Vec<EffectRow>> {
        self.of_partition(partition, |connection, number| effects::due(connection, number, now, timers, limit))
    }

    fn effects_running(&self, partition: &Partition) -> Stored<Vec<EffectRow>> {
        self.of_partition(partition, effects::running)
    }

    fn effects_open(&self, partition: &Partition, account: Option<&Account>) -> Stored<Vec<EffectRow>> {
        match account {
            None => self.of_partition(partition, effects::open),
            Some(account) => self.of_scope(&partition.scope(account.clone()), effects::open_of),
        }
    }

    fn next_due(&self, partition: &Partition, now: Timestamp) -> Stored<Option<Timestamp>> {
        self.of_partition(partition, |connection, number| effects::next_due(connection, number, now))
    }

    fn event(&self, partition: &Partition, source: &str, id: &str) -> Stored<Option<InboxRow>> {
        inbox::event(&self.connection, partition, source, id).map_err(unavailable)
    }

    fn inbox(&self, seq: u64) -> Stored<Option<InboxRow>> {
        inbox::row(&self.connection, seq).map_err(unavailable)
    }

    fn inbox_after(&self, after: u64, limit: usize) -> Stored<Vec<InboxRow>> {
        inbox::after(&self.connection, after, limit).map_err(unavailable)
    }

    fn runs(&self, seq: u64) -> Stored<Vec<Run>> {
        inbox::runs(&self.connection, seq).map_err(unavailable)
    }

    fn latest(&self, partition: &Partition) -> Stored<Option<Timestamp>> {
        self.of_partition(partition, inbox::latest)
    }

    fn inbox_due(&self, partition: &Partition, now: Timestamp, limit: usize) -> Stored<Vec<u64>> {
        self.of_partition(partition, |connection, number| inbox::due(connection, number, now, limit))
    }

    fn inbox_next_due(&self, partition: &Partition, now: Timestamp) -> Stored<Option<Timestamp>> {
        self.of_partition(partition, |connection, number| inbox::next_due(connection, number, now))
    }

    fn woken_by(&self, keys: &[String]) -> Stored<Vec<u64>> {
        inbox::woken_by(&self.connection, keys).map_err(unavailable)
    }

    fn parked_before(&self, partition: &Partition, before: Timestamp, limit: usize) -> Stored<Vec<u64>> {
        self.of_partition(partition, |connection, number| {
            inbox::waiting_since(connection, (number, inbox::PARKED), before, limit)
        })
    }

    fn deferred_before(&self, partition: &Partition, before: Timestamp, limit: usize) -> Stored<Vec<u64>> {
        self.of_partition(partition, |connection, number| {
            inbox::waiting_since(connection, (number, inbox::DEFERRED), before, limit)
        })
    }

    fn parked_count(&self, partition: &Partition) -> Stored<u64> {
        self.of_partition(partition, inbox::parked_count)
    }

    fn dead(&self, partition: &Partition, after: u64, limit: usize) -> Stored<Vec<InboxRow>> {
        self.of_partition(partition, |connection, number| {
            inbox::in_state(connection, (number, inbox::DEAD), after, limit)
        })
    }

    fn failed(&self, partition: &Partition, after: u64, limit: usize) -> Stored<Vec<InboxRow>> {
        let mut failed = self.read(|store| {
            store.of_partition(partition, |connection, number| {
                let mut failed = inbox::in_state(connection, (number, inbox::PENDING), after, limit)?;
                failed.extend(inbox::in_state(connection, (number, inbox::DEAD), after, limit)?);
                Ok(failed)
            })
        })?;
        failed.sort_unstable_by_key(|row| row.seq);
        failed.truncate(limit);
        Ok(failed)
    }

    fn scopes(&self) -> Stored<Vec<Scope>> {
        scopes::all(&self.connection).map_err(unavailable)
    }
}
