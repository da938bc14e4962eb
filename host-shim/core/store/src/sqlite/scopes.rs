//! The tables of partitions and scopes, to which the other tables refer by number, with a cache for the open group.

use super::unavailable;
use crate::error::Stored;
use crate::scope::{Partition, Scope};
use rusqlite::types::Type;
use rusqlite::{Connection, Error, OptionalExtension, Row, params};
use std::cell::RefCell;
use std::collections::HashMap;

/// Capacity of the cache. A full cache is cleared, so that memory stays bounded.
const CACHE_MAX: usize = 16 * 1024;

/// Like [`CACHE_MAX`], for partitions, which are searched linearly because a program has only a few.
const PARTITIONS_MAX: usize = 64;

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
    partitions: RefCell<Vec<(Partition, i64)>>,
    /// The last scope that was requested: the values of a change request the same one again and again.
    last: RefCell<Option<(Scope, Option<ScopeRow>)>>,
    /// Scopes by number. A number never changes; it is reused only if its scope was rolled back.
    names: RefCell<HashMap<i64, Scope>>,
}

impl ScopeCache {
    pub(super) fn clear(&self) {
        self.scopes.borrow_mut().clear();
        self.partitions.borrow_mut().clear();
        self.names.borrow_mut().clear();
        *self.last.borrow_mut() = None;
    }

    /// Returns the scope with a number.
    pub(super) fn named(&self, connection: &Connection, id: i64) -> Stored<Scope> {
        if let Some(scope) = self.names.borrow().get(&id) {
            return Ok(scope.clone());
        }
        let sql = "SELECT p.business, p.livemode, s.account FROM scopes s JOIN partitions p ON p.id = s.partition \
                   WHERE s.id = ?1";
        let mut statement = connection.prepare_cached(sql).map_err(unavailable)?;
        let scope = statement.query_row([id], read).map_err(unavailable)?;
        let mut names = self.names.borrow_mut();
        if names.len() >= CACHE_MAX {
            names.clear();
        }
        names.insert(id, scope.clone());
        Ok(scope)
    }

    /// Returns the partition with a number.
    pub(super) fn partition_named(&self, connection: &Connection, id: i64) -> Stored<Partition> {
        let known = self.partitions.borrow().iter().find(|(_, known)| *known == id).map(|(known, _)| known.clone());
        if let Some(known) = known {
            return Ok(known);
        }
        let partition = connection
            .prepare_cached("SELECT business, livemode FROM partitions WHERE id = ?1")
            .and_then(|mut statement| {
                statement.query_row([id], |row| Ok(Partition { business: row.get(0)?, livemode: row.get(1)? }))
            })
            .map_err(unavailable)?;
        self.remember_partition(partition.clone(), id);
        Ok(partition)
    }

    /// Returns an existing scope. `grouped` is true if a group is open: only then is the cache valid.
    pub(super) fn find(
        &self,
        connection: &Connection,
        scope: &Scope,
        grouped: bool,
    ) -> Result<Option<ScopeRow>, Error> {
        if grouped {
            if let Some((_, known)) = self.last.borrow().as_ref().filter(|(last, _)| last == scope) {
                return Ok(*known);
            }
            if let Some(known) = self.scopes.borrow().get(scope) {
                *self.last.borrow_mut() = Some((scope.clone(), *known));
                return Ok(*known);
            }
        }
        let known = match self.find_partition(connection, (&scope.business, scope.livemode), grouped)? {
            Some(partition) => connection
                .prepare_cached("SELECT id, revision, data_version FROM scopes WHERE partition = ?1 AND account = ?2")?
                .query_row(params![partition, scope.account.to_string()], |row| {
                    Ok(ScopeRow { id: row.get(0)?, revision: row.get(1)?, data_version: row.get(2)? })
                })
                .optional()?,
            None => None,
        };
        if grouped {
            self.remember(scope, known);
        }
        Ok(known)
    }

    /// Returns a scope, inserting it if it is new. A group must be open.
    pub(super) fn ensure(&self, connection: &Connection, scope: &Scope) -> Result<ScopeRow, Error> {
        if let Some(known) = self.find(connection, scope, true)? {
            return Ok(known);
        }
        let partition = self.ensure_partition(connection, (&scope.business, scope.livemode))?;
        connection
            .prepare_cached("INSERT INTO scopes (partition, account, revision) VALUES (?1, ?2, 0)")?
            .execute(params![partition, scope.account.to_string()])?;
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
        (business, livemode): (&str, bool),
        grouped: bool,
    ) -> Result<Option<i64>, Error> {
        let is_it = |known: &&(Partition, i64)| known.0.business == business && known.0.livemode == livemode;
        if grouped && let Some((_, id)) = self.partitions.borrow().iter().find(is_it) {
            return Ok(Some(*id));
        }
        let id: Option<i64> = connection
            .prepare_cached("SELECT id FROM partitions WHERE business = ?1 AND livemode = ?2")?
            .query_row(params![business, livemode], |row| row.get(0))
            .optional()?;
        if grouped && let Some(id) = id {
            self.remember_partition(Partition { business: business.to_owned(), livemode }, id);
        }
        Ok(id)
    }

    /// Returns the number of a partition, inserting the partition if it is new. A group must be open.
    pub(super) fn ensure_partition(&self, connection: &Connection, of: (&str, bool)) -> Result<i64, Error> {
        if let Some(id) = self.find_partition(connection, of, true)? {
            return Ok(id);
        }
        connection
            .prepare_cached("INSERT INTO partitions (business, livemode) VALUES (?1, ?2)")?
            .execute(params![of.0, of.1])?;
        let id = connection.last_insert_rowid();
        self.remember_partition(Partition { business: of.0.to_owned(), livemode: of.1 }, id);
        Ok(id)
    }

    fn remember_partition(&self, partition: Partition, id: i64) {
        let mut partitions = self.partitions.borrow_mut();
        if partitions.len() >= PARTITIONS_MAX {
            partitions.clear();
        }
        partitions.push((partition, id));
    }

    fn remember(&self, scope: &Scope, known: Option<ScopeRow>) {
        let mut scopes = self.scopes.borrow_mut();
        if scopes.len() >= CACHE_MAX {
            scopes.clear();
        }
        scopes.insert(scope.clone(), known);
        *self.last.borrow_mut() = Some((scope.clone(), known));
    }
}

/// Returns every scope of a partition, or of all partitions.
pub(super) fn all(connection: &Connection, partition: Option<i64>) -> Result<Vec<Scope>, Error> {
    let sql = "SELECT p.business, p.livemode, s.account FROM scopes s JOIN partitions p ON p.id = s.partition \
               WHERE ?1 IS NULL OR s.partition = ?1";
    connection.prepare_cached(sql)?.query_map([partition], read)?.collect()
}

/// Reads a scope from the columns `business`, `livemode` and `account`.
fn read(row: &Row<'_>) -> Result<Scope, Error> {
    let account: String = row.get(2)?;
    let damaged = || Error::FromSqlConversionFailure(2, Type::Text, format!("damaged row: `{account}`").into());
    let account = account.parse().map_err(|_| damaged())?;
    Ok(Scope { business: row.get(0)?, livemode: row.get(1)?, account })
}
