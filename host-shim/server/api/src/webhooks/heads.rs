//! The head of a queue: for each account, the oldest message that waits for an endpoint. Only heads are sent, so that the messages of
//! an account arrive in order, and only heads are searched for due messages. A disabled endpoint has none.

use crate::webhooks::endpoint::{COLUMNS, Endpoint, endpoint};
use crate::webhooks::tables::{Webhooks, WebhooksError};
use extension_contract::Timestamp;
use host_store_postgres::small::{Row, SmallError, Statements, Value, values};

/// The due heads of an endpoint, in index order.
const DUE: &str = "SELECT heads.message, messages.id, body FROM heads JOIN messages ON seq = heads.message \
                   WHERE endpoint = ?1 AND next_at <= ?2 ORDER BY next_at, heads.message LIMIT ?3";
/// The next head of an account. A disabled endpoint has none.
const NEXT: &str = "INSERT INTO heads (endpoint, account, message, next_at) \
                    SELECT endpoint, account, message, next_at FROM deliveries WHERE endpoint = ?1 \
                    AND message = (SELECT message FROM deliveries WHERE endpoint = ?1 AND state = 'pending' \
                    AND account = ?2 ORDER BY message LIMIT 1) \
                    AND EXISTS (SELECT 1 FROM endpoints WHERE id = ?1 AND disabled_at IS NULL)";
/// When the first head of an endpoint is due.
const DUE_AT: &str = "UPDATE endpoints SET due_at = \
                      (SELECT next_at FROM heads WHERE endpoint = ?1 ORDER BY next_at LIMIT 1) WHERE id = ?1";

/// A delivery that is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// Number of the message.
    pub seq: i64,
    /// Id of the message.
    pub message: String,
    /// Body of the message.
    pub body: String,
}

fn with_due() -> String {
    format!("SELECT {COLUMNS} FROM endpoints WHERE due_at <= ?1 ORDER BY due_at, id")
}

fn due(row: &Row) -> Result<Due, SmallError> {
    Ok(Due { seq: row.get(0)?, message: row.get(1)?, body: row.get(2)? })
}

/// Updates the head of an account at an endpoint, after a delivery has changed.
pub(crate) fn set(rows: &impl Statements, endpoint: &str, account: &str) -> Result<(), SmallError> {
    rows.execute("DELETE FROM heads WHERE endpoint = ?1 AND account = ?2", values![endpoint, account])?;
    rows.execute(NEXT, values![endpoint, account])?;
    rows.execute(DUE_AT, values![endpoint])?;
    Ok(())
}

/// Updates the heads of all accounts at an endpoint, after many of its deliveries have changed.
pub(crate) fn set_all(rows: &impl Statements, endpoint: &str) -> Result<(), SmallError> {
    rows.execute("DELETE FROM heads WHERE endpoint = ?1", values![endpoint])?;
    rows.execute(
        "INSERT INTO heads (endpoint, account, message, next_at) \
         SELECT endpoint, account, message, next_at FROM deliveries AS head WHERE endpoint = ?1 AND state = 'pending' \
         AND EXISTS (SELECT 1 FROM endpoints WHERE id = ?1 AND disabled_at IS NULL) \
         AND message = (SELECT min(message) FROM deliveries AS other \
         WHERE other.endpoint = ?1 AND other.state = 'pending' AND other.account = head.account)",
        values![endpoint],
    )?;
    rows.execute(DUE_AT, values![endpoint])?;
    Ok(())
}

/// Returns the endpoints and accounts whose heads are messages that match a condition.
pub(crate) fn of_messages(
    rows: &impl Statements,
    condition: &str,
    value: &Value,
) -> Result<Vec<(String, String)>, SmallError> {
    let all = format!(
        "SELECT heads.endpoint, heads.account FROM messages JOIN heads ON heads.message = seq WHERE messages.{condition}"
    );
    rows.query(&all, std::slice::from_ref(value), |row| Ok((row.get(0)?, row.get(1)?)))
}

impl Webhooks {
    /// Returns the endpoints that have something due, starting with the one that has waited longest.
    ///
    /// # Errors
    /// Fails if the tables cannot be read.
    pub fn with_due(&self, now: Timestamp) -> Result<Vec<Endpoint>, WebhooksError> {
        Ok(self.0.query(&with_due(), values![now], endpoint)?)
    }

    /// Returns what is due at an endpoint: for each account, only the oldest message that has not arrived, so that messages arrive in
    /// order.
    ///
    /// # Errors
    /// Fails if the tables cannot be read.
    pub fn due(&self, endpoint: &str, now: Timestamp, limit: usize) -> Result<Vec<Due>, WebhooksError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        Ok(self.0.query(DUE, values![endpoint, now, limit], due)?)
    }

    /// Returns the endpoints for which too many messages are waiting.
    ///
    /// # Errors
    /// Fails if the tables cannot be read.
    pub fn overfull(&self, most: usize) -> Result<Vec<Endpoint>, WebhooksError> {
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let all = format!(
            "SELECT {COLUMNS} FROM endpoints WHERE due_at IS NOT NULL AND EXISTS \
             (SELECT 1 FROM deliveries WHERE endpoint = id AND state = 'pending' LIMIT 1 OFFSET ?1) ORDER BY id"
        );
        Ok(self.0.query(&all, values![most], endpoint)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_due_is_found_by_an_index_and_not_by_reading_the_queue() {
        let webhooks = Webhooks::in_memory().expect("webhooks");
        for (sql, values) in [
            (with_due(), values![1_i64].to_vec()),
            (DUE.to_owned(), values!["ep", 1_i64, 50_i64].to_vec()),
            (NEXT.to_owned(), values!["ep", "user:ada"].to_vec()),
            (DUE_AT.to_owned(), values!["ep"].to_vec()),
        ] {
            let steps = webhooks.0.query(&format!("EXPLAIN QUERY PLAN {sql}"), &values, |row| row.get::<String>(3));
            for step in steps.expect("a plan") {
                let reads_all = step.starts_with("SCAN") && !step.contains("CONSTANT ROW");
                assert!(!reads_all && !step.contains("TEMP B-TREE"), "{sql}: {step}");
                let keys = ["endpoint=? AND state=? AND account=?", "endpoint=? AND message=?"];
                let is_narrow = keys.iter().any(|key| step.contains(key));
                assert!(!step.contains("deliveries") || is_narrow, "{sql} reads the queue of all accounts: {step}");
            }
        }
    }
}
