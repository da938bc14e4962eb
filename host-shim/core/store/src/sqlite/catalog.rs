//! A cache of catalog rows: nearly every event reads the same few rows, and they rarely change.

use super::rows;
use extension_contract::{CatalogKey, CatalogRow};
use rusqlite::{Connection, Error};
use std::cell::RefCell;
use std::collections::HashMap;

/// Capacity of the cache. A full cache is cleared, so that memory stays bounded.
const ROWS_MAX: usize = 1024;

/// Cached rows of one catalog at one revision.
#[derive(Debug, Default)]
pub(super) struct CatalogCache {
    cached: RefCell<CachedRows>,
}

#[derive(Debug, Default)]
struct CachedRows {
    /// Number and revision of the catalog's scope.
    version: Option<(i64, u64)>,
    rows: HashMap<CatalogKey, Option<CatalogRow>>,
}

impl CatalogCache {
    /// Clears the cache. Must be called after a rollback: another change may get a revision that is already cached.
    pub(super) fn clear(&self) {
        self.cached.borrow_mut().version = None;
    }

    /// Returns a row of the catalog with this scope number and revision.
    pub(super) fn row(
        &self,
        connection: &Connection,
        (scope, revision): (i64, u64),
        key: &CatalogKey,
    ) -> Result<Option<CatalogRow>, Error> {
        let mut cached = self.cached.borrow_mut();
        if cached.version != Some((scope, revision)) || cached.rows.len() >= ROWS_MAX {
            *cached = CachedRows { version: Some((scope, revision)), rows: HashMap::new() };
        }
        if let Some(row) = cached.rows.get(key) {
            return Ok(row.clone());
        }
        let row = read(connection, scope, key)?;
        cached.rows.insert(key.clone(), row.clone());
        Ok(row)
    }
}

fn read(connection: &Connection, scope: i64, key: &CatalogKey) -> Result<Option<CatalogRow>, Error> {
    let Some(key) = key.row_key() else { return Ok(None) };
    Ok(rows::one(connection, scope, &key)?.and_then(|loaded| CatalogRow::of(loaded.stored.row)))
}
