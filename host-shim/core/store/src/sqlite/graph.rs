//! The graph of one account's rows, read from the database.

use super::rows::{self, LoadedRow};
use super::unavailable;
use crate::error::{StoreError, Stored};
use crate::parse::row_key;
use crate::reach::{Graph, Rows, reach};
use extension_contract::{Reference, RowKey};
use rusqlite::Connection;
use std::sync::Arc;

pub(super) struct AccountGraph<'a> {
    pub(super) connection: &'a Connection,
    pub(super) scope: i64,
}

impl AccountGraph<'_> {
    /// Returns the live rows and the rows that are reachable from them and from the named rows.
    pub(super) fn reached(&self, named: &[Reference]) -> Stored<Rows<LoadedRow>> {
        let live = rows::live(self.connection, self.scope).map_err(unavailable)?;
        let live = live.into_iter().map(|loaded| (Arc::new(loaded.stored.row.key()), loaded)).collect();
        reach(self, live, named)
    }
}

impl Graph for AccountGraph<'_> {
    type Row = LoadedRow;

    fn row(&self, key: &RowKey) -> Stored<Option<LoadedRow>> {
        rows::one(self.connection, self.scope, key).map_err(unavailable)
    }

    fn references<'a>(&self, row: &'a LoadedRow) -> &'a [Reference] {
        &row.references
    }

    fn referrers(&self, key: &RowKey, after: Option<&str>, limit: usize) -> Stored<Vec<(String, RowKey)>> {
        let target = Reference::Row(key.clone());
        let texts = rows::referrers(self.connection, self.scope, &target, after, limit).map_err(unavailable)?;
        texts
            .into_iter()
            .map(|text| match row_key(&text) {
                Some(key) => Ok((text, key)),
                None => Err(StoreError::Unavailable(format!("damaged row: `{text}`"))),
            })
            .collect()
    }
}
