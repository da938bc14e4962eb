//! A reader of a store in memory.

use super::MemoryStore;
use crate::error::{StoreError, Stored};
use crate::lend::Lend;
use crate::store::{Read, Reader};
use std::sync::{Arc, Mutex, PoisonError};

/// A reader, with the state of the last commit and a copy of it during a snapshot.
pub(super) struct MemoryReader {
    published: Arc<Mutex<MemoryStore>>,
    snapshot: Option<MemoryStore>,
}

impl MemoryReader {
    /// Creates a reader of a state that the store replaces with each commit.
    pub(super) fn new(published: Arc<Mutex<MemoryStore>>) -> Self {
        MemoryReader { published, snapshot: None }
    }
}

impl Lend for MemoryReader {
    fn lend<T>(&self, body: impl FnOnce(&dyn Read) -> Stored<T>) -> Stored<T> {
        body(self.snapshot.as_ref().ok_or_else(|| StoreError::Misuse("no snapshot is open".into()))?)
    }
}

impl Reader for MemoryReader {
    fn begin(&mut self) -> Stored<()> {
        if self.snapshot.is_some() {
            return Err(StoreError::Misuse("a snapshot is already open".into()));
        }
        self.snapshot = Some(self.published.lock().unwrap_or_else(PoisonError::into_inner).fork());
        Ok(())
    }

    fn end(&mut self) -> Stored<()> {
        self.snapshot.take().map(drop).ok_or_else(|| StoreError::Misuse("no snapshot is open".into()))
    }
}
