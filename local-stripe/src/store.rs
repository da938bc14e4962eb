//! The account's rows in SQLite: in a file that survives kills, or in a temporary database that ends with the process
//! and goes to disk only where it outgrows its cache. One transaction a request; a checksum for each row.

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

/// Statements that stay prepared: more than there are, so that none is prepared twice.
const STATEMENTS_MAX: usize = 64;
/// SQLite's page cache in KiB: with the caches of decoded rows, what bounds the memory.
const CACHE_KIB: i64 = 8 * 1024;
/// The same of a temporary store, which looks at every changed page in it with each commit.
const TEMPORARY_CACHE_KIB: i64 = 1024;

/// An open store. It knows nothing of the API: objects by id, events by position, answers by key.
#[derive(Debug)]
pub struct Store {
    connection: Connection,
    /// None for a temporary store.
    files: Option<Files>,
}

impl Store {
    /// A store that ends with the process.
    pub fn temporary(settings: &Settings) -> Self {
        // The empty name is SQLite's for a private database without a file until it outgrows the cache: it opens
        // nothing, so that nothing here depends on the machine.
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

    /// Opens a state file, or begins one with these settings. An existing one's settings win, except for those that
    /// were given: they must be the same, or are taken over where they may change.
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

    /// Whether something was written since the last commit.
    pub fn is_open(&self) -> bool {
        !self.connection.is_autocommit()
    }

    /// Begins the transaction of a request with its first write. A log that grew long is emptied before, so that a
    /// failure to do so is the failure of a request that changed nothing yet.
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

    /// Makes everything written since the last commit lasting, with what the account counts.
    pub fn commit(&mut self, settings: &Settings, counters: &Counters) -> Result<(), StoreError> {
        self.begin()?;
        account::write(&self.connection, settings, counters)?;
        let outcome = self.connection.prepare_cached("COMMIT")?.execute([]);
        if let (Err(_), Some(files)) = (&outcome, &mut self.files) {
            files.leave_torn();
        }
        outcome?;
        Ok(())
    }

    /// Undoes everything written since the last commit.
    pub fn roll_back(&mut self) -> Result<(), StoreError> {
        // SQLite rolls back by itself after some errors, such as a full disk.
        if self.is_open() {
            self.connection.prepare_cached("ROLLBACK")?.execute([])?;
        }
        Ok(())
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        if let Some(files) = &mut self.files {
            // What was committed is in the log already: this only makes the next start quicker.
            let _ = files.checkpoint(&self.connection);
        }
    }
}

/// A connection to a database of ours.
fn connect(path: &Path) -> Result<Connection, StoreError> {
    // Without URIs: a file may have any name.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    // Before anything looks at the database, so that SQLite needs no shared memory for its log.
    connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    // Else SQLite prepares a statement anew for each value that could make a partial index apply.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.pragma_update(None, "page_size", pages::PAGE_BYTES as i64)?;
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    Ok(connection)
}
