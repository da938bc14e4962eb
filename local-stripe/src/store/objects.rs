//! Stored objects, which are found by key, by kind (newest first), by due time, and by series and time.

use std::borrow::Cow;

use rusqlite::{OptionalExtension, Row, ToSql, params};

use super::checksum::RowChecksum;
use super::{Store, StoreError};
use crate::billing::due;
use crate::object::Object;
use crate::state::owner::name_within;

const TABLE: &str = "object";

/// The indexed columns of a row.
#[derive(PartialEq, Eq)]
struct Keys<'o> {
    kind: Cow<'o, str>,
    customer: Option<&'o str>,
    clock: &'o str,
    due_s: Option<i64>,
    /// The object's series, and its time in the series (`at_s`); see [`crate::state::Series`].
    series: Option<&'o str>,
    at_s: Option<i64>,
}

fn keys(object: &Object) -> Keys<'_> {
    let event = object.as_meter_event();
    let is_in_series = !event.series.is_empty();
    Keys {
        kind: name_within(&object.owner, object.kind()),
        customer: object.get("customer").as_str(),
        clock: object.clock(),
        due_s: due::next(object),
        series: is_in_series.then_some(&event.series),
        at_s: is_in_series.then_some(event.at_s),
    }
}

fn sum(seq: i64, id: &str, keys: &Keys, body: &str) -> RowChecksum {
    RowChecksum::of(TABLE)
        .int(seq)
        .text(id)
        .text(&keys.kind)
        .text_or_null(keys.customer)
        .text(keys.clock)
        .int_or_null(keys.due_s)
        .text_or_null(keys.series)
        .int_or_null(keys.at_s)
        .text(body)
}

/// A stored object.
#[derive(Debug)]
pub struct StoredObject {
    /// The object.
    pub object: Object,
    /// The length of its JSON in bytes.
    pub bytes: usize,
}

impl Store {
    /// Writes a new object, or a changed object whose previous state was `before`. Returns the length of its JSON in
    /// bytes.
    ///
    /// # Errors
    /// SQLite can't write, or the changed object has no row.
    pub fn put_object(&mut self, before: Option<&Object>, after: &Object) -> Result<usize, StoreError> {
        self.begin()?;
        // All keys are strings, so the object always serializes.
        let body = serde_json::to_string(after).unwrap_or_default();
        let (seq, key, keys) = (after.seq, after.key(), keys(after));
        let id = name_within(&after.owner, &key);
        let id = id.as_ref();
        let sum = sum(seq, id, &keys, &body).finish();
        let Keys { kind, customer, clock, due_s, series, at_s } = &keys;
        let changed = match before.map(self::keys) {
            // Most changes do not affect the indexed columns.
            Some(old) if old == keys => self
                .connection
                .prepare_cached("UPDATE object SET sum = ?, body = ? WHERE seq = ?")?
                .execute(params![sum, body, seq])?,
            Some(_) => self
                .connection
                .prepare_cached(
                    "UPDATE object SET sum = ?, kind = ?, customer = ?, clock = ?, due_s = ?, series = ?, at_s = ?,
                     body = ? WHERE seq = ?",
                )?
                .execute(params![sum, kind, customer, clock, due_s, series, at_s, body, seq])?,
            None => self
                .connection
                .prepare_cached(
                    "INSERT INTO object (seq, sum, id, kind, customer, clock, due_s, series, at_s, body)
                     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                )?
                .execute(params![seq, sum, id, kind, customer, clock, due_s, series, at_s, body])?,
        };
        if changed == 1 { Ok(body.len()) } else { Err(StoreError::missing(TABLE, id)) }
    }

    /// Removes an existing object.
    ///
    /// # Errors
    /// SQLite can't write, or the object has no row.
    pub fn remove_object(&mut self, object: &Object) -> Result<(), StoreError> {
        self.begin()?;
        let removed = self.connection.prepare_cached("DELETE FROM object WHERE seq = ?")?.execute([object.seq])?;
        if removed == 1 { Ok(()) } else { Err(StoreError::missing(TABLE, object.id())) }
    }

    /// Returns the object with a key; see [`crate::object::key`].
    ///
    /// # Errors
    /// The row is damaged, or SQLite can't read it.
    pub fn object(&self, id: &str) -> Result<Option<StoredObject>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT seq, sum, id, kind, customer, clock, due_s, series, at_s, body FROM object WHERE id = ?",
        )?;
        let mut rows = statement.query([id])?;
        rows.next()?.map(|row| read(row, id)).transpose()
    }

    /// Returns the numbers and keys of at most `limit` objects of a kind below a number, newest first. If a customer is
    /// given, returns only the customer's objects.
    ///
    /// # Errors
    /// SQLite can't read.
    pub fn objects_below(
        &self,
        kind: &str,
        customer: Option<&str>,
        below: i64,
        limit: usize,
    ) -> Result<Vec<(i64, String)>, StoreError> {
        let sql = match customer {
            None => "SELECT seq, id FROM object WHERE kind = ?1 AND seq < ?2 ORDER BY seq DESC LIMIT ?3",
            Some(_) => {
                "SELECT seq, id FROM object WHERE kind = ?1 AND seq < ?2 AND customer = ?4 ORDER BY seq DESC LIMIT ?3"
            }
        };
        // The length of a page always fits into `i64`.
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut values: Vec<&dyn ToSql> = vec![&kind, &below, &limit];
        if let Some(customer) = &customer {
            values.push(customer);
        }
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map(&*values, |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Returns the time, number and key of at most `limit` objects of a series, latest first, starting no earlier than
    /// `from_s` and before the time and number in `below`. Of two objects at the same time, the object created later
    /// comes first. Times are in Unix seconds.
    ///
    /// # Errors
    /// SQLite can't read.
    pub fn series_below(
        &self,
        series: &str,
        from_s: i64,
        below: (i64, i64),
        limit: usize,
    ) -> Result<Vec<(i64, i64, String)>, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut statement = self.connection.prepare_cached(
            "SELECT at_s, seq, id FROM object WHERE series IS NOT NULL AND series = ? AND at_s >= ?
             AND (at_s, seq) < (?, ?) ORDER BY at_s DESC, seq DESC LIMIT ?",
        )?;
        let rows = statement.query_map(params![series, from_s, below.0, below.1, limit], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Returns the keys of all objects of a connected account, oldest first; see [`owner`].
    ///
    /// # Errors
    /// SQLite can't read.
    pub fn rows_of(&self, account: &str) -> Result<Vec<String>, StoreError> {
        // All kinds of the account begin with its id and a slash; the next character after the slash is `0`.
        let (from, until) = (format!("{account}/"), format!("{account}0"));
        let mut statement =
            self.connection.prepare_cached("SELECT id FROM object WHERE kind >= ? AND kind < ? ORDER BY seq")?;
        let rows = statement.query_map([from, until], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Returns the number of objects of a kind.
    ///
    /// # Errors
    /// SQLite can't read.
    pub fn count_objects(&self, kind: &str) -> Result<usize, StoreError> {
        let mut statement = self.connection.prepare_cached("SELECT count(*) FROM object WHERE kind = ?")?;
        let count: i64 = statement.query_row([kind], |row| row.get(0))?;
        Ok(usize::try_from(count).unwrap_or_default())
    }

    /// Returns the time, in Unix seconds, and the key of the object that acts next on a clock, unless that is after
    /// `until_s`.
    ///
    /// # Errors
    /// SQLite can't read.
    pub fn next_due(&self, clock: &str, until_s: i64) -> Result<Option<(i64, String)>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT due_s, id FROM object WHERE due_s IS NOT NULL AND clock = ? AND due_s <= ?
             ORDER BY due_s, id LIMIT 1",
        )?;
        Ok(statement.query_row(params![clock, until_s], |row| Ok((row.get(0)?, row.get(1)?))).optional()?)
    }
}

/// Reads a row. Checks its checksum, and that its key matches the key by which it was found.
fn read(row: &Row, wanted: &str) -> Result<StoredObject, StoreError> {
    let unreadable = |error: &dyn ToString| StoreError::unreadable(TABLE, wanted, error.to_string());
    let text = |column: usize| row.get_ref(column)?.as_str().map_err(|e| unreadable(&e));
    let seq: i64 = row.get(0)?;
    let text_or_null = |column: usize| row.get_ref(column)?.as_str_or_null().map_err(|e| unreadable(&e));
    let (id, kind, clock, body) = (text(2)?, text(3)?, text(5)?, text(9)?);
    let found = Keys {
        kind: Cow::Borrowed(kind),
        customer: text_or_null(4)?,
        clock,
        due_s: row.get(6)?,
        series: text_or_null(7)?,
        at_s: row.get(8)?,
    };
    sum(seq, id, &found, body).check(row.get(1)?, TABLE, wanted)?;
    if id != wanted {
        return Err(unreadable(&format!("the index leads to {id}")));
    }
    let object = serde_json::from_str(body).map_err(|e| unreadable(&e))?;
    Ok(StoredObject { object, bytes: body.len() })
}
