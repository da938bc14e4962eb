//! The catalog's rows as they were last read: nearly every event asks for the same few, and they rarely change.

use super::rows;
use extension_contract::{Account, CatalogKey, CatalogRow, Row, RowKey};
use rusqlite::{Connection, Error};
use std::cell::RefCell;
use std::collections::HashMap;

/// Rows that are remembered at most; beyond it the cache begins anew, so that memory stays bounded.
const ROWS_MAX: usize = 1024;

/// Rows of one catalog as of one revision.
#[derive(Debug, Default)]
pub(super) struct Catalog {
    seen: RefCell<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    /// Number of the catalog's scope, and its revision.
    of: Option<(i64, u64)>,
    rows: HashMap<CatalogKey, Option<CatalogRow>>,
}

impl Catalog {
    /// After a rollback another change may come to bear a revision that was seen already.
    pub(super) fn forget(&self) {
        self.seen.borrow_mut().of = None;
    }

    /// A part of the catalog that is the scope of this number and stands at this revision.
    pub(super) fn row(
        &self,
        connection: &Connection,
        (scope, revision): (i64, u64),
        key: &CatalogKey,
    ) -> Result<Option<CatalogRow>, Error> {
        let mut seen = self.seen.borrow_mut();
        if seen.of != Some((scope, revision)) || seen.rows.len() >= ROWS_MAX {
            *seen = Seen { of: Some((scope, revision)), rows: HashMap::new() };
        }
        if let Some(row) = seen.rows.get(key) {
            return Ok(row.clone());
        }
        let row = read(connection, scope, key)?;
        seen.rows.insert(key.clone(), row.clone());
        Ok(row)
    }
}

fn read(connection: &Connection, scope: i64, key: &CatalogKey) -> Result<Option<CatalogRow>, Error> {
    let key = match key {
        CatalogKey::Product(id) => RowKey::Product(id.clone()),
        CatalogKey::Price(id) => RowKey::Price(id.clone()),
        CatalogKey::Setting(_) => return Ok(None),
    };
    Ok(rows::one(connection, scope, &Account::Platform, &key)?.and_then(|held| match held.stored.row {
        Row::Product(row) => Some(CatalogRow::Product(row)),
        Row::Price(row) => Some(CatalogRow::Price(row)),
        Row::Purchase(_) | Row::Subscription(_) | Row::Record(_) => None,
    }))
}
