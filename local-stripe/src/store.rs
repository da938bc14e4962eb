//! The account's rows in SQLite: in a file that survives kills, or in a temporary database that ends with the process
//! and uses the disk only if it outgrows its cache. One transaction per request, a checksum for each row.

mod account;
mod answers;
pub mod cache;
mod checksum;
mod error;
mod events;
mod file;
mod log;
mod objects;
mod pages;
mod schema;

use std::path::Path;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

pub use account::{Counters, Given};
pub use answers::StoredReply;
pub use error::StoreError;

use crate::settings::Settings;
use file::Files;

/// The capacity of the cache of prepared statements: more than there are, so none is prepared twice.
const STATEMENTS_MAX: usize = 64;
/// SQLite's page cache in KiB; with the caches of decoded rows, it bounds the memory.
const CACHE_KIB: i64 = 8 * 1024;
/// The same for a temporary store, which scans every changed page in it at each commit.
const TEMPORARY_CACHE_KIB: i64 = 1024;

/// An open store. It knows nothing of the API: objects by id, events by position, replies by key.
#[derive(Debug)]
pub struct Store {
    connection: Connection,
    /// None for a temporary store.
    files: Option<Files>,
}

impl Store {
    /// Creates a store that ends with the process.
    pub fn temporary(settings: &Settings) -> Self {
        // For an empty name, SQLite opens a private database without a file until it outgrows the cache, so opening it
        // does not depend on the machine.
        Self::new_temporary(settings).expect("a database without a file")
    }

    fn new_temporary(settings: &Settings) -> Result<Self, StoreError> {
        let connection = connect(Path::new(""))?;
        connection.pragma_update(None, "cache_size", -TEMPORARY_CACHE_KIB)?;
        connection.pragma_update(None, "synchronous", "OFF")?;
        schema::create(&connection)?;
        account::create(&connection, settings)?;
        Ok(Self { connection, files: None })
    }

    /// Opens a state file, or creates one with these settings. An existing account's settings win, except the given
    /// ones: a given setting must be equal, or replaces the stored one if it may change.
    ///
    /// # Errors
    /// The file can't be read or written, is in use, damaged or of another format, or a given setting can't change.
    pub fn open(path: &Path, settings: Settings, given: &[Given]) -> Result<(Self, Settings, Counters), StoreError> {
        let (connection, files) = file::open(path, &settings)?;
        let mut store = Self { connection, files: Some(files) };
        let (kept, counters) = account::read(&store.connection)?;
        let settings = account::merge(path, kept.clone(), settings, given)?;
        if settings != (Settings { base_url: settings.base_url.clone(), ..kept }) {
            store.commit(&settings, &counters)?;
        }
        Ok((store, settings, counters))
    }

    /// Whether the store outlives the process.
    pub fn is_kept(&self) -> bool {
        self.files.is_some()
    }

    /// Whether there are writes since the last commit.
    pub fn is_open(&self) -> bool {
        !self.connection.is_autocommit()
    }

    /// Begins a request's transaction at its first write. Empties a long log before, so that a failure of that affects
    /// a request without changes.
    fn begin(&mut self) -> Result<(), StoreError> {
        if self.is_open() {
            return Ok(());
        }
        if let Some(files) = &mut self.files {
            files.checkpoint_if_long(&self.connection)?;
        }
        self.connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        Ok(())
    }

    /// Commits all writes since the last commit, with settings and counters.
    ///
    /// # Errors
    /// SQLite can't write.
    pub fn commit(&mut self, settings: &Settings, counters: &Counters) -> Result<(), StoreError> {
        self.begin()?;
        account::write(&self.connection, settings, counters)?;
        let outcome = self.connection.prepare_cached("COMMIT")?.execute([]);
        if let (Err(_), Some(files)) = (&outcome, &mut self.files) {
            files.mark_uncommitted_tail();
        }
        outcome?;
        Ok(())
    }

    /// Rolls back all writes since the last commit.
    ///
    /// # Errors
    /// SQLite can't roll back.
    pub fn roll_back(&mut self) -> Result<(), StoreError> {
        // SQLite has already rolled back after some errors, such as a full disk.
        if self.is_open() {
            self.connection.prepare_cached("ROLLBACK")?.execute([])?;
        }
        Ok(())
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        if let Some(files) = &mut self.files {
            // Commits are already in the log; this only makes the next start faster.
            let _ = files.checkpoint(&self.connection);
        }
    }
}

/// Opens a connection with the sandbox's settings.
fn connect(path: &Path) -> Result<Connection, StoreError> {
    // Without URIs, as a file may have any name.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    // Before the first access to the database, so that SQLite needs no shared memory for its log.
    connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    // Otherwise SQLite prepares a statement again for each value that could make a partial index apply.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.pragma_update(None, "page_size", pages::PAGE_BYTES as i64)?;
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    Ok(connection)
}
