//! Messages and their deliveries: each message is sent to every endpoint that wants it, in order for each account, until it has
//! arrived or all attempts have failed.

use crate::webhooks::endpoint::{Endpoint, EndpointStatus, Reason};
use crate::webhooks::heads;
use crate::webhooks::retry;
use crate::webhooks::tables::{Webhooks, WebhooksError};
use extension_contract::{Account, Timestamp};
use host_store_postgres::small::{Row, SmallError, Statements, values};
use serde_json::{Value, json};

/// How long messages are kept, in milliseconds: 30 days.
const KEPT_MS: i64 = 30 * 24 * 3_600_000;
/// Number of rows deleted per cleanup.
const CLEANED_ROWS: i64 = 10_000;

/// The state of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryState {
    /// It is waiting for its first or next attempt.
    Pending,
    /// The endpoint has answered with a successful status.
    Delivered,
    /// All attempts have failed, or the endpoint is disabled.
    Failed,
}

impl DeliveryState {
    /// All states.
    pub const ALL: [DeliveryState; 3] = [DeliveryState::Pending, DeliveryState::Delivered, DeliveryState::Failed];

    /// Returns the name.
    pub fn name(self) -> &'static str {
        match self {
            DeliveryState::Pending => "pending",
            DeliveryState::Delivered => "delivered",
            DeliveryState::Failed => "failed",
        }
    }

    /// Returns the state with a name.
    pub fn parse(name: &str) -> Option<DeliveryState> {
        DeliveryState::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// An attempt to deliver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// When it began, in milliseconds since the epoch.
    pub at: Timestamp,
    /// How long it took, in milliseconds.
    pub took_ms: i64,
    /// HTTP status of the answer; none if there was no answer.
    pub status: Option<u16>,
    /// Why there was no answer.
    pub error: Option<String>,
}

impl Attempt {
    /// Returns true if the message has arrived.
    pub fn is_success(&self) -> bool {
        self.status.is_some_and(|status| (200..300).contains(&status))
    }

    /// Returns true if the endpoint wants no more messages (410).
    fn is_gone(&self) -> bool {
        self.status == Some(410)
    }
}

/// A delivery, for its log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Number of the message, in the order of the messages.
    pub seq: i64,
    /// Id of the message.
    pub message: String,
    /// Event type.
    pub event_type: String,
    /// The account that the event is about.
    pub account: String,
    /// When the event occurred, in milliseconds since the epoch.
    pub at: Timestamp,
    /// State of the delivery.
    pub state: DeliveryState,
    /// When the next attempt is due.
    pub next_at: Timestamp,
    /// The attempts, the first one first.
    pub attempts: Vec<Attempt>,
}

/// What follows from an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// The message has arrived.
    Arrived,
    /// It is tried again.
    Later,
    /// It is not tried again.
    Failed,
    /// The endpoint is to be disabled: it wants no more, or has failed for three days.
    Disable(Reason),
}

/// A message to add.
pub(crate) struct NewMessage<'m> {
    pub id: &'m str,
    pub account: &'m Account,
    pub event_type: &'m str,
    pub at: Timestamp,
    pub data: Value,
}

/// Returns a time as RFC 3339.
pub(crate) fn time_text(ms: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(ms).map_or_else(|_| String::new(), |time| time.to_string())
}

/// Adds a message for the endpoints that want its type. A disabled endpoint misses it.
pub(crate) fn add_message(
    rows: &impl Statements,
    new: &NewMessage<'_>,
    endpoints: &[Endpoint],
) -> Result<(), SmallError> {
    let wanted: Vec<&Endpoint> =
        endpoints.iter().filter(|endpoint| endpoint.gets(new.account, new.event_type)).collect();
    if wanted.is_empty() {
        return Ok(());
    }
    let account = new.account.to_string();
    let body = json!({"type": new.event_type, "timestamp": time_text(new.at), "account": account, "data": new.data});
    let seq: Option<i64> = rows.query_one(
        "INSERT INTO messages (id, account, type, at, body) VALUES (?1, ?2, ?3, ?4, ?5) RETURNING seq",
        values![new.id, &account, new.event_type, new.at, body.to_string()],
        |row| row.get(0),
    )?;
    for endpoint in wanted {
        let state = match endpoint.status() {
            EndpointStatus::Enabled => DeliveryState::Pending,
            EndpointStatus::Disabled => DeliveryState::Failed,
        };
        rows.execute(
            "INSERT INTO deliveries (endpoint, message, account, state, attempts, next_at) \
             VALUES (?1, ?2, ?3, ?4, 0, ?5)",
            values![&endpoint.id, seq, &account, state.name(), new.at],
        )?;
        heads::set(rows, &endpoint.id, &account)?;
    }
    Ok(())
}

fn delivery(row: &Row) -> Result<Delivery, SmallError> {
    Ok(Delivery {
        seq: row.get(0)?,
        message: row.get(1)?,
        event_type: row.get(2)?,
        account: row.get(3)?,
        at: row.get(4)?,
        state: DeliveryState::parse(&row.get::<String>(5)?).unwrap_or(DeliveryState::Failed),
        next_at: row.get(6)?,
        attempts: Vec::new(),
    })
}

fn attempt(row: &Row) -> Result<Attempt, SmallError> {
    Ok(Attempt { at: row.get(0)?, took_ms: row.get(1)?, status: row.get(2)?, error: row.get(3)? })
}

impl Webhooks {
    /// Adds a message for one endpoint, whichever types it wants: a test by a person.
    ///
    /// # Errors
    /// Fails if the tables cannot be written.
    pub fn test(&self, endpoint: &Endpoint, message: &str, now: Timestamp) -> Result<(), WebhooksError> {
        let account = endpoint.account.clone().unwrap_or(Account::Platform);
        let data = json!({"endpoint": endpoint.id});
        let new = NewMessage { id: message, account: &account, event_type: "endpoint.test", at: now, data };
        self.0.write(|rows| Ok(add_message(rows, &new, &[Endpoint { types: Vec::new(), ..endpoint.clone() }])?))
    }

    /// Records an attempt, and returns what follows from it.
    ///
    /// # Errors
    /// Fails if the tables cannot be written.
    pub fn tell(&self, endpoint: &str, seq: i64, attempt: &Attempt) -> Result<Told, WebhooksError> {
        self.0.write(|rows| {
            let of = "SELECT attempts, (SELECT count(*) FROM attempts WHERE endpoint = ?1 AND message = ?2), \
                      deliveries.account, disabled_at IS NULL FROM deliveries JOIN endpoints ON endpoints.id = endpoint \
                      WHERE endpoint = ?1 AND message = ?2";
            let known: Option<(u32, u32, String, bool)> = rows
                .query_one(of, values![endpoint, seq], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
            // The endpoint may have been deleted in the meantime.
            let Some((before, logged, account, is_enabled)) = known else { return Ok(Told::Failed) };
            rows.execute(
                "INSERT INTO attempts (endpoint, message, number, at, took_ms, status, error) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                values![
                    endpoint,
                    seq,
                    logged.saturating_add(1),
                    attempt.at,
                    attempt.took_ms,
                    attempt.status,
                    attempt.error.as_deref()
                ],
            )?;
            let attempts = before.saturating_add(1);
            let ended_at = attempt.at.saturating_add(attempt.took_ms);
            // What is waiting for a disabled endpoint has failed.
            let next = retry::after(attempts).filter(|_| is_enabled).map(|delay| ended_at.saturating_add(delay));
            let (state, told) = match (attempt.is_success(), next) {
                (true, _) => (DeliveryState::Delivered, Told::Arrived),
                (false, Some(_)) => (DeliveryState::Pending, Told::Later),
                (false, None) => (DeliveryState::Failed, Told::Failed),
            };
            rows.execute(
                "UPDATE deliveries SET state = ?3, attempts = ?4, next_at = ?5 WHERE endpoint = ?1 AND message = ?2",
                values![endpoint, seq, state.name(), attempts, next.unwrap_or(ended_at)],
            )?;
            heads::set(rows, endpoint, &account)?;
            match attempt.is_success() {
                true => rows.execute("UPDATE endpoints SET failing_since = NULL WHERE id = ?1", values![endpoint])?,
                false => rows.execute(
                    "UPDATE endpoints SET failing_since = coalesce(failing_since, ?2) WHERE id = ?1",
                    values![endpoint, attempt.at],
                )?,
            };
            let since = "SELECT failing_since FROM endpoints WHERE id = ?1";
            let since: Option<Option<Timestamp>> = rows.query_one(since, values![endpoint], |row| row.get(0))?;
            let is_over = since.flatten().is_some_and(|since| ended_at.saturating_sub(since) >= retry::FAILING_MS);
            Ok(match (attempt.is_gone(), is_over) {
                (true, _) => Told::Disable(Reason::Gone),
                (false, true) => Told::Disable(Reason::Failing),
                (false, false) => told,
            })
        })
    }

    /// Returns a page of an endpoint's log, newest message first. `before` is the number of the last message on the previous page.
    ///
    /// # Errors
    /// Fails if the tables cannot be read.
    pub fn log(
        &self,
        endpoint: &str,
        state: Option<DeliveryState>,
        before: Option<i64>,
        limit: usize,
    ) -> Result<Vec<Delivery>, WebhooksError> {
        let all = "SELECT seq, id, type, messages.account, at, state, next_at \
                   FROM deliveries JOIN messages ON seq = message \
                   WHERE endpoint = ?1 AND (CAST(?2 AS TEXT) IS NULL OR state = CAST(?2 AS TEXT)) \
                   AND (CAST(?3 AS BIGINT) IS NULL OR seq < CAST(?3 AS BIGINT)) ORDER BY seq DESC LIMIT ?4";
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let state = state.map(DeliveryState::name);
        let mut rows = self.0.query(all, values![endpoint, state, before, limit], delivery)?;
        let of = "SELECT at, took_ms, status, error FROM attempts WHERE endpoint = ?1 AND message = ?2 ORDER BY number";
        for row in &mut rows {
            row.attempts = self.0.query(of, values![endpoint, row.seq], attempt)?;
        }
        Ok(rows)
    }

    /// Resends a message, whether it has arrived or not. Returns false if the endpoint has no such message.
    ///
    /// # Errors
    /// Fails if the tables cannot be written.
    pub fn resend(&self, endpoint: &str, message: &str, now: Timestamp) -> Result<bool, WebhooksError> {
        let again = "UPDATE deliveries SET state = 'pending', attempts = 0, next_at = ?3 \
                     WHERE endpoint = ?1 AND message = (SELECT seq FROM messages WHERE id = ?2)";
        self.0.write(|rows| {
            let is_known = rows.execute(again, values![endpoint, message, now])? == 1;
            let account = "SELECT account FROM messages WHERE id = ?1";
            let account: Option<String> = rows.query_one(account, values![message], |row| row.get(0))?;
            if let Some(account) = account.filter(|_| is_known) {
                heads::set(rows, endpoint, &account)?;
            }
            Ok(is_known)
        })
    }

    /// Resends all messages that have failed since a given time. Returns their number.
    ///
    /// # Errors
    /// Fails if the tables cannot be written.
    pub fn resend_failed(&self, endpoint: &str, since: Timestamp, now: Timestamp) -> Result<usize, WebhooksError> {
        let again = "UPDATE deliveries SET state = 'pending', attempts = 0, next_at = ?3 WHERE endpoint = ?1 \
                     AND state = 'failed' AND message IN (SELECT seq FROM messages WHERE at >= ?2)";
        self.0.write(|rows| {
            let count = rows.execute(again, values![endpoint, since, now])?;
            heads::set_all(rows, endpoint)?;
            Ok(count)
        })
    }

    /// Deletes a batch of the messages that are older than 30 days.
    ///
    /// # Errors
    /// Fails if the tables cannot be written.
    pub fn clean(&self, now: Timestamp) -> Result<usize, WebhooksError> {
        let delete = "DELETE FROM messages WHERE seq IN (SELECT seq FROM messages WHERE at < ?1 LIMIT ?2)";
        let until = now.saturating_sub(KEPT_MS);
        self.0.write(|rows| {
            let headed = heads::of_messages(rows, "at < ?1", &until.into())?;
            let deleted = rows.execute(delete, values![until, CLEANED_ROWS])?;
            for (endpoint, account) in headed {
                heads::set(rows, &endpoint, &account)?;
            }
            Ok(deleted)
        })
    }
}
