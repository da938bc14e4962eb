//! Stored events, by id and by position. Positions have no gaps.

use rusqlite::{OptionalExtension, params};

use super::checksum::RowChecksum;
use super::{Store, StoreError};
use crate::event::Event;

const TABLE: &str = "event";

fn sum(position: i64, id: &str, kind: &str, body: &str) -> RowChecksum {
    RowChecksum::of(TABLE).int(position).text(id).text(kind).text(body)
}

/// A stored event.
#[derive(Debug)]
pub struct StoredEvent {
    /// The event.
    pub event: Event,
    /// The length of its JSON in bytes.
    pub bytes: usize,
}

impl Store {
    /// Writes the event at the next position and returns the length of its JSON in bytes.
    ///
    /// # Errors
    /// SQLite can't write.
    pub fn put_event(&mut self, position: u64, event: &Event) -> Result<usize, StoreError> {
        self.begin()?;
        // All keys are strings, so the event always serializes.
        let body = serde_json::to_string(event).unwrap_or_default();
        let position = position.cast_signed();
        let sum = sum(position, &event.id, &event.kind, &body).finish();
        self.connection
            .prepare_cached("INSERT INTO event (position, sum, id, kind, body) VALUES (?, ?, ?, ?, ?)")?
            .execute(params![position, sum, event.id, event.kind, body])?;
        Ok(body.len())
    }

    /// Returns the event at a position. The position must be below the number of events.
    ///
    /// # Errors
    /// The row is missing or damaged, or SQLite can't read it.
    pub fn event(&self, position: u64) -> Result<StoredEvent, StoreError> {
        let mut statement =
            self.connection.prepare_cached("SELECT sum, id, kind, body FROM event WHERE position = ?")?;
        let mut rows = statement.query([position.cast_signed()])?;
        let row = rows.next()?.ok_or_else(|| StoreError::missing(TABLE, position))?;
        let unreadable = |error: &dyn ToString| StoreError::unreadable(TABLE, position, error.to_string());
        let text = |column: usize| row.get_ref(column)?.as_str().map_err(|e| unreadable(&e));
        let (id, kind, body) = (text(1)?, text(2)?, text(3)?);
        sum(position.cast_signed(), id, kind, body).check(row.get(0)?, TABLE, position)?;
        let event = serde_json::from_str(body).map_err(|e| unreadable(&e))?;
        Ok(StoredEvent { event, bytes: body.len() })
    }

    /// Returns the position of the event with an id.
    ///
    /// # Errors
    /// SQLite can't read.
    pub fn event_position(&self, id: &str) -> Result<Option<u64>, StoreError> {
        let mut statement = self.connection.prepare_cached("SELECT position FROM event WHERE id = ?")?;
        let position: Option<i64> = statement.query_row([id], |row| row.get(0)).optional()?;
        Ok(position.map(i64::cast_unsigned))
    }

    /// Returns the positions and types of at most `limit` events below a position, newest first.
    ///
    /// # Errors
    /// SQLite can't read.
    pub fn events_below(&self, below: u64, limit: usize) -> Result<Vec<(u64, String)>, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut statement = self
            .connection
            .prepare_cached("SELECT position, kind FROM event WHERE position < ? ORDER BY position DESC LIMIT ?")?;
        let rows = statement
            .query_map([below.cast_signed(), limit], |row| Ok((row.get::<_, i64>(0)?.cast_unsigned(), row.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}
