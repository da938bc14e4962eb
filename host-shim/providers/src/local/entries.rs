//! The table of notes in a SQLite database. Seeds are notes without a file.

use crate::local::error::LocalError;
use notes::{FileInfo, Note};
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::time::{SystemTime, UNIX_EPOCH};

/// The columns in the order of [`note`].
const ALL: &str = "name, value, changed, file_name, file_kind, file_bytes";

/// Returns the time in seconds since 1970.
pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    since.try_into().unwrap_or(i64::MAX)
}

pub(crate) fn list(connection: &Connection, skip: u64, count: u64) -> Result<Vec<Note>, LocalError> {
    let sql = format!("SELECT {ALL} FROM entries ORDER BY changed DESC, name LIMIT ? OFFSET ?");
    let mut found = connection.prepare(&sql)?;
    Ok(found.query_map(params![count, skip], note)?.collect::<Result<_, _>>()?)
}

pub(crate) fn count(connection: &Connection) -> Result<u64, LocalError> {
    Ok(connection.query_row("SELECT count(*) FROM entries", [], |row| row.get(0))?)
}

pub(crate) fn get(connection: &Connection, name: &str) -> Result<Option<Note>, LocalError> {
    let sql = format!("SELECT {ALL} FROM entries WHERE name = ?");
    Ok(connection.query_row(&sql, [name], note).optional()?)
}

/// Stores a new note. Returns false if there is a note with this name.
pub(crate) fn add(connection: &Connection, note: &Note) -> Result<bool, LocalError> {
    let sql = format!("INSERT INTO entries ({ALL}) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (name) DO NOTHING");
    let file = note.file.as_ref();
    let (name, kind) = (file.map(|file| &file.name), file.map(|file| &file.kind));
    let bytes = file.map(|file| file.bytes);
    Ok(connection.execute(&sql, params![note.name, note.text, note.changed, name, kind, bytes])? == 1)
}

/// Stores the text of a note, which may be new. An existing note keeps its file.
pub(crate) fn put(connection: &Connection, name: &str, text: &str, changed: i64) -> Result<(), LocalError> {
    let sql = "INSERT INTO entries (name, value, changed) VALUES (?, ?, ?)
        ON CONFLICT (name) DO UPDATE SET value = excluded.value, changed = excluded.changed";
    connection.execute(sql, params![name, text, changed])?;
    Ok(())
}

pub(crate) fn delete(connection: &Connection, name: &str) -> Result<bool, LocalError> {
    Ok(connection.execute("DELETE FROM entries WHERE name = ?", [name])? == 1)
}

fn note(row: &Row<'_>) -> rusqlite::Result<Note> {
    let file = match (row.get(3)?, row.get(4)?, row.get(5)?) {
        (Some(name), Some(kind), Some(bytes)) => Some(FileInfo { name, kind, bytes }),
        _ => None,
    };
    Ok(Note { name: row.get(0)?, text: row.get(1)?, changed: row.get(2)?, file })
}
