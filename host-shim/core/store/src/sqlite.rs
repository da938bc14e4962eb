//! The store in SQLite: one file, one writing connection, durable when a group is committed.
//!
//! The rows of the extension are JSON in one table, with columns for what is looked up. What only the extension reads is stored as the
//! text or bytes that it wrote, so that it is not encoded twice. Statements are prepared once. One statement reads all live rows of an account; a
//! write takes one statement per row and no savepoint.

mod apply;
mod catalog;
mod checkpoints;
mod claims;
mod copy;
mod effects;
mod erase;
mod graph;
mod inbox;
mod reader;
mod replies;
mod rows;
mod schema;
mod scopes;
mod text;

use crate::changes::{Applied, Changes};
use crate::error::{StoreError, Stored};
use crate::reach::{Rows, catalog_keys};
use crate::rows::{ClaimRow, DueQuery, EffectRow, InboxRow, LeaseRequest, OpenedRows, Run};
use crate::scope::{Partition, Scope};
use crate::store::{Read, Reader, Store};
use catalog::CatalogCache;
use checkpoints::Checkpoints;
use claims::ClaimCache;
use extension_contract::{
    Account, CatalogKey, CatalogQuery, CatalogRow, Product, Reference, Reply, RowKey, RowKind, Selection, StoredRow,
    Timestamp,
};
use graph::AccountGraph;
use reader::SqliteReader;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
pub use schema::VIEW_MARK;
use scopes::{ScopeCache, ScopeRow};
use std::cell::Cell;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Longest wait for another writing process.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Capacity of the statement cache: larger than the number of statements, so that no statement is prepared twice.
const STATEMENTS_MAX: usize = 128;
/// Page cache in KiB: bounds the memory of an idle host, whatever the size of the file.
const CACHE_KIB: i64 = 16 * 1024;
/// Number of pages in the write-ahead log that triggers a checkpoint (16 MiB): more than SQLite's default, for fewer
/// checkpoints.
const CHECKPOINT_PAGES: i64 = 4096;
/// The same if a thread of its own checkpoints (64 MiB): the writer does it only if the thread cannot.
const CHECKPOINT_PAGES_BESIDE: i64 = 16_384;
/// Size in bytes to which the write-ahead log is truncated after a checkpoint.
const LOG_BYTES_MAX: i64 = 64 * 1024 * 1024;

/// The durability that a commit waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Synchronous {
    /// Waits for the disk: committed data survives a power failure.
    #[default]
    Full,
    /// Waits for the operating system: committed data survives a crash of the process, but after a failure of the
    /// machine the last groups may be lost.
    Normal,
}

/// The reason why a file cannot be used as a store.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file could not be created or opened.
    #[error("cannot open {path}: {error}")]
    Io {
        /// Path of the file.
        path: PathBuf,
        /// Error of the operating system.
        error: io::Error,
    },
    /// The file was written by a newer version of this program.
    #[error("schema version {found} is newer than the newest supported version {known}")]
    TooNew {
        /// The file's `user_version`.
        found: i64,
        /// Newest version that this program supports.
        known: usize,
    },
    /// The file was written by an older version of this program, and may only be read.
    #[error("schema version {found} is older than {known}: start the server once, which brings the file up to date")]
    TooOld {
        /// The file's `user_version`.
        found: i64,
        /// Version that this program reads.
        known: usize,
    },
    /// A build before the first release has written the file.
    #[error("schema version {found} is of a build before the first release: begin with a new data folder")]
    Early {
        /// The file's `user_version`.
        found: i64,
    },
    /// The file is a database of another program.
    #[error("a database of another program: it has {tables} tables and indexes, but no schema version")]
    Foreign {
        /// Number of entries in the file's schema.
        tables: i64,
    },
    /// SQLite failed.
    #[error("sqlite: {0}")]
    Sqlite(#[from] rusqlite::Error),
}

/// A store in SQLite. One process may write at a time; others may read.
pub struct SqliteStore {
    /// Ends before the connection closes, which then is the last one and deletes the log.
    checkpoints: Option<Checkpoints>,
    connection: Connection,
    /// The file; none for a database in memory.
    path: Option<PathBuf>,
    scopes: ScopeCache,
    catalog: CatalogCache,
    claims: ClaimCache,
    /// SQLite's counter of changes by other connections when the group began.
    seen_changes: i64,
    in_group: bool,
    /// True after a change of the open group was written only in part.
    is_broken: bool,
    /// True if the write-ahead log may still contain erased data.
    erased: Cell<bool>,
}

impl SqliteStore {
    /// Opens or creates a file. Only its owner may read a new file.
    ///
    /// # Errors
    /// Fails if the file cannot be opened, belongs to another program or to a newer version, or SQLite fails.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        Self::open_with(path, Synchronous::Full)
    }

    /// Opens or creates a file, with a choice of durability.
    ///
    /// # Errors
    /// As [`SqliteStore::open`].
    pub fn open_with(path: impl AsRef<Path>, synchronous: Synchronous) -> Result<Self, OpenError> {
        let path = path.as_ref();
        crate::sqlite_file::create_private(path).map_err(|error| OpenError::Io { path: path.to_owned(), error })?;
        let mut store = Self::prepare(Connection::open(path)?, synchronous)?;
        store.path = Some(path.to_owned());
        Ok(store)
    }

    /// Copies the write-ahead log into the file on a thread of its own from now on, for a server: otherwise, a commit waits for
    /// the copy now and then. Changes nothing for a store in memory.
    ///
    /// # Errors
    /// Fails if the file cannot be opened once more, or if the thread cannot be created.
    pub fn checkpoint_beside(&mut self) -> Result<(), OpenError> {
        if let Some(path) = &self.path {
            self.checkpoints = Some(Checkpoints::start(path)?);
            self.connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES_BESIDE)?;
        }
        Ok(())
    }

    /// Opens a store in memory.
    ///
    /// # Errors
    /// Fails if SQLite fails.
    pub fn open_in_memory() -> Result<Self, OpenError> {
        Self::prepare(Connection::open_in_memory()?, Synchronous::Normal)
    }

    fn prepare(mut connection: Connection, synchronous: Synchronous) -> Result<Self, OpenError> {
        prepare_queries(&connection)?;
        // The schema is checked before the journal mode is set: setting the mode writes to the file, which may belong
        // to another program.
        schema::migrate(&mut connection)?;
        crate::sqlite_file::use_write_ahead_log(&connection, BUSY_TIMEOUT)?;
        let synchronous = match synchronous {
            Synchronous::Full => "FULL",
            Synchronous::Normal => "NORMAL",
        };
        connection.pragma_update(None, "synchronous", synchronous)?;
        // SQLite overwrites deleted data with zeros, so that erased data leaves the file. When SQLite moves rows
        // between pages, it may leave a copy in the unused part of a page, until `VACUUM`. Events and the texts of
        // effects never move, because their tables only grow at their end.
        connection.pragma_update(None, "secure_delete", true)?;
        connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
        connection.pragma_update(None, "journal_size_limit", LOG_BYTES_MAX)?;
        Ok(Self::of(connection))
    }

    /// Opens a reader of a file that another process may write. It changes nothing, so the file must have this program's
    /// schema.
    ///
    /// # Errors
    /// Fails if the file cannot be opened, belongs to another program, or has an older or newer schema.
    pub fn open_reader(path: impl AsRef<Path>) -> Result<Box<dyn Reader>, OpenError> {
        let reader = SqliteReader::open(path.as_ref())?;
        schema::check(reader.connection())?;
        Ok(Box::new(reader))
    }

    fn open_to_read(path: &Path) -> Result<Self, rusqlite::Error> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        prepare_queries(&connection)?;
        Ok(Self::of(connection))
    }

    fn of(connection: Connection) -> Self {
        SqliteStore {
            checkpoints: None,
            connection,
            path: None,
            scopes: ScopeCache::default(),
            catalog: CatalogCache::default(),
            claims: ClaimCache::default(),
            seen_changes: -1,
            in_group: false,
            is_broken: false,
            erased: Cell::new(false),
        }
    }

    #[cfg(test)]
    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Returns the steps of SQLite's virtual machine for queries of outdated rows since the last call.
    #[cfg(test)]
    pub(crate) fn steps_of_outdated(&self) -> i32 {
        rows::steps_of_outdated(&self.connection).expect("prepared")
    }

    fn run(&self, sql: &str) -> Result<(), rusqlite::Error> {
        self.connection.prepare_cached(sql)?.execute([])?;
        Ok(())
    }

    /// Begins a transaction with this statement. Its first query checks whether the caches are still valid.
    fn begin_group(&mut self, begin: &str) -> Result<(), rusqlite::Error> {
        self.run(begin)?;
        let changes = self.connection.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0));
        match changes {
            Ok(changes) if changes == self.seen_changes => {}
            Ok(changes) => {
                self.clear_caches();
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

    /// Empties the write-ahead log, which holds pages from before an erasure. This fails while another connection reads
    /// an older state. Then the next commit tries again, and the last connection to close deletes the log.
    fn empty_log(&self) {
        let is_busy = || -> Result<bool, rusqlite::Error> {
            self.connection.busy_timeout(Duration::ZERO)?;
            self.connection.prepare_cached("PRAGMA wal_checkpoint(TRUNCATE)")?.query_row([], |row| row.get(0))
        };
        // The commit is already durable, so an error here is not reported.
        self.erased.set(is_busy().unwrap_or(true));
        let _ = self.connection.busy_timeout(BUSY_TIMEOUT);
    }

    /// Clears the caches, after another process changed the rows or a change was rolled back.
    fn clear_caches(&self) {
        self.scopes.clear();
        self.catalog.clear();
        self.claims.clear();
    }

    fn claim(&self, key: &str) -> Stored<Option<ClaimRow>> {
        self.claims.find(&self.connection, key, self.in_group).map_err(unavailable)
    }

    /// Discards the open group.
    fn end_group(&mut self) -> Stored<()> {
        self.clear_caches();
        self.in_group = false;
        self.is_broken = false;
        if self.connection.is_autocommit() { Ok(()) } else { self.run("ROLLBACK").map_err(unavailable) }
    }

    /// Ends a transaction that has only read. The caches stay: the next transaction checks them.
    fn end_snapshot(&mut self) -> Result<(), rusqlite::Error> {
        self.in_group = false;
        self.run("COMMIT")
    }

    /// Fails if the open group is incomplete: a write failed half-way, or SQLite itself rolled it back, for example
    /// because the disk is full.
    fn check_group(&self) -> Stored<()> {
        if self.in_group && (self.is_broken || self.connection.is_autocommit()) {
            return Err(StoreError::Unavailable("the open group is incomplete after an earlier error".into()));
        }
        Ok(())
    }

    /// Writes a change in the open group. Refusals are found before the first write. If a write itself fails, a part of
    /// the change remains, so that the group can only be discarded.
    fn apply_in_group(&mut self, changes: &Changes) -> Stored<Applied> {
        match self.conflict(changes)? {
            Some(conflict) => Ok(Applied::Conflict(conflict)),
            None => self.write_all(changes).inspect_err(|_| self.is_broken = true),
        }
    }

    /// Reads several rows from one snapshot.
    fn read<T>(&self, body: impl FnOnce(&Self) -> Stored<T>) -> Stored<T> {
        if self.in_group {
            return body(self);
        }
        self.run("SAVEPOINT snapshot").map_err(unavailable)?;
        let answer = body(self);
        // Nothing was written, so that releasing and rolling back are equivalent.
        self.run("RELEASE snapshot").map_err(unavailable)?;
        answer
    }

    fn find_scope(&self, scope: &Scope) -> Stored<Option<ScopeRow>> {
        self.scopes.find(&self.connection, scope, self.in_group).map_err(unavailable)
    }

    /// Reads rows of a scope; returns the default if the scope does not exist.
    fn of_scope<T: Default>(
        &self,
        scope: &Scope,
        read: impl FnOnce(&Connection, i64) -> Result<T, rusqlite::Error>,
    ) -> Stored<T> {
        match self.find_scope(scope)? {
            Some(known) => read(&self.connection, known.id).map_err(unavailable),
            None => Ok(T::default()),
        }
    }

    /// Reads rows of a partition; returns the default if the partition does not exist.
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
        // The changes of an open group were never acknowledged, so that an error needs no report.
        if self.in_group {
            let _ = self.rollback();
        }
    }
}

/// Sets up a connection for queries.
fn prepare_queries(connection: &Connection) -> Result<(), rusqlite::Error> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    // Without this setting, SQLite prepares a statement again for each value that could make a partial index apply.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    connection.pragma_update(None, "temp_store", "MEMORY")
}

fn unavailable(error: rusqlite::Error) -> StoreError {
    StoreError::Unavailable(error.to_string())
}

impl Store for SqliteStore {
    fn begin(&mut self) -> Stored<()> {
        if self.in_group {
            return Err(StoreError::Misuse("a group is already open".into()));
        }
        self.begin_group("BEGIN IMMEDIATE").map_err(unavailable)
    }

    fn commit(&mut self) -> Stored<()> {
        if !self.in_group {
            return Err(StoreError::Misuse("no group is open".into()));
        }
        self.check_group()?;
        self.run("COMMIT").map_err(unavailable)?;
        self.in_group = false;
        if let Some(checkpoints) = &self.checkpoints {
            checkpoints.committed();
        }
        if self.erased.get() {
            self.empty_log();
        }
        Ok(())
    }

    fn rollback(&mut self) -> Stored<()> {
        if !self.in_group {
            return Err(StoreError::Misuse("no group is open".into()));
        }
        self.end_group()
    }

    fn try_write(&mut self) -> Stored<()> {
        self.begin()?;
        // The same number again is written all the same.
        let written = self
            .connection
            .pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0))
            .and_then(|version| self.connection.pragma_update(None, "user_version", version))
            .map_err(unavailable)
            .and_then(|()| self.commit());
        if written.is_err() {
            // The first error says more.
            let _ = self.rollback();
        }
        written
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
            // The first error is more useful than an error of the rollback; in both cases no change remains.
            let _ = self.end_group();
        }
        applied
    }

    fn lease(&mut self, request: &LeaseRequest<'_>) -> Stored<Vec<EffectRow>> {
        self.check_group()?;
        let lease = |store: &Self| {
            store.of_partition(request.partition, |connection, number| effects::lease(connection, number, request))
        };
        if self.in_group {
            return lease(self).inspect_err(|_| self.is_broken = true);
        }
        self.begin()?;
        let leased = lease(self).and_then(|leased| self.commit().map(|()| leased));
        if leased.is_err() {
            // The first error is more useful than an error of the rollback; in both cases no effect is leased.
            let _ = self.end_group();
        }
        leased
    }

    fn reader(&self) -> Stored<Box<dyn Reader>> {
        match &self.path {
            _ if self.in_group => Err(StoreError::Misuse("a reader is opened outside of a group".into())),
            None => Err(StoreError::Misuse("a database in memory has no readers".into())),
            Some(path) => Ok(Box::new(SqliteReader::open(path).map_err(unavailable)?)),
        }
    }
}

impl Read for SqliteStore {
    fn open(&self, scope: &Scope, named: &[Reference], facts: &[String]) -> Stored<OpenedRows> {
        self.read(|store| {
            let connection = &store.connection;
            let account = store.find_scope(scope)?;
            let catalog = store.find_scope(&scope.catalog())?;
            let rows = match account {
                Some(known) => AccountGraph { connection, scope: known.id }.reached(named)?,
                None => Rows::new(),
            };
            let references = rows.values().flat_map(|loaded| &loaded.references);
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
                rows: rows.into_values().map(|loaded| loaded.stored).collect(),
                facts: store.known(scope, facts)?,
            })
        })
    }

    fn load(&self, scope: &Scope, keys: &[RowKey]) -> Stored<Vec<Option<StoredRow>>> {
        self.read(|store| {
            let Some(known) = store.find_scope(scope)? else { return Ok(vec![None; keys.len()]) };
            let row = |key| rows::one(&store.connection, known.id, key);
            keys.iter().map(|key| Ok(row(key).map_err(unavailable)?.map(|loaded| loaded.stored))).collect()
        })
    }

    fn more(&self, scope: &Scope, selection: &Selection, limit: usize) -> Stored<Vec<StoredRow>> {
        self.of_scope(scope, |connection, number| match selection {
            Selection::Listed(listing) => rows::listed(connection, number, listing, limit),
            Selection::Outdated(kind, fingerprint) => rows::outdated(connection, number, kind, fingerprint, limit),
        })
    }

    fn rows_all(&self, scope: &Scope, kind: &RowKind, after: Option<&str>, limit: usize) -> Stored<Vec<StoredRow>> {
        self.of_scope(scope, |connection, number| rows::all(connection, number, kind, after, limit))
    }

    fn collections(&self, scope: &Scope) -> Stored<Vec<String>> {
        self.of_scope(scope, rows::collections)
    }

    fn known(&self, scope: &Scope, facts: &[String]) -> Stored<Vec<bool>> {
        if facts.is_empty() {
            return Ok(Vec::new());
        }
        self.read(|store| {
            let Some(known) = store.find_scope(scope)? else { return Ok(vec![false; facts.len()]) };
            let has_fact = |fact: &String| rows::has_fact(&store.connection, known.id, fact).map_err(unavailable);
            facts.iter().map(has_fact).collect()
        })
    }

    fn fact(&self, scope: &Scope, fact: &str) -> Stored<Option<String>> {
        self.of_scope(scope, |connection, number| rows::fact(connection, number, fact))
    }

    fn revision(&self, scope: &Scope) -> Stored<u64> {
        Ok(self.find_scope(scope)?.map_or(0, |known| known.revision))
    }

    fn reply(&self, scope: &Scope, caller: &str) -> Stored<Option<Reply>> {
        self.of_scope(scope, |connection, number| replies::of(connection, number, caller))
    }

    fn newest_data_version(&self, scope: &Scope) -> Stored<Option<u32>> {
        Ok(self.find_scope(scope)?.and_then(|known| known.data_version))
    }

    fn claims(&self, full_keys: &[String]) -> Stored<Vec<Option<ClaimRow>>> {
        self.read(|store| full_keys.iter().map(|key| store.claim(key)).collect())
    }

    fn claims_held(&self, scope: &Scope, prefix: &str) -> Stored<Vec<String>> {
        claims::held(&self.connection, scope, prefix).map_err(unavailable)
    }

    fn claim_keys(&self, prefix: &str, after: Option<&str>, limit: usize) -> Stored<Vec<String>> {
        claims::keys(&self.connection, prefix, after, limit).map_err(unavailable)
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
            let catalog = store.find_scope(&partition.scope(Account::Platform))?;
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

    fn effects_due(&self, query: &DueQuery<'_>) -> Stored<Vec<EffectRow>> {
        self.of_partition(query.partition, |connection, number| effects::due(connection, number, query))
    }

    fn effects_running(&self, partition: &Partition) -> Stored<Vec<EffectRow>> {
        self.of_partition(partition, effects::running)
    }

    fn effects_awaited(&self, partition: &Partition) -> Stored<Vec<EffectRow>> {
        self.of_partition(partition, effects::awaited)
    }

    fn effects_open(&self, partition: &Partition, account: Option<&Account>) -> Stored<Vec<EffectRow>> {
        match account {
            None => self.of_partition(partition, effects::open),
            Some(account) => self.of_scope(&partition.scope(account.clone()), effects::open_of),
        }
    }

    fn effects_open_after(&self, partition: &Partition, after: u64, limit: usize) -> Stored<Vec<EffectRow>> {
        self.of_partition(partition, |connection, number| effects::open_after(connection, number, after, limit))
    }

    fn effect_at(&self, seq: u64) -> Stored<Option<EffectRow>> {
        effects::at(&self.connection, seq).map_err(unavailable)
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

    fn inbox_after(&self, partition: Option<&Partition>, after: u64, limit: usize) -> Stored<Vec<InboxRow>> {
        match partition {
            None => inbox::after(&self.connection, after, limit).map_err(unavailable),
            Some(partition) => self.of_partition(partition, |connection, number| {
                inbox::of_partition_after(connection, number, after, limit)
            }),
        }
    }

    fn inbox_of(&self, scope: &Scope, after: u64, limit: usize) -> Stored<Vec<InboxRow>> {
        self.of_partition(&scope.partition(), |connection, number| {
            inbox::of_account_after(connection, number, &scope.account.to_string(), after, limit)
        })
    }

    fn effect_results_after(&self, after: u64, limit: usize) -> Stored<Vec<InboxRow>> {
        inbox::effect_results_after(&self.connection, after, limit).map_err(unavailable)
    }

    fn inbox_newest(&self) -> Stored<u64> {
        inbox::newest(&self.connection).map_err(unavailable)
    }

    fn runs(&self, seq: u64) -> Stored<Vec<Run>> {
        inbox::runs(&self.connection, seq).map_err(unavailable)
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

    fn scopes(&self, partition: Option<&Partition>) -> Stored<Vec<Scope>> {
        let mut scopes = scopes::all(&self.connection).map_err(unavailable)?;
        scopes.retain(|scope| partition.is_none_or(|partition| scope.partition() == *partition));
        Ok(scopes)
    }
}
