//! Both stores against the suite, against each other, and each against what only it promises.

use crate::memory::MemoryStore;
use crate::sqlite::SqliteStore;

crate::store_conformance!(memory, Box::new(MemoryStore::new()));
crate::store_conformance!(sqlite, Box::new(SqliteStore::open_in_memory().expect("opened")));
