//! Stored replies to requests with an idempotency key. Replies older than a day, or beyond a maximum number, are
//! deleted.

use rusqlite::params;

use super::checksum::RowChecksum;
use super::{Store, StoreError};

const TABLE: &str = "answer";
/// The maximum number of stored replies; the oldest are deleted first.
const ANSWERS_MAX: i64 = 100_000;
/// How many outdated replies are deleted with each new reply: more than one, so that they don't accumulate.
const OUTDATED_AT_ONCE: i64 = 2;

/// The reply to a request with an idempotency key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredReply {
    /// The idempotency key.
    pub key: String,
    /// The path of the request, which appears in the error if the key is reused at another endpoint.
    pub endpoint: String,
    /// The SHA-256 digest of the request.
    pub fingerprint: [u8; 32],
    /// The HTTP status.
    pub status: u16,
    /// The JSON body.
    pub body: String,
    /// The request's id (`req_…`).
    pub request_id: String,
    /// The time of the reply, in Unix seconds on the sandbox's own clock.
    pub at_s: i64,
}

fn sum(number: i64, answer: &StoredReply) -> RowChecksum {
    RowChecksum::of(TABLE)
        .int(number)
        .text(&answer.key)
        .text(&answer.endpoint)
        .bytes(&answer.fingerprint)
        .int(i64::from(answer.status))
        .text(&answer.request_id)
        .int(answer.at_s)
        .text(&answer.body)
}

impl Store {
    /// Stores a reply and removes an older reply with the same key. Some replies from before `outdated_before_s` (Unix
    /// seconds) are deleted.
    ///
    /// # Errors
    /// SQLite can't write.
    pub fn put_answer(&mut self, answer: &StoredReply, outdated_before_s: i64) -> Result<(), StoreError> {
        self.begin()?;
        let run = |sql: &str, values: &[&dyn rusqlite::ToSql]| self.connection.prepare_cached(sql)?.execute(values);
        run("DELETE FROM answer WHERE key = ?", &[&answer.key])?;
        run(
            "DELETE FROM answer WHERE at_s < ? AND number IN (SELECT number FROM answer ORDER BY number LIMIT ?)",
            &[&outdated_before_s, &OUTDATED_AT_ONCE],
        )?;
        let newest: i64 = self
            .connection
            .prepare_cached("SELECT coalesce(max(number), 0) FROM answer")?
            .query_row([], |row| row.get(0))?;
        let number = newest + 1;
        run("DELETE FROM answer WHERE number <= ?", &[&(number - ANSWERS_MAX)])?;
        let sum = sum(number, answer).finish();
        self.connection
            .prepare_cached(
                "INSERT INTO answer (number, sum, key, endpoint, fingerprint, status, request_id, at_s, body)
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            )?
            .execute(params![
                number,
                sum,
                answer.key,
                answer.endpoint,
                answer.fingerprint.as_slice(),
                answer.status,
                answer.request_id,
                answer.at_s,
                answer.body
            ])?;
        Ok(())
    }

    /// Returns the stored reply for an idempotency key.
    ///
    /// # Errors
    /// The row is damaged, or SQLite can't read it.
    pub fn answer(&self, key: &str) -> Result<Option<StoredReply>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT number, sum, key, endpoint, fingerprint, status, request_id, at_s, body FROM answer WHERE key = ?",
        )?;
        let mut rows = statement.query([key])?;
        let Some(row) = rows.next()? else { return Ok(None) };
        let unreadable = |error: rusqlite::Error| StoreError::unreadable(TABLE, key, error);
        let answer = StoredReply {
            key: row.get(2).map_err(unreadable)?,
            endpoint: row.get(3).map_err(unreadable)?,
            fingerprint: row.get(4).map_err(unreadable)?,
            status: row.get(5).map_err(unreadable)?,
            request_id: row.get(6).map_err(unreadable)?,
            at_s: row.get(7).map_err(unreadable)?,
            body: row.get(8).map_err(unreadable)?,
        };
        sum(row.get(0)?, &answer).check(row.get(1)?, TABLE, key)?;
        if answer.key != key {
            return Err(StoreError::unreadable(TABLE, key, format!("the index leads to {}", answer.key)));
        }
        Ok(Some(answer))
    }
}
