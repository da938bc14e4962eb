//! The store of a host under test, and its files after a kill.

use host_store::{MemoryStore, SqliteStore, Store, Synchronous};
use std::path::PathBuf;
use tempfile::TempDir;

/// Where rows are stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Storage {
    /// In memory.
    #[default]
    Memory,
    /// In a SQLite file.
    Sqlite,
}

/// The files of a store. A store in memory has no files; a SQLite store has a folder, which is removed on drop.
pub struct StoreFiles {
    folder: Option<TempDir>,
    /// Number of kills so far. After each kill the host continues with a copy of the files.
    kills: usize,
}

impl StoreFiles {
    /// Opens an empty store.
    pub fn open(storage: Storage) -> (Self, Box<dyn Store>) {
        match storage {
            Storage::Memory => (StoreFiles { folder: None, kills: 0 }, Box::new(MemoryStore::new())),
            Storage::Sqlite => {
                let kept = StoreFiles { folder: Some(tempfile::tempdir().expect("a folder")), kills: 0 };
                let store = opened(kept.file("").expect("a file"));
                (kept, store)
            }
        }
    }

    /// Opens a copy of the files, as a process killed now would leave them; returns `None` for a store in memory.
    /// Copies the files while the store is open, because closing the store would be an orderly end rather than a kill.
    pub fn after_kill(&mut self) -> Option<Box<dyn Store>> {
        let log = |files: &StoreFiles| files.file("-wal");
        let (rows_before, log_before) = (self.file("")?, log(self)?);
        self.kills += 1;
        std::fs::copy(rows_before, self.file("")?).expect("the rows can be copied");
        if log_before.exists() {
            std::fs::copy(log_before, log(self)?).expect("the write-ahead log can be copied");
        }
        self.file("").map(opened)
    }

    /// Returns the database file, or its companion with a suffix such as `-wal`.
    fn file(&self, suffix: &str) -> Option<PathBuf> {
        Some(self.folder.as_ref()?.path().join(format!("{}.db{suffix}", self.kills)))
    }
}

/// Opens a file. A test kills a process, not the machine, so a commit need not wait for the disk.
fn opened(file: PathBuf) -> Box<dyn Store> {
    Box::new(SqliteStore::open_with(file, Synchronous::Normal).expect("the file can be opened"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use host_store::testing::samples;

    #[test]
    fn a_kill_keeps_committed_groups_and_drops_an_open_one() {
        let (mut kept, mut store) = StoreFiles::open(Storage::Sqlite);
        let accept = |store: &mut dyn Store, id| {
            store.begin().expect("a group");
            store.apply(&samples::accepted(samples::new_event(id))).expect("an event");
        };
        accept(&mut *store, "evt_1");
        store.commit().expect("committed");
        accept(&mut *store, "evt_2");
        let after = kept.after_kill().expect("files");
        let ids = |store: &dyn Store| -> Vec<String> {
            store.inbox_after(None, 0, 10).expect("rows").into_iter().map(|row| row.event.id).collect()
        };
        assert_eq!(ids(&*store), ["evt_1", "evt_2"]);
        assert_eq!(ids(&*after), ["evt_1"]);
    }

    #[test]
    fn memory_has_no_files() {
        let (mut kept, _) = StoreFiles::open(Storage::Memory);
        assert!(kept.after_kill().is_none());
    }
}
