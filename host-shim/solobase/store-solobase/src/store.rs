//! The store: groups, changes and leases.

use crate::group::{Group, Head};
use crate::query::Query;
use crate::record::Record;
use crate::service::Service;
use crate::tables::{CLAIMS, EFFECTS, EVENTS, FACTS, REFS, REPLIES, ROWS, SETTINGS, WAITS};
use host_store::{Applied, Changes, EffectRow, LeaseRequest, Reader, Scope, Store, StoreError, Stored};
use std::sync::Arc;

/// Maximum number of events, effects and replies of an account that are erased at once: a call of a block has a limited amount of fuel.
const ERASED_MAX: usize = 20;

/// Whether the platform's database service applies several writes at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Batches {
    /// It has `database.batch`.
    Yes,
    /// It has not: commits are written as intents.
    No,
}

/// A store in the tables of a Solobase platform.
pub struct SolobaseStore {
    pub(crate) group: Group,
}

impl SolobaseStore {
    /// Creates a store over a service. The tables must exist: [`SolobaseStore::make_tables`].
    pub fn new(service: Arc<dyn Service + Send + Sync>, batches: Batches) -> Self {
        let mut group = Group::new(service);
        group.has_batches = batches == Batches::Yes;
        SolobaseStore { group }
    }

    /// Returns whether the service has batches.
    pub fn batches(&self) -> Batches {
        if self.group.has_batches { Batches::Yes } else { Batches::No }
    }

    /// Applies what a crash has left of the last commit. Each group does so at its beginning; reads outside of groups need it before.
    /// Returns the number of the last commit.
    ///
    /// # Errors
    /// Fails if the service fails.
    pub fn recover(&self) -> Stored<u64> {
        Ok(self.group.current()?.number.unsigned_abs())
    }

    /// Returns the number of the last commit before the open group: that of the state which the group reads.
    pub fn base(&self) -> u64 {
        self.group.base.unsigned_abs()
    }

    /// Returns true if another commit came since the open group began: what the group has read may then be of two states. A commit
    /// comes with its row in `commits`. The number in `head` rises later, when the changes of an intent are applied.
    ///
    /// # Errors
    /// Fails if the service fails.
    pub fn is_outrun(&self) -> Stored<bool> {
        Ok(self.group.commit_row(self.group.base + 1)?.is_some())
    }

    /// Reads a setting of the block.
    ///
    /// # Errors
    /// Fails if the service fails.
    pub fn setting(&self, name: &str) -> Stored<Option<String>> {
        self.group.find(&SETTINGS, name)?.map(|row| row.text("body").map(str::to_owned)).transpose()
    }

    /// Reads settings of the block, in one list.
    ///
    /// # Errors
    /// Fails if the service fails.
    pub fn settings(&self, names: &[&str]) -> Stored<Vec<Option<String>>> {
        let ids: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let rows = self.group.find_all(&SETTINGS, &ids)?;
        rows.iter().map(|row| row.as_ref().map(|row| row.text("body").map(str::to_owned)).transpose()).collect()
    }

    /// Sets a setting in the open group.
    ///
    /// # Errors
    /// Fails if the service fails.
    pub fn set_setting(&mut self, name: &str, body: &str) -> Stored<()> {
        self.group.set(&SETTINGS, Record::new(name.to_owned()).with("body", body))
    }

    /// Removes a setting in the open group.
    ///
    /// # Errors
    /// Fails if the service fails.
    pub fn clear_setting(&mut self, name: &str) -> Stored<()> {
        self.group.put(&SETTINGS, name, None)
    }

    /// Removes up to `limit` rows of accounts, claims, events and effects, in a group of its own; new events and effects are then
    /// numbered from 1. Returns true if there may be more. For tables whose data nobody needs.
    ///
    /// # Errors
    /// Fails if the service fails, or with `StoreError::Locked` beside another commit.
    pub fn remove_some(&mut self, limit: usize) -> Stored<bool> {
        self.grouped(|group| {
            let mut left = limit;
            for table in [&ROWS, &REFS, &FACTS, &REPLIES, &CLAIMS, &EVENTS, &WAITS, &EFFECTS] {
                let rows = group.select(&Query::of(table).limit(left))?;
                left -= rows.len();
                for row in rows {
                    group.put(table, &row.id, None)?;
                }
            }
            (group.head.events, group.head.effects) = (0, 0);
            Ok(left == 0)
        })
    }

    /// Runs `body` in the open group, or in a group of its own.
    fn grouped<T>(&mut self, body: impl FnOnce(&mut Group) -> Stored<T>) -> Stored<T> {
        if self.group.is_open {
            return body(&mut self.group);
        }
        self.group.begin()?;
        match body(&mut self.group) {
            Ok(value) => self.group.commit().map(|()| value),
            Err(error) => {
                self.group.clear();
                Err(error)
            }
        }
    }
}

impl Store for SolobaseStore {
    fn begin(&mut self) -> Stored<()> {
        self.group.begin()
    }

    fn commit(&mut self) -> Stored<()> {
        self.group.commit()
    }

    fn rollback(&mut self) -> Stored<()> {
        if !self.group.is_open {
            return Err(StoreError::Misuse("no group is open".into()));
        }
        self.group.clear();
        self.group.head = Head::default();
        Ok(())
    }

    fn apply(&mut self, changes: &Changes) -> Stored<Applied> {
        self.grouped(|group| group.apply(changes))
    }

    fn erase_part(&mut self, scope: &Scope) -> Stored<bool> {
        self.grouped(|group| group.erase_some(scope, ERASED_MAX))
    }

    fn lease(&mut self, request: &LeaseRequest<'_>) -> Stored<Vec<EffectRow>> {
        self.grouped(|group| group.lease(request))
    }

    fn reader(&self) -> Stored<Box<dyn Reader>> {
        Err(StoreError::Misuse("the database service has no snapshots for readers".into()))
    }
}
