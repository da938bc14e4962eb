//! The table of replies to callers.

use super::text;
use extension_contract::Reply;
use rusqlite::{Connection, Error, OptionalExtension, params};

/// Returns the last reply to a caller that was not erased.
pub(super) fn of(connection: &Connection, scope: i64, caller: &str) -> Result<Option<Reply>, Error> {
    connection
        .prepare_cached(
            "SELECT reply FROM replies WHERE scope = ?1 AND caller = ?2 AND reply <> '' ORDER BY n DESC LIMIT 1",
        )?
        .query_row(params![scope, caller], |row| text::json(row, 0))
        .optional()
}

/// Returns the callers after `after` with their last replies that were not erased.
pub(super) fn last(
    connection: &Connection,
    scope: i64,
    after: &str,
    limit: usize,
) -> Result<Vec<(String, Reply)>, Error> {
    connection
        .prepare_cached(
            "SELECT caller, reply FROM replies WHERE n IN (SELECT max(n) FROM replies WHERE scope = ?1 AND caller > ?2 \
             AND reply <> '' GROUP BY caller) ORDER BY caller LIMIT ?3",
        )?
        .query_map(params![scope, after, text::limit(limit)], |row| Ok((row.get(0)?, text::json(row, 1)?)))?
        .collect()
}

pub(super) fn put(connection: &Connection, scope: i64, caller: &str, reply: &Reply) -> Result<(), Error> {
    connection.prepare_cached("INSERT INTO replies (scope, caller, reply) VALUES (?1, ?2, ?3)")?.execute(params![
        scope,
        caller,
        text::to_json(reply)?
    ])?;
    Ok(())
}

pub(super) fn erase(connection: &Connection, scope: i64) -> Result<(), Error> {
    connection.prepare_cached("UPDATE replies SET reply = '' WHERE scope = ?1 AND reply <> ''")?.execute([scope])?;
    Ok(())
}
