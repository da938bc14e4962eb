//! The table of claims, with a cache for the open group.

use super::text;
use crate::prefix::{prefix_end, scan_bounds};
use crate::rows::ClaimRow;
use crate::scope::{Partition, Scope};
use rusqlite::{Connection, Error, OptionalExtension, params};
use std::cell::RefCell;
use std::collections::HashMap;

/// Capacity of the cache. A full cache is cleared, so that memory stays bounded.
const CACHE_MAX: usize = 16 * 1024;

/// Claims that were read or written in the open group. The placement of an event reads some claims, and its commit
/// checks them again. The store clears the cache when another process may have changed the claims.
#[derive(Debug, Default)]
pub(super) struct ClaimCache {
    cached: RefCell<HashMap<String, Option<ClaimRow>>>,
}

impl ClaimCache {
    pub(super) fn clear(&self) {
        self.cached.borrow_mut().clear();
    }

    /// Returns a claim or block. `grouped` is true if a group is open: only then is the cache valid.
    pub(super) fn find(&self, connection: &Connection, key: &str, grouped: bool) -> Result<Option<ClaimRow>, Error> {
        if grouped && let Some(row) = self.cached.borrow().get(key) {
            return Ok(row.clone());
        }
        let row = read(connection, key)?;
        if grouped {
            self.remember(key, row.clone());
        }
        Ok(row)
    }

    /// Writes or removes a claim or block. A group must be open.
    pub(super) fn put(&self, connection: &Connection, key: &str, row: Option<&ClaimRow>) -> Result<(), Error> {
        write(connection, key, row)?;
        self.remember(key, row.cloned());
        Ok(())
    }

    fn remember(&self, key: &str, row: Option<ClaimRow>) {
        let mut cached = self.cached.borrow_mut();
        if cached.len() >= CACHE_MAX {
            cached.clear();
        }
        cached.insert(key.to_owned(), row);
    }
}

fn read(connection: &Connection, key: &str) -> Result<Option<ClaimRow>, Error> {
    connection
        .prepare_cached("SELECT holder, until, blocked_until FROM claims WHERE key = ?1")?
        .query_row([key], |row| {
            Ok(ClaimRow { holder: text::account(row, 0)?, until: row.get(1)?, blocked_until: row.get(2)? })
        })
        .optional()
}

pub(super) fn each(
    connection: &Connection,
    partition: Option<&Partition>,
    visit: &mut dyn FnMut(&str, &ClaimRow),
) -> Result<(), Error> {
    let prefix = partition.map_or_else(String::new, |partition| partition.name() + "/");
    let end = text::end(prefix_end(&prefix));
    let mut statement = connection.prepare_cached(
        "SELECT key, holder, until, blocked_until FROM claims WHERE key >= ?1 AND key < ?2 ORDER BY key",
    )?;
    let mut rows = statement.query(params![prefix, end])?;
    while let Some(row) = rows.next()? {
        let key = row.get_ref(0)?.as_str().map_err(|error| text::damaged(0, error))?;
        let claim = ClaimRow { holder: text::account(row, 1)?, until: row.get(2)?, blocked_until: row.get(3)? };
        visit(key, &claim);
    }
    Ok(())
}

/// Returns the keys of the scope's account with this prefix, in order.
pub(super) fn held(connection: &Connection, scope: &Scope, prefix: &str) -> Result<Vec<String>, Error> {
    let space = scope.partition().name() + "/";
    let end = text::end(prefix_end(prefix));
    let mut statement = connection
        .prepare_cached("SELECT key FROM claims WHERE holder = ?1 AND key >= ?2 AND key < ?3 ORDER BY key")?;
    let mut keys: Vec<String> = statement
        .query_map(params![scope.account.to_string(), prefix, end], |row| row.get(0))?
        .collect::<Result<_, Error>>()?;
    keys.retain(|key| key.starts_with(&space));
    Ok(keys)
}

/// Returns the keys with this prefix after the key `after`, in order.
pub(super) fn keys(
    connection: &Connection,
    prefix: &str,
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<String>, Error> {
    let (from, end) = scan_bounds(prefix, false, after);
    let (end, limit) = (text::end(end), text::limit(limit));
    let mut statement =
        connection.prepare_cached("SELECT key FROM claims WHERE key >= ?1 AND key < ?2 ORDER BY key LIMIT ?3")?;
    statement.query_map(params![from, end, limit], |row| row.get(0))?.collect()
}

fn write(connection: &Connection, key: &str, row: Option<&ClaimRow>) -> Result<(), Error> {
    match row {
        Some(row) => connection
            .prepare_cached(
                "INSERT OR REPLACE INTO claims (key, holder, until, blocked_until) VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute(params![key, row.holder.as_ref().map(ToString::to_string), row.until, row.blocked_until])?,
        None => connection.prepare_cached("DELETE FROM claims WHERE key = ?1")?.execute([key])?,
    };
    Ok(())
}
