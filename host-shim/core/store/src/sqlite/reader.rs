//! A reader of a store on disk: a connection that only reads, and a transaction during a snapshot.

use super::SqliteStore;
use crate::error::{StoreError, Stored};
use crate::lend::Lend;
use crate::store::{Read, Reader};

/// A reader with a connection of its own.
pub(super) struct SqliteReader(pub(super) SqliteStore);

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
            false => self.0.begin_by(|file| file.begin_group("BEGIN DEFERRED")),
        }
    }

    fn end(&mut self) -> Stored<()> {
        if !std::mem::take(&mut self.0.in_group) {
            return Err(StoreError::Misuse("no snapshot is open".into()));
        }
        // The caches stay: the next transaction checks them.
        self.0.backend.in_group = false;
        self.0.backend.run("COMMIT")
    }
}
