//! Tests both stores with the conformance suite, against each other, and each for its own guarantees.

mod declared;
mod equal;
mod erase;
mod fork;
mod full;
mod sqlite;
mod state;

use crate::memory::MemoryStore;
use crate::sqlite::SqliteStore;

crate::store_conformance!(in_memory, Box::new(MemoryStore::new()));
crate::store_conformance!(in_sqlite, Box::new(SqliteStore::open_in_memory().expect("opened")));

crate::reader_conformance!(readers_in_memory, (MemoryStore::new(), ()));
crate::reader_conformance!(readers_in_sqlite, {
    let folder = tempfile::tempdir().expect("a folder");
    (SqliteStore::open(folder.path().join("store.db")).expect("opened"), folder)
});
