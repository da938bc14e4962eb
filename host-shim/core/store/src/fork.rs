//! Copies of stores in memory, for exploration and comparisons.

use crate::fault::FaultStore;
use crate::memory::MemoryStore;
use crate::store::Store;
use std::any::Any;

/// Returns an independent store with the same rows, also for a store in memory that can be made to fail. Returns none for
/// a store on disk. The copy includes the changes of an open group, but has no open group itself.
pub fn fork(store: &dyn Store) -> Option<MemoryStore> {
    let any: &dyn Any = store;
    match any.downcast_ref::<FaultStore>() {
        Some(store) => store.fork(),
        None => any.downcast_ref::<MemoryStore>().map(MemoryStore::fork),
    }
}
