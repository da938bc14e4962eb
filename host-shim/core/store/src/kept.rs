//! A store in a database: the shared implementation of [`Read`](crate::Read) over any [`Tables`], and of [`Store`] over any
//! [`Backend`]. The store in memory ([`MemoryStore`](crate::MemoryStore)) has its own implementation: its rows need no columns, and
//! column values would cost it a third of its speed.

mod apply;
mod backend;
mod cache;
mod copy;
mod erase;
mod open;
mod read;
mod tables;

use crate::cell::{Cell, View};
use crate::changes::{Applied, Changes};
use crate::error::{StoreError, Stored};
use crate::query::Query;
use crate::rows::{EffectRow, LeaseRequest};
use crate::scope::Scope;
use crate::store::{Reader, Store};
pub use backend::Backend;
use cache::Cache;
pub use tables::{Range, Tables};

/// A store over a backend.
#[derive(Debug)]
pub struct Kept<B> {
    pub(crate) backend: B,
    pub(crate) in_group: bool,
    /// True after a change in the open group was only partly written.
    is_broken: bool,
    cache: Cache,
}

impl<B: Tables> Kept<B> {
    /// Creates the store over tables, without an open group.
    pub fn over(backend: B) -> Self {
        Kept { backend, in_group: false, is_broken: false, cache: Cache::default() }
    }

    /// Returns the backend.
    pub fn backend(&self) -> &B {
        &self.backend
    }

    /// Returns the rows of a query.
    pub(crate) fn all<V: View>(&self, query: &Query<'_>) -> Stored<Vec<V>> {
        self.backend.all(query)
    }

    /// Returns the first row of a query.
    pub(crate) fn first<V: View>(&self, query: Query<'_>) -> Stored<Option<V>> {
        self.backend.first(query)
    }

    /// Returns a row by its key.
    pub(crate) fn one<V: View>(&self, key: &[Cell<'_>]) -> Stored<Option<V>> {
        self.backend.one(key)
    }
}

impl<B: Backend> Kept<B> {
    /// Returns the backend, for changes of its own data.
    pub fn backend_mut(&mut self) -> &mut B {
        &mut self.backend
    }

    fn check_open(&self) -> Stored<()> {
        match self.in_group {
            true => Ok(()),
            false => Err(StoreError::Misuse("no group is open".into())),
        }
    }

    /// Fails if the open group is incomplete: a write failed halfway, or the backend itself has rolled the group back, for example
    /// because the disk is full.
    fn check_whole(&self) -> Stored<()> {
        if self.in_group && (self.is_broken || !self.backend.is_whole()) {
            return Err(StoreError::Unavailable("the open group is incomplete after an earlier error".into()));
        }
        Ok(())
    }

    /// Begins a group or a snapshot. `begin` returns true if others may have written.
    pub(crate) fn begin_by(&mut self, begin: impl FnOnce(&mut B) -> Stored<bool>) -> Stored<()> {
        if begin(&mut self.backend)? {
            self.cache.clear();
        }
        self.in_group = true;
        Ok(())
    }

    /// Runs `body` in the open group, or in its own group.
    ///
    /// # Errors
    /// Fails with the error of `body`, or if the storage fails.
    pub fn grouped<T>(&mut self, body: impl FnOnce(&mut Self) -> Stored<T>) -> Stored<T> {
        self.check_whole()?;
        if self.in_group {
            return body(self);
        }
        self.begin()?;
        let done = body(self).and_then(|done| self.commit().map(|()| done));
        if done.is_err() {
            // The first error is more useful than an error of the rollback; in both cases no change remains.
            let _ = self.end_group();
        }
        done
    }

    /// Discards the open group.
    fn end_group(&mut self) -> Stored<()> {
        self.cache.clear();
        (self.in_group, self.is_broken) = (false, false);
        self.backend.rollback()
    }
}

impl<B: Backend> Store for Kept<B> {
    fn begin(&mut self) -> Stored<()> {
        if self.in_group {
            return Err(StoreError::Misuse("a group is already open".into()));
        }
        self.begin_by(B::begin)
    }

    fn commit(&mut self) -> Stored<()> {
        self.check_open()?;
        self.check_whole()?;
        self.backend.commit()?;
        self.in_group = false;
        Ok(())
    }

    fn rollback(&mut self) -> Stored<()> {
        self.check_open()?;
        self.end_group()
    }

    fn try_write(&mut self) -> Stored<()> {
        self.begin()?;
        let written = self.backend.touch().and_then(|()| self.commit());
        if written.is_err() {
            // The first error is more informative.
            let _ = self.end_group();
        }
        written
    }

    fn apply(&mut self, changes: &Changes) -> Stored<Applied> {
        changes.check()?;
        self.grouped(|kept| B::apply(kept, changes))
    }

    fn erase_part(&mut self, scope: &Scope) -> Stored<bool> {
        match B::erased_at_once() {
            usize::MAX => Ok(false),
            limit => self.grouped(|kept| kept.erase_some(scope, limit)),
        }
    }

    fn lease(&mut self, request: &LeaseRequest<'_>) -> Stored<Vec<EffectRow>> {
        self.grouped(|kept| B::lease(kept, request))
    }

    fn reader(&self) -> Stored<Box<dyn Reader>> {
        if self.in_group {
            return Err(StoreError::Misuse("a reader is opened outside of a group".into()));
        }
        self.backend.reader()
    }
}
