//! The store in SQLite: one file, one writing connection, durable when a group is committed.
//!
//! Statements are prepared once. Data that only the extension reads is stored as the text or bytes that it wrote, so that it is not
//! encoded twice. A change takes one statement per row and no savepoint: with one, SQLite copies each page that an event changes.

mod checkpoints;
mod rows;
mod schema;
mod scopes;
mod texts;

use crate::cell::{Cell, Patch, Record, View};
use crate::error::{StoreError, Stored};
use crate::kept::{Backend, Kept, Tables};
use crate::query::{Flow, Query};
use crate::rows::AccountRow;
use crate::schema::Table;
use crate::scope::{Partition, Scope};
use crate::sql::{Dialect, Texts};
use crate::store::{Lend, Read, Reader};
use checkpoints::Checkpoints;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
pub use schema::VIEW_MARK;
use scopes::{ScopeCache, ScopeRow};
use std::fmt;
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
/// Like [`CHECKPOINT_PAGES`], if a separate thread does the checkpoints (64 MiB): the writer steps in only if that thread cannot.
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
    /// The file was written by a build from before the first release.
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
pub type SqliteStore = Kept<Sqlite>;

/// The tables of a file.
pub struct Sqlite {
    /// Ends before the connection closes, which then is the last one and deletes the log.
    checkpoints: Option<Checkpoints>,
    connection: Connection,
    /// The file; none for a database in memory.
    path: Option<PathBuf>,
    texts: Texts,
    scopes: ScopeCache,
    /// SQLite's counter of changes by other connections when the group began.
    seen_changes: i64,
    in_group: bool,
    /// True if the write-ahead log may still contain erased data.
    erased: bool,
}

impl fmt::Debug for Sqlite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sqlite").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Kept<Sqlite> {
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
    /// Fails like [`SqliteStore::open`].
    pub fn open_with(path: impl AsRef<Path>, synchronous: Synchronous) -> Result<Self, OpenError> {
        let path = path.as_ref();
        crate::sqlite_file::create_private(path).map_err(|error| OpenError::Io { path: path.to_owned(), error })?;
        let mut file = Sqlite::prepare(Connection::open(path)?, synchronous)?;
        file.path = Some(path.to_owned());
        Ok(Kept::over(file))
    }

    /// From now on, copies the write-ahead log into the file on a separate thread, for a server: otherwise, a commit would now and
    /// then wait for the copy. Changes nothing for a store in memory.
    ///
    /// # Errors
    /// Fails if the file cannot be opened a second time, or if the thread cannot be created.
    pub fn checkpoint_beside(&mut self) -> Result<(), OpenError> {
        let file = &mut self.backend;
        if let Some(path) = &file.path {
            file.checkpoints = Some(Checkpoints::start(path)?);
            file.connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES_BESIDE)?;
        }
        Ok(())
    }

    /// Opens a store in memory.
    ///
    /// # Errors
    /// Fails if SQLite fails.
    pub fn open_in_memory() -> Result<Self, OpenError> {
        Sqlite::prepare(Connection::open_in_memory()?, Synchronous::Normal).map(Kept::over)
    }

    /// Opens a reader of a file that another process may write. It changes nothing, so the file must have this program's
    /// schema.
    ///
    /// # Errors
    /// Fails if the file cannot be opened, belongs to another program, or has an older or newer schema.
    pub fn open_reader(path: impl AsRef<Path>) -> Result<Box<dyn Reader>, OpenError> {
        let file = Sqlite::open_to_read(path.as_ref())?;
        schema::check(&file.connection)?;
        Ok(Box::new(SqliteReader(Kept::over(file))))
    }

    #[cfg(test)]
    pub(crate) fn connection(&self) -> &Connection {
        &self.backend.connection
    }

    /// Returns the number of steps that SQLite's virtual machine took for all statements on the tables since the last call.
    #[cfg(test)]
    pub(crate) fn steps(&self) -> i32 {
        let steps = |sql: std::sync::Arc<str>| {
            let statement = self.backend.connection.prepare_cached(&sql).expect("prepared before");
            statement.reset_status(rusqlite::StatementStatus::VmStep)
        };
        self.backend.texts.all().into_iter().map(steps).sum()
    }
}

impl Sqlite {
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
        // between pages, it may leave a copy in the unused part of a page, until `VACUUM`. The texts of events and
        // effects never move, because their tables only grow at their end.
        connection.pragma_update(None, "secure_delete", true)?;
        connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
        connection.pragma_update(None, "journal_size_limit", LOG_BYTES_MAX)?;
        Ok(Self::of(connection))
    }

    fn open_to_read(path: &Path) -> Result<Self, rusqlite::Error> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        prepare_queries(&connection)?;
        Ok(Self::of(connection))
    }

    fn of(connection: Connection) -> Self {
        Sqlite {
            checkpoints: None,
            connection,
            path: None,
            texts: Texts::of(Dialect::Sqlite),
            scopes: ScopeCache::default(),
            seen_changes: -1,
            in_group: false,
            erased: false,
        }
    }

    fn run(&self, sql: &str) -> Stored<()> {
        self.connection.prepare_cached(sql).and_then(|mut sql| sql.execute([])).map(drop).map_err(unavailable)
    }

    /// Begins a transaction with this statement. Its first query shows whether others have written. Returns true if they have.
    fn begin_group(&mut self, begin: &str) -> Stored<bool> {
        self.run(begin)?;
        let changes = self
            .connection
            .prepare_cached("PRAGMA data_version")
            .and_then(|mut sql| sql.query_row([], |row| row.get(0)))
            .map_err(unavailable);
        if changes.is_err() {
            self.run("ROLLBACK")?;
        }
        let changes = changes?;
        self.in_group = true;
        if changes == self.seen_changes {
            return Ok(false);
        }
        self.scopes.clear();
        self.seen_changes = changes;
        Ok(true)
    }

    /// Empties the write-ahead log, which contains pages from before an erasure. This fails while another connection reads an older
    /// state; then the next commit tries again, and the last connection to close deletes the log.
    fn empty_log(&mut self) {
        let is_busy = || -> Result<bool, rusqlite::Error> {
            self.connection.busy_timeout(Duration::ZERO)?;
            self.connection.prepare_cached("PRAGMA wal_checkpoint(TRUNCATE)")?.query_row([], |row| row.get(0))
        };
        // The commit is already durable, so an error here is not reported.
        self.erased = is_busy().unwrap_or(true);
        let _ = self.connection.busy_timeout(BUSY_TIMEOUT);
    }

    fn find_scope(&self, scope: &Scope) -> Stored<Option<ScopeRow>> {
        self.scopes.find(&self.connection, scope, self.in_group).map_err(unavailable)
    }

    fn find_partition(&self, business: &str, livemode: bool) -> Stored<Option<i64>> {
        self.scopes.find_partition(&self.connection, (business, livemode), self.in_group).map_err(unavailable)
    }
}

impl Drop for Sqlite {
    fn drop(&mut self) {
        // The changes of an open group were never acknowledged, so an error need not be reported.
        let _ = self.rollback();
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

/// Converts a maximum number of rows to a value of a column.
fn limit(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

impl Tables for Sqlite {
    fn find<V: View>(&self, query: &Query<'_>, each: &mut dyn FnMut(V) -> Stored<Flow>) -> Stored<()> {
        self.select(query, each)
    }

    fn count(&self, table: &'static Table, query: &Query<'_>) -> Stored<u64> {
        self.number(table, query)
    }

    fn account(&self, scope: &Scope) -> Stored<Option<AccountRow>> {
        let row = |known: ScopeRow| AccountRow { revision: known.revision, data_version: known.data_version };
        Ok(self.find_scope(scope)?.map(row))
    }

    fn scopes(&self, partition: Option<&Partition>) -> Stored<Vec<Scope>> {
        let number = match partition {
            Some(partition) => match self.find_partition(&partition.business, partition.livemode)? {
                None => return Ok(Vec::new()),
                known => known,
            },
            None => None,
        };
        scopes::all(&self.connection, number).map_err(unavailable)
    }

    fn together<T>(&self, body: impl FnOnce() -> Stored<T>) -> Stored<T> {
        if self.in_group {
            return body();
        }
        self.run("SAVEPOINT snapshot")?;
        let answer = body();
        // Nothing was written, so releasing and rolling back are equivalent.
        self.run("RELEASE snapshot")?;
        answer
    }
}

impl Backend for Sqlite {
    fn insert<R: Record>(&mut self, row: &R) -> Stored<Option<u64>> {
        self.insert_row(row)
    }

    fn put<R: Record>(&mut self, row: &R) -> Stored<()> {
        self.put_row(row)
    }

    fn patch<P: Patch>(&mut self, key: &[Cell<'_>], patch: &P) -> Stored<()> {
        self.patch_row(key, patch)
    }

    fn delete(&mut self, table: &'static Table, key: &[Cell<'_>]) -> Stored<()> {
        self.delete_row(table, key)
    }

    fn set_account(&mut self, scope: &Scope, row: AccountRow) -> Stored<()> {
        let known = self.scopes.ensure(&self.connection, scope).map_err(unavailable)?;
        let now = ScopeRow { revision: row.revision, data_version: row.data_version, ..known };
        if now == known { Ok(()) } else { self.scopes.set(&self.connection, scope, now).map_err(unavailable) }
    }

    fn begin(&mut self) -> Stored<bool> {
        self.begin_group("BEGIN IMMEDIATE")
    }

    fn commit(&mut self) -> Stored<()> {
        self.run("COMMIT")?;
        self.in_group = false;
        if let Some(checkpoints) = &self.checkpoints {
            checkpoints.committed();
        }
        if self.erased {
            self.empty_log();
        }
        Ok(())
    }

    fn rollback(&mut self) -> Stored<()> {
        self.scopes.clear();
        self.in_group = false;
        // After some errors, for example a full disk, SQLite itself has rolled back.
        if self.connection.is_autocommit() { Ok(()) } else { self.run("ROLLBACK") }
    }

    fn reader(&self) -> Stored<Box<dyn Reader>> {
        let Some(path) = &self.path else {
            return Err(StoreError::Misuse("a database in memory has no readers".into()));
        };
        Ok(Box::new(SqliteReader(Kept::over(Sqlite::open_to_read(path).map_err(unavailable)?))))
    }

    fn is_whole(&self) -> bool {
        !self.connection.is_autocommit()
    }

    fn touch(&mut self) -> Stored<()> {
        // SQLite writes the number even though it is unchanged.
        let connection = &self.connection;
        let version = connection.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0));
        version.and_then(|version| connection.pragma_update(None, "user_version", version)).map_err(unavailable)
    }

    fn note_erasure(&mut self) {
        self.erased = true;
    }
}

/// A reader with its own connection.
struct SqliteReader(SqliteStore);

impl Lend for SqliteReader {
    fn lend<T>(&self, body: impl FnOnce(&dyn Read) -> Stored<T>) -> Stored<T> {
        match self.0.in_group {
            true => body(&self.0),
            false => Err(StoreError::Misuse("no snapshot is open".into())),
        }
    }
}

impl Reader for SqliteReader {
    fn begin(&mut self) -> Stored<()> {
        match self.0.in_group {
            true => Err(StoreError::Misuse("a snapshot is already open".into())),
            // The snapshot begins with the first query, which `begin_group` runs.
            false => self.0.begin_by(|file| file.begin_group("BEGIN DEFERRED")),
        }
    }

    fn end(&mut self) -> Stored<()> {
        if !std::mem::take(&mut self.0.in_group) {
            return Err(StoreError::Misuse("no snapshot is open".into()));
        }
        // The caches are kept: the next transaction checks them.
        self.0.backend.in_group = false;
        self.0.backend.run("COMMIT")
    }
}
