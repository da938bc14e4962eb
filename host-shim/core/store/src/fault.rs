//! A store that fails at a chosen write, or at its reads and those of its readers. For tests and for exploring crashes.

use crate::changes::{Applied, Changes};
use crate::error::{StoreError, Stored};
use crate::memory::MemoryStore;
use crate::rows::{EffectRow, LeaseRequest};
use crate::scope::Partition;
use crate::store::{Lend, News, NewsPlace, Read, Reader, Store};
use std::any::Any;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Whether a fault strikes before or after the write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// The write was not done.
    Before,
    /// The write was done, but the caller receives an error.
    After,
}

/// The state of the store after a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// Every call fails until the store is opened again, as after a crash.
    Dead,
    /// The next call works.
    Alive,
}

/// A store with an injected fault. Clones share the store and the fault; [`Faults::open`] returns the store for a host.
///
/// Writes are `begin`, `apply`, `lease` and `commit`, counted from 1 since the last [`Faults::fail_at`].
#[derive(Clone)]
pub struct Faults(Arc<Mutex<State>>);

struct State {
    store: Box<dyn Store>,
    in_group: bool,
    writes: u64,
    fault: Option<(u64, Moment, Then)>,
    dead: bool,
    reads_fail: bool,
    writes_fail: bool,
    /// Number of calls of [`Store::try_write`].
    tried: u64,
    /// What another host does before a write, with the number of that write.
    meanwhile: Option<(u64, Meanwhile)>,
}

/// A change by another host.
type Meanwhile = Box<dyn FnOnce(&mut dyn Store) + Send>;

impl Faults {
    /// Wraps a store, without a fault.
    pub fn new(store: Box<dyn Store>) -> Self {
        Faults(Arc::new(Mutex::new(State {
            store,
            in_group: false,
            writes: 0,
            fault: None,
            dead: false,
            reads_fail: false,
            writes_fail: false,
            tried: 0,
            meanwhile: None,
        })))
    }

    /// Makes the `write`-th write from now fail.
    pub fn fail_at(&self, write: u64, moment: Moment, then: Then) {
        let mut state = self.state();
        state.writes = 0;
        state.fault = Some((write, moment, then));
    }

    /// Changes the store before the `write`-th write from now, as another host would.
    pub fn before(&self, write: u64, meanwhile: impl FnOnce(&mut dyn Store) + Send + 'static) {
        let mut state = self.state();
        state.writes = 0;
        state.meanwhile = Some((write, Box::new(meanwhile)));
    }

    /// Removes the fault.
    pub fn clear(&self) {
        self.state().fault = None;
    }

    /// Sets whether reads, including those of readers, fail from now on. Does not affect writes.
    pub fn fail_reads(&self, fail: bool) {
        self.state().reads_fail = fail;
    }

    /// Sets whether every write fails from now on, as on a full disk or in a read-only database. Does not affect reads.
    pub fn fail_writes(&self, fail: bool) {
        self.state().writes_fail = fail;
    }

    /// Returns how many times the store was asked to write just to check whether it can.
    pub fn tried(&self) -> u64 {
        self.state().tried
    }

    /// Returns the number of writes since the last [`Faults::fail_at`]. A run without a fault counts the writes, so
    /// that a test can then fail each of them.
    pub fn writes(&self) -> u64 {
        self.state().writes
    }

    /// Returns true if the fault has struck.
    pub fn struck(&self) -> bool {
        let state = self.state();
        state.fault.is_some_and(|(at, ..)| state.writes >= at)
    }

    /// Opens the store, even after a crash. Uncommitted changes are rolled back.
    ///
    /// # Panics
    /// Panics if the wrapped store cannot roll back.
    pub fn open(&self) -> Box<dyn Store> {
        let mut state = self.state();
        state.dead = false;
        if state.in_group {
            state.in_group = false;
            state.store.rollback().expect("an open group can be rolled back");
        }
        drop(state);
        Box::new(FaultStore(self.clone()))
    }

    /// Continues with `store` instead of the wrapped store, like a new process that opens the same file after a kill.
    /// The fault and the count of writes stay.
    pub fn open_in_place(&self, store: Box<dyn Store>) -> Box<dyn Store> {
        let mut state = self.state();
        (state.store, state.in_group, state.dead) = (store, false, false);
        drop(state);
        Box::new(FaultStore(self.clone()))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A test that panicked while holding the lock has failed already.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write<T>(&self, name: &str, body: impl FnOnce(&mut State) -> Stored<T>) -> Stored<T> {
        let mut state = self.state();
        state.check_alive()?;
        state.writes += 1;
        let writes = state.writes;
        if let Some((_, meanwhile)) = state.meanwhile.take_if(|(write, _)| *write == writes) {
            meanwhile(&mut *state.store);
        }
        let failed = || StoreError::Unavailable(format!("fault at `{name}`"));
        if state.writes_fail {
            return Err(failed());
        }
        match state.fault {
            Some((at, moment, then)) if at == state.writes => {
                if moment == Moment::After {
                    body(&mut state)?;
                }
                state.dead = then == Then::Dead;
                Err(failed())
            }
            _ => body(&mut state),
        }
    }
}

impl State {
    fn check_alive(&self) -> Stored<()> {
        if self.dead { Err(StoreError::Unavailable("the store is closed after its fault".into())) } else { Ok(()) }
    }

    fn check_reads(&self) -> Stored<()> {
        if self.reads_fail { Err(StoreError::Unavailable("fault at a read".into())) } else { Ok(()) }
    }
}

/// The store that [`Faults::open`] returns.
struct FaultStore(Faults);

/// Returns an independent store with the same rows, including for a store in memory that can be made to fail. Returns none for a
/// store on disk. The copy includes the changes of an open group, but has no open group itself.
pub fn fork(store: &dyn Store) -> Option<MemoryStore> {
    let any: &dyn Any = store;
    match any.downcast_ref::<FaultStore>() {
        Some(FaultStore(faults)) => fork(&*faults.state().store),
        None => any.downcast_ref::<MemoryStore>().map(MemoryStore::fork),
    }
}

impl Lend for FaultStore {
    fn lend<T>(&self, body: impl FnOnce(&dyn Read) -> Stored<T>) -> Stored<T> {
        let state = self.0.state();
        state.check_alive()?;
        state.check_reads()?;
        body(&*state.store)
    }
}

impl Store for FaultStore {
    fn begin(&mut self) -> Stored<()> {
        self.0.write("begin", |state| {
            state.store.begin()?;
            state.in_group = true;
            Ok(())
        })
    }
    fn commit(&mut self) -> Stored<()> {
        self.0.write("commit", |state| {
            state.store.commit()?;
            state.in_group = false;
            Ok(())
        })
    }
    fn try_write(&mut self) -> Stored<()> {
        let mut state = self.0.state();
        state.check_alive()?;
        state.tried += 1;
        match state.writes_fail {
            true => Err(StoreError::Unavailable("fault at a write".into())),
            false => state.store.try_write(),
        }
    }
    fn rollback(&mut self) -> Stored<()> {
        let mut state = self.0.state();
        state.check_alive()?;
        state.store.rollback()?;
        state.in_group = false;
        Ok(())
    }
    fn apply(&mut self, changes: &Changes) -> Stored<Applied> {
        self.0.write("apply", |state| state.store.apply(changes))
    }
    fn lease(&mut self, request: &LeaseRequest<'_>) -> Stored<Vec<EffectRow>> {
        self.0.write("lease", |state| state.store.lease(request))
    }
    fn reader(&self) -> Stored<Box<dyn Reader>> {
        let reader = self.0.state().store.reader()?;
        Ok(Box::new(FaultReader { reader, faults: self.0.clone() }))
    }
}

/// A reader of the wrapped store. Its reads fail when the store's reads fail.
struct FaultReader {
    reader: Box<dyn Reader>,
    faults: Faults,
}

impl Lend for FaultReader {
    fn lend<T>(&self, body: impl FnOnce(&dyn Read) -> Stored<T>) -> Stored<T> {
        self.faults.state().check_reads()?;
        body(&*self.reader)
    }
}

impl Reader for FaultReader {
    fn begin(&mut self) -> Stored<()> {
        self.reader.begin()
    }
    fn end(&mut self) -> Stored<()> {
        self.reader.end()
    }
    fn news(&self, partition: &Partition, after: Option<NewsPlace>, limit: usize) -> Stored<(Vec<News>, NewsPlace)> {
        self.reader.news(partition, after, limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::samples;

    fn run(store: &mut dyn Store) -> Stored<()> {
        store.begin()?;
        store.apply(&samples::accepted(samples::new_event("evt_1")))?;
        let mut changes = samples::changes(&samples::scope("user:A"), "evt_1");
        changes.facts.insert("paid:in_1".into());
        store.apply(&changes)?;
        store.commit()
    }

    #[test]
    fn every_write_can_fail_and_a_crash_keeps_only_committed_changes() {
        for write in 1..=4 {
            for moment in [Moment::Before, Moment::After] {
                let faults = Faults::new(Box::new(MemoryStore::new()));
                faults.fail_at(write, moment, Then::Dead);
                let mut store = faults.open();
                assert!(matches!(run(&mut *store), Err(StoreError::Unavailable(_))));
                assert!(faults.struck());
                assert!(
                    store.rollback().is_err() && store.parked_count(&samples::partition()).is_err(),
                    "dead until opened again"
                );
                let committed = write == 4 && moment == Moment::After;
                assert_eq!(faults.open().inbox(1).expect("alive").is_some(), committed, "write {write} {moment:?}");
            }
        }
    }

    #[test]
    fn a_replaced_store_has_its_own_rows_and_the_same_fault() {
        let faults = Faults::new(Box::new(MemoryStore::new()));
        faults.fail_at(3, Moment::Before, Then::Dead);
        run(&mut *faults.open()).expect_err("the third write fails");
        let mut other = MemoryStore::new();
        run(&mut other).expect("no fault");
        let store = faults.open_in_place(Box::new(other));
        assert!(store.inbox(1).expect("alive").is_some());
        assert_eq!((faults.writes(), faults.struck()), (3, true));
    }

    #[test]
    fn a_run_without_a_fault_counts_its_writes() {
        let faults = Faults::new(Box::new(MemoryStore::new()));
        run(&mut *faults.open()).expect("no fault");
        assert_eq!((faults.writes(), faults.struck()), (4, false));
    }
}
