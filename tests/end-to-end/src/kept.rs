//! Where the rows of a host under test are, and what a kill leaves of them.

use host_store::{MemoryStore, SqliteStore, Store, Synchronous};
use std::path::PathBuf;
use tempfile::TempDir;

/// Where rows are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Keeping {
    /// In memory.
    #[default]
    Memory,
    /// In a file of SQLite.
    Sqlite,
}

/// What a store has beside itself: nothing in memory, else the folder of its files, removed at the end.
pub struct Kept {
    folder: Option<TempDir>,
    /// Kills so far: each goes on with files of its own.
    kills: usize,
}

impl Kept {
    /// An empty store.
    pub fn open(keeping: Keeping) -> (Self, Box<dyn Store>) {
        match keeping {
            Keeping::Memory => (Kept { folder: None, kills: 0 }, Box::new(MemoryStore::new())),
            Keeping::Sqlite => {
                let kept = Kept { folder: Some(tempfile::tempdir().expect("a folder can be made")), kills: 0 };
                let store = opened(kept.file("").expect("it has a folder"));
                (kept, store)
            }
        }
    }

    /// The files as a process that is killed now leaves them, opened; none in memory. The store that has them open may have
    /// written half a group, and closing it would be an orderly end, so they are copied while it is open.
    pub fn after_kill(&mut self) -> Option<Box<dyn Store>> {
        let log = |files: &Kept| files.file("-wal");
        let (rows_before, log_before) = (self.file("")?, log(self)?);
        self.kills += 1;
        std::fs::copy(rows_before, self.file("")?).expect("the rows can be copied");
        if log_before.exists() {
            std::fs::copy(log_before, log(self)?).expect("the write-ahead log can be copied");
        }
        self.file("").map(opened)
    }

    /// The file of the rows, or one that SQLite keeps beside it.
    fn file(&self, suffix: &str) -> Option<PathBuf> {
        Some(self.folder.as_ref()?.path().join(format!("{}.db{suffix}", self.kills)))
    }
}

/// What is killed is a process, so a commit need not wait for the disk.
fn opened(file: PathBuf) -> Box<dyn Store> {
    Box::new(SqliteStore::open_with(file, Synchronous::Normal).expect("the file can be opened"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use host_store::testing::samples;

    #[test]
    fn a_kill_leaves_what_was_committed_and_nothing_of_an_open_group() {
        let (mut kept, mut store) = Kept::open(Keeping::Sqlite);
        let accept = |store: &mut dyn Store, id| {
            store.begin().expect("a group");
            store.apply(&samples::accepted(samples::new_event(id))).expect("an event");
        };
        accept(&mut *store, "evt_1");
        store.commit().expect("committed");
        accept(&mut *store, "evt_2");
        let after = kept.after_kill().expect("it has files");
        let ids = |store: &dyn Store| -> Vec<String> {
            store.inbox_after(0, 10).expect("rows").into_iter().map(|row| row.event.id).collect()
        };
        assert_eq!(ids(&*store), ["evt_1", "evt_2"]);
        assert_eq!(ids(&*after), ["evt_1"]);
    }

    #[test]
    fn memory_has_no_files() {
        let (mut kept, _) = Kept::open(Keeping::Memory);
        assert!(kept.after_kill().is_none());
    }
}
