//! The tables of partitions and scopes, which the other tables refer to by number, with a cache for the open group.

use super::text;
use crate::scope::{Partition, Scope};
use rusqlite::{Connection, Error, OptionalExtension, Row, params};
use std::cell::RefCell;
use std::collections::HashMap;

/// Capacity of the cache. A full cache is cleared, so that memory stays bounded.
const CACHE_MAX: usize = 16 * 1024;

/// The row of a scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ScopeRow {
    pub(super) id: i64,
    pub(super) revision: u64,
    pub(super) data_version: Option<u32>,
}

/// Partitions and scopes that were read in the open group. No other process can change them while a group is open. The
/// store clears the cache when another process may have changed them between groups.
#[derive(Debug, Default)]
pub(super) struct ScopeCache {
    scopes: RefCell<HashMap<Scope, Option<ScopeRow>>>,
    partitions: RefCell<HashMap<Partition, i64>>,
}

impl ScopeCache {
    pub(super) fn clear(&self) {
        self.scopes.borrow_mut().clear();
        self.partitions.borrow_mut().clear();
    }

    /// Returns an existing scope. `grouped` is true if a group is open: only then is the cache valid.
    pub(super) fn find(
        &self,
        connection: &Connection,
        scope: &Scope,
        grouped: bool,
    ) -> Result<Option<ScopeRow>, Error> {
        if grouped && let Some(known) = self.scopes.borrow().get(scope) {
            return Ok(*known);
        }
        let known = connection
            .prepare_cached(
                "SELECT id, revision, data_version FROM scopes WHERE business = ?1 AND livemode = ?2 AND account = ?3",
            )?
            .query_row(params![scope.business, scope.livemode, scope.account.to_string()], |row| {
                Ok(ScopeRow { id: row.get(0)?, revision: row.get(1)?, data_version: row.get(2)? })
            })
            .optional()?;
        if grouped {
            self.remember(scope, known);
        }
        Ok(known)
    }

    /// Returns a scope, and inserts it if it is new. A group must be open.
    pub(super) fn ensure(&self, connection: &Connection, scope: &Scope) -> Result<ScopeRow, Error> {
        if let Some(known) = self.find(connection, scope, true)? {
            return Ok(known);
        }
        connection
            .prepare_cached("INSERT INTO scopes (business, livemode, account) VALUES (?1, ?2, ?3)")?
            .execute(params![scope.business, scope.livemode, scope.account.to_string()])?;
        let known = ScopeRow { id: connection.last_insert_rowid(), revision: 0, data_version: None };
        self.remember(scope, Some(known));
        Ok(known)
    }

    /// Writes the revision and the data version of an existing scope.
    pub(super) fn set(&self, connection: &Connection, scope: &Scope, known: ScopeRow) -> Result<(), Error> {
        connection
            .prepare_cached("UPDATE scopes SET revision = ?2, data_version = ?3 WHERE id = ?1")?
            .execute(params![known.id, known.revision, known.data_version])?;
        self.remember(scope, Some(known));
        Ok(())
    }

    /// Returns the number of an existing partition.
    pub(super) fn find_partition(
        &self,
        connection: &Connection,
        partition: &Partition,
        grouped: bool,
    ) -> Result<Option<i64>, Error> {
        if grouped && let Some(id) = self.partitions.borrow().get(partition) {
            return Ok(Some(*id));
        }
        let id: Option<i64> = connection
            .prepare_cached("SELECT id FROM partitions WHERE business = ?1 AND livemode = ?2")?
            .query_row(params![partition.business, partition.livemode], |row| row.get(0))
            .optional()?;
        if grouped && let Some(id) = id {
            self.partitions.borrow_mut().insert(partition.clone(), id);
        }
        Ok(id)
    }

    /// Returns the number of a partition, and inserts the partition if it is new. A group must be open.
    pub(super) fn ensure_partition(&self, connection: &Connection, partition: &Partition) -> Result<i64, Error> {
        if let Some(id) = self.find_partition(connection, partition, true)? {
            return Ok(id);
        }
        connection
            .prepare_cached("INSERT INTO partitions (business, livemode) VALUES (?1, ?2)")?
            .execute(params![partition.business, partition.livemode])?;
        let id = connection.last_insert_rowid();
        self.partitions.borrow_mut().insert(partition.clone(), id);
        Ok(id)
    }

    fn remember(&self, scope: &Scope, known: Option<ScopeRow>) {
        let mut scopes = self.scopes.borrow_mut();
        if scopes.len() >= CACHE_MAX {
            scopes.clear();
        }
        scopes.insert(scope.clone(), known);
    }
}

/// Reads a scope from the columns `business`, `livemode` and `account`.
pub(super) fn read(row: &Row<'_>, column: usize) -> Result<Scope, Error> {
    Ok(Scope {
        business: row.get(column)?,
        livemode: row.get(column + 1)?,
        account: text::account(row, column + 2)?.ok_or_else(|| text::damaged(column + 2, "no account"))?,
    })
}

/// Returns every scope in order. A scope is inserted with its first row.
pub(super) fn all(connection: &Connection) -> Result<Vec<Scope>, Error> {
    connection
        .prepare_cached("SELECT business, livemode, account FROM scopes ORDER BY business, livemode, account")?
        .query_map([], |row| read(row, 0))?
        .collect()
}
