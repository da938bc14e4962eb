//! Scopes by number: every other table names them so.

use super::text;
use crate::scope::Scope;
use rusqlite::{Connection, Error, OptionalExtension, Row, params};
use std::cell::RefCell;
use std::collections::HashMap;

/// Scopes that are remembered at most; beyond it the cache begins anew, so that memory stays bounded.
const CACHE_MAX: usize = 16 * 1024;

/// What is known of a scope in the open group.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    pub(super) id: i64,
    pub(super) data_version: Option<u32>,
}

/// Scopes seen in the open group. Nobody else can change them while it is open, so it is emptied around groups
/// in which somebody else could have.
#[derive(Debug, Default)]
pub(super) struct Scopes {
    cache: RefCell<HashMap<Scope, Option<Known>>>,
}

impl Scopes {
    pub(super) fn forget(&self) {
        self.cache.borrow_mut().clear();
    }

    /// A scope that is in the database; `grouped` says that a group is open and the cache holds.
    pub(super) fn find(&self, connection: &Connection, scope: &Scope, grouped: bool) -> Result<Option<Known>, Error> {
        if grouped && let Some(known) = self.cache.borrow().get(scope) {
            return Ok(*known);
        }
        let known = connection
            .prepare_cached(
                "SELECT id, data_version FROM scopes WHERE business = ?1 AND livemode = ?2 AND account = ?3",
            )?
            .query_row(params![scope.business, scope.livemode, scope.account.to_string()], |row| {
                Ok(Known { id: row.get(0)?, data_version: row.get(1)? })
            })
            .optional()?;
        if grouped {
            self.remember(scope, known);
        }
        Ok(known)
    }

    /// The number of a scope, which is written if it is new. A group must be open.
    pub(super) fn ensure(&self, connection: &Connection, scope: &Scope) -> Result<i64, Error> {
        if let Some(known) = self.find(connection, scope, true)? {
            return Ok(known.id);
        }
        connection
            .prepare_cached("INSERT INTO scopes (business, livemode, account) VALUES (?1, ?2, ?3)")?
            .execute(params![scope.business, scope.livemode, scope.account.to_string()])?;
        let id = connection.last_insert_rowid();
        self.remember(scope, Some(Known { id, data_version: None }));
        Ok(id)
    }

    pub(super) fn set_data_version(
        &self,
        connection: &Connection,
        scope: &Scope,
        id: i64,
        version: u32,
    ) -> Result<(), Error> {
        connection
            .prepare_cached("UPDATE scopes SET data_version = ?2 WHERE id = ?1")?
            .execute(params![id, version])?;
        self.remember(scope, Some(Known { id, data_version: Some(version) }));
        Ok(())
    }

    fn remember(&self, scope: &Scope, known: Option<Known>) {
        let mut cache = self.cache.borrow_mut();
        if cache.len() >= CACHE_MAX {
            cache.clear();
        }
        cache.insert(scope.clone(), known);
    }
}

/// A scope from the columns `business`, `livemode` and `account`.
pub(super) fn read(row: &Row<'_>, column: usize) -> Result<Scope, Error> {
    Ok(Scope {
        business: row.get(column)?,
        livemode: row.get(column + 1)?,
        account: text::account(row, column + 2)?.ok_or_else(|| text::damaged(column + 2, "no account"))?,
    })
}

/// Every scope with rows, in order: a scope is written with its first row.
pub(super) fn all(connection: &Connection) -> Result<Vec<Scope>, Error> {
    connection
        .prepare_cached("SELECT business, livemode, account FROM scopes ORDER BY business, livemode, account")?
        .query_map([], |row| read(row, 0))?
        .collect()
}
