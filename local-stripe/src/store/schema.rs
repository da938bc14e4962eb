//! The tables of a state file, and the header fields that identify it.

use rusqlite::Connection;

use super::StoreError;

/// The application id of state files, `LSTR`, in SQLite's header.
const APPLICATION_ID: i32 = 0x4c53_5452;
/// The version of the file format. It must change if older files become unreadable, or if `due::next` computes
/// different times, because its result is stored with each object. Version 1 was a journal of requests.
const FORMAT: i32 = 6;
/// The number of bytes that [`is_ours`] checks.
pub(super) const HEADER_BYTES: usize = 100;

/// The tables and indexes. An object's `id` is its key: see [`crate::object::key`]. Numbers come first and long texts
/// last, so that the columns that lists need are on a row's first page.
const TABLES: &str = "
CREATE TABLE account (
    number INTEGER PRIMARY KEY CHECK (number = 1),
    settings TEXT NOT NULL,
    clock_s INTEGER NOT NULL,
    next_number INTEGER NOT NULL,
    requests INTEGER NOT NULL,
    events INTEGER NOT NULL,
    first_event INTEGER NOT NULL,
    delivered INTEGER NOT NULL,
    sum INTEGER NOT NULL
) STRICT;
CREATE TABLE object (
    seq INTEGER PRIMARY KEY,
    sum INTEGER NOT NULL,
    id TEXT NOT NULL,
    kind TEXT NOT NULL,
    customer TEXT,
    clock TEXT NOT NULL,
    due_s INTEGER,
    series TEXT,
    at_s INTEGER,
    body TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX object_id ON object (id);
CREATE INDEX object_kind ON object (kind);
CREATE INDEX object_customer ON object (customer, kind) WHERE customer IS NOT NULL;
CREATE INDEX object_due ON object (clock, due_s, id) WHERE due_s IS NOT NULL;
CREATE INDEX object_series ON object (series, at_s) WHERE series IS NOT NULL;
CREATE TABLE event (
    position INTEGER PRIMARY KEY,
    sum INTEGER NOT NULL,
    id TEXT NOT NULL,
    kind TEXT NOT NULL,
    body TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX event_id ON event (id);
CREATE TABLE answer (
    number INTEGER PRIMARY KEY,
    sum INTEGER NOT NULL,
    key TEXT NOT NULL,
    endpoint TEXT NOT NULL,
    fingerprint BLOB NOT NULL,
    status INTEGER NOT NULL,
    request_id TEXT NOT NULL,
    at_s INTEGER NOT NULL,
    body TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX answer_key ON answer (key);
";

/// Creates the tables.
pub(super) fn create(connection: &Connection) -> Result<(), StoreError> {
    connection.pragma_update(None, "application_id", APPLICATION_ID)?;
    connection.pragma_update(None, "user_version", FORMAT)?;
    Ok(connection.execute_batch(TABLES)?)
}

/// Whether the first bytes of a file are those of a state file of this format.
pub(super) fn is_ours(header: &[u8; HEADER_BYTES]) -> bool {
    header.starts_with(b"SQLite format 3\0")
        && header[60..64] == FORMAT.to_be_bytes()
        && header[68..72] == APPLICATION_ID.to_be_bytes()
}
