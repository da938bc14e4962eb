//! Which rows refer to what: the table `refs`, kept beside every write of a row.
//!
//! Rows are found by the rows that they refer to and by names. What of the catalog they refer to stands in the row
//! alone, since nobody asks which rows do.

use super::super::text;
use super::table::Table;
use extension_contract::RowKey;
use rusqlite::{Connection, Error, OptionalExtension, params};

/// What a row refers to before it is written: the text of its column `refs`, none of a row that is not shown or not there.
pub(super) struct Before(Option<String>);

impl Before {
    /// As the row stands.
    pub(super) fn of(connection: &Connection, scope: i64, key: &RowKey) -> Result<Before, Error> {
        let (table, collection) = Table::of(key);
        let found = connection
            .prepare_cached(&table.references)?
            .query_row(params![scope, collection, key.id()], |row| row.get(0))
            .optional()?;
        Ok(Before(found.flatten()))
    }

    /// Let the row be found by what it refers to `now`.
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
