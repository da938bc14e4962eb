//! The store over the tables, and the settings of the block.

use crate::store::platform::{Batches, Platform};
use crate::store::query::Query;
use crate::store::record::Record;
use crate::store::service::Service;
use crate::store::tables::SETTINGS;
use host_store::Stored;
use host_store::implementation::Kept;
use host_store::implementation::schema::TABLES;
use std::sync::Arc;

/// A store in the tables of a Solobase platform.
pub type SolobaseStore = Kept<Platform>;

/// Creates a store over a service. The tables must exist: [`Platform::make_tables`].
pub fn open(service: Arc<dyn Service + Send + Sync>, batches: Batches) -> SolobaseStore {
    Kept::over(Platform::new(service, batches))
}

/// Removes up to `limit` rows of accounts, claims, events and effects, in a separate group; new events and effects are then numbered
/// from 1. Returns true if more may be left. For tables whose data nobody needs.
///
/// # Errors
/// Fails if the service fails, or with `StoreError::Locked` in case of a concurrent commit.
pub fn remove_some(store: &mut SolobaseStore, limit: usize) -> Stored<bool> {
    store.grouped(|store| {
        let (platform, mut left) = (store.backend_mut(), limit);
        for table in TABLES {
            let rows = platform.select(&Query::of(table).limit(left))?;
            left -= rows.len();
            for row in rows {
                platform.put_row(table, &row.id, None)?;
            }
        }
        (platform.head.events, platform.head.effects) = (0, 0);
        Ok(left == 0)
    })
}

impl Platform {
    /// Returns whether the service has batches.
    pub fn batches(&self) -> Batches {
        if self.has_batches { Batches::Yes } else { Batches::No }
    }

    /// Applies what a crash has left of the last commit. Each group does so when it begins; reads outside a group need it beforehand.
    /// Returns the number of the last commit.
    ///
    /// # Errors
    /// Fails if the service fails.
    pub fn recover(&self) -> Stored<u64> {
        Ok(self.current()?.number.unsigned_abs())
    }

    /// Returns the number of the last commit before the open group; the group reads the state of that commit.
    pub fn base(&self) -> u64 {
        self.base.unsigned_abs()
    }

    /// Returns true if another commit came after the open group began: what the group has read may then belong to two states. A
    /// commit takes effect with its row in `commits`. The number in `head` rises later, when the changes of an intent are applied.
    ///
    /// # Errors
    /// Fails if the service fails.
    pub fn is_outrun(&self) -> Stored<bool> {
        Ok(self.commit_row(self.base + 1)?.is_some())
    }

    /// Reads a setting of the block.
    ///
    /// # Errors
    /// Fails if the service fails.
    pub fn setting(&self, name: &str) -> Stored<Option<String>> {
        Ok(self.settings(&[name])?.pop().flatten())
    }

    /// Reads several settings of the block in one request.
    ///
    /// # Errors
    /// Fails if the service fails.
    pub fn settings(&self, names: &[&str]) -> Stored<Vec<Option<String>>> {
        let ids: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let rows = self.find_all(&SETTINGS, &ids)?;
        rows.iter().map(|row| row.as_ref().map(|row| row.text("body").map(str::to_owned)).transpose()).collect()
    }

    /// Sets a setting in the open group.
    ///
    /// # Errors
    /// Fails if the service fails.
    pub fn set_setting(&mut self, name: &str, body: &str) -> Stored<()> {
        self.set(&SETTINGS, Record::new(name.to_owned()).with("body", body))
    }

    /// Removes a setting in the open group.
    ///
    /// # Errors
    /// Fails if the service fails.
    pub fn clear_setting(&mut self, name: &str) -> Stored<()> {
        self.put_row(&SETTINGS, name, None)
    }
}
