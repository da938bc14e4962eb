//! The table `refs`, an index of rows by their references, updated with every write of a row.
//!
//! The table contains the references to rows and names. References to the catalog are only in the row itself, since no
//! query looks for the rows that refer to the catalog.

use super::super::text;
use super::table::Table;
use extension_contract::RowKey;
use rusqlite::{Connection, Error, OptionalExtension, params};

/// The references of a row before a write: the text of its column `refs`; none if the row is missing or soft-deleted.
pub(super) struct OldReferences(Option<String>);

impl OldReferences {
    /// Reads the references of a row.
    pub(super) fn of(connection: &Connection, scope: i64, key: &RowKey) -> Result<OldReferences, Error> {
        let (table, collection) = Table::of(key);
        let found = connection
            .prepare_cached(&table.references)?
            .query_row(params![scope, collection, key.id()], |row| row.get(0))
            .optional()?;
        Ok(OldReferences(found.flatten()))
    }

    /// Replaces the index entries of the row by entries for the references `now`.
    pub(super) fn replace(
        &self,
        connection: &Connection,
        scope: i64,
        key: &RowKey,
        now: Option<&str>,
    ) -> Result<(), Error> {
        let before = self.0.as_deref();
        if before == now {
            return Ok(());
        }
        let (before, now) = (text::targets(before)?, text::targets(now)?);
        if before == now {
            return Ok(());
        }
        let row = key.to_string();
        let mut delete = connection.prepare_cached("DELETE FROM refs WHERE scope = ?1 AND target = ?2 AND row = ?3")?;
        before.iter().try_for_each(|target| delete.execute(params![scope, target, row]).map(drop))?;
        let mut insert = connection.prepare_cached("INSERT INTO refs (scope, target, row) VALUES (?1, ?2, ?3)")?;
        now.iter().try_for_each(|target| insert.execute(params![scope, target, row]).map(drop))
    }
}
