//! A reader of a store on disk: a connection that only reads, and a transaction during a snapshot.

use super::SqliteStore;
use crate::error::{StoreError, Stored};
use crate::lend::Lend;
use crate::store::{Read, Reader};
use std::path::Path;

/// A reader with a connection of its own.
pub(super) struct SqliteReader(SqliteStore);

impl SqliteReader {
    /// Opens a reader of an existing file.
    pub(super) fn open(path: &Path) -> Result<Self, rusqlite::Error> {
        SqliteStore::open_to_read(path).map(SqliteReader)
    }

    pub(super) fn connection(&self) -> &rusqlite::Connection {
        &self.0.connection
    }
}

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
            // The snapshot begins with the first query, which `begin_group` makes.
            false => self.0.begin_group("BEGIN DEFERRED").map_err(super::unavailable),
        }
    }

    fn end(&mut self) -> Stored<()> {
        match self.0.in_group {
            true => self.0.end_snapshot().map_err(super::unavailable),
            false => Err(StoreError::Misuse("no snapshot is open".into())),
        }
    }
}
