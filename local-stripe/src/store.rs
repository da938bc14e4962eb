//! Stores the account in rows of a SQLite database. The database is either a file that survives kills, or temporary: it
//! then ends with the process and uses the disk only if it outgrows its cache. Each request is one transaction, and
//! each row has a checksum.

mod account;
mod answers;
pub mod cache;
mod checksum;
mod error;
mod events;
mod file;
mod objects;
mod schema;

use std::fs::File;
use std::path::Path;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

pub use account::{Counters, Given};
pub use answers::StoredReply;
pub use error::StoreError;

use crate::settings::Settings;

/// The size of SQLite's pages in bytes, its default.
const PAGE_BYTES: i64 = 4096;
/// The capacity of the cache of prepared statements. It is larger than the number of statements, so that none is
/// prepared twice.
const STATEMENTS_MAX: usize = 64;
/// The size of SQLite's page cache in KiB. Together with the caches of decoded rows, it limits the memory use.
const CACHE_KIB: i64 = 8 * 1024;
/// The size of the page cache of a temporary store, in KiB. It is small, because SQLite then scans all changed pages in
/// the cache at each commit.
const TEMPORARY_CACHE_KIB: i64 = 1024;

/// An open store. It holds objects by key, events by position, and replies by idempotency key, and knows none of the
/// API's rules.
#[derive(Debug)]
pub struct Store {
    connection: Connection,
    /// The lock of the state file; `None` for a temporary store.
    lock: Option<File>,
}

impl Store {
    /// Creates a temporary store, which ends with the process.
    pub fn temporary(settings: &Settings) -> Self {
        // For an empty name, SQLite opens a private database. It has no file until it outgrows the cache, so opening it
        // can't fail because of the disk.
        Self::new_temporary(settings).expect("a database without a file")
    }

    fn new_temporary(settings: &Settings) -> Result<Self, StoreError> {
        let connection = connect(Path::new(""))?;
        connection.pragma_update(None, "cache_size", -TEMPORARY_CACHE_KIB)?;
        connection.pragma_update(None, "synchronous", "OFF")?;
        schema::create(&connection)?;
        account::create(&connection, settings)?;
        Ok(Self { connection, lock: None })
    }

    /// Opens a state file, or creates one with these settings. Returns the store, and the settings and counters of the
    /// account. An existing account keeps its stored settings, except those in `given`: see [`Given`].
    ///
    /// # Errors
    /// The file can't be read or written, is in use, is damaged or has another format, or a setting in `given` differs
    /// from the stored one and can't change.
    pub fn open(path: &Path, settings: Settings, given: &[Given]) -> Result<(Self, Settings, Counters), StoreError> {
        let (connection, lock) = file::open(path, &settings)?;
        let mut store = Self { connection, lock: Some(lock) };
        let (kept, counters) = account::read(&store.connection)?;
        let settings = account::merge(path, kept.clone(), settings, given)?;
        if settings != (Settings { base_url: settings.base_url.clone(), ..kept }) {
            store.commit(&settings, &counters)?;
        }
        Ok((store, settings, counters))
    }

    /// Whether the store has a file that outlives the process.
    pub fn is_kept(&self) -> bool {
        self.lock.is_some()
    }

    /// Whether there are writes since the last commit.
    pub fn is_open(&self) -> bool {
        !self.connection.is_autocommit()
    }

    /// Begins a transaction before the first write of a request.
    fn begin(&mut self) -> Result<(), StoreError> {
        if self.is_open() {
            return Ok(());
        }
        self.connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        Ok(())
    }

    /// Removes all objects, events and replies.
    ///
    /// # Errors
    /// SQLite can't write.
    pub fn clear(&mut self) -> Result<(), StoreError> {
        self.begin()?;
        for removal in ["DELETE FROM object", "DELETE FROM event", "DELETE FROM answer"] {
            self.connection.prepare_cached(removal)?.execute([])?;
        }
        Ok(())
    }

    /// Commits all writes since the last commit, with settings and counters.
    ///
    /// # Errors
    /// SQLite can't write.
    pub fn commit(&mut self, settings: &Settings, counters: &Counters) -> Result<(), StoreError> {
        self.begin()?;
        account::write(&self.connection, settings, counters)?;
        self.connection.prepare_cached("COMMIT")?.execute([])?;
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

/// Opens a connection to a database and configures it.
fn connect(path: &Path) -> Result<Connection, StoreError> {
    // The flag for URIs is not set, because a file name may look like a URI.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    // This must be set before the first access to the database, so that SQLite needs no shared memory for its log.
    connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    // Without this, SQLite would prepare a statement again for each value that could make a partial index usable.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.pragma_update(None, "page_size", PAGE_BYTES)?;
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    Ok(connection)
}
