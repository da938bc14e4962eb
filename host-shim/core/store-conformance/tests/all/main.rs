//! Tests the stores in memory and in SQLite with the conformance suite, and against each other.

mod equal;

use host_store::{MemoryStore, SqliteStore};

host_store_conformance::store_conformance!(in_memory, Box::new(MemoryStore::new()));
host_store_conformance::store_conformance!(in_sqlite, Box::new(SqliteStore::open_in_memory().expect("opened")));

host_store_conformance::reader_conformance!(readers_in_memory, (MemoryStore::new(), ()));
host_store_conformance::reader_conformance!(readers_in_sqlite, {
    let folder = tempfile::tempdir().expect("a folder");
    (SqliteStore::open(folder.path().join("store.db")).expect("opened"), folder)
});
