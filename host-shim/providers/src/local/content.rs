//! Creates and reads SQLite databases: size, hash, and integrity check.

use crate::local::error::LocalError;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};
use sha2::{Digest, Sha256};
use std::path::Path;
use std::time::Duration;

/// Time to wait for another connection that has locked the database.
const BUSY: Duration = Duration::from_secs(5);

/// The table of notes.
const SCHEMA: &str = "CREATE TABLE IF NOT EXISTS entries (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL,
    changed INTEGER NOT NULL DEFAULT 0,
    file_name TEXT,
    file_kind TEXT,
    file_bytes INTEGER
) STRICT";

/// Opens an existing database.
pub(crate) fn open(path: &Path) -> Result<Connection, LocalError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    Ok(connection)
}

/// Creates the database and its table of notes, if they don't exist.
pub(crate) fn make(path: &Path) -> Result<(), LocalError> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY)?;
    connection.execute_batch(SCHEMA)?;
    Ok(())
}

/// Returns a hash of the definitions and rows of all tables in a fixed order. It does not depend on how the file stores
/// them.
pub(crate) fn hash(connection: &Connection) -> Result<String, LocalError> {
    let mut tables = connection.prepare(
        "SELECT format('SELECT * FROM \"%w\" ORDER BY 1', name), sql FROM sqlite_schema \
         WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name",
    )?;
    let tables = tables.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?;
    let mut hash = Sha256::new();
    for table in tables {
        let (query, sql) = table?;
        part(&mut hash, b'T', sql.as_bytes());
        let mut rows = connection.prepare(&query)?;
        let columns = rows.column_count();
        let mut rows = rows.query([])?;
        while let Some(row) = rows.next()? {
            for column in 0..columns {
                match row.get_ref(column)? {
                    ValueRef::Null => part(&mut hash, b'N', b""),
                    ValueRef::Integer(number) => part(&mut hash, b'I', &number.to_be_bytes()),
                    ValueRef::Real(number) => part(&mut hash, b'R', &number.to_be_bytes()),
                    ValueRef::Text(text) => part(&mut hash, b'S', text),
                    ValueRef::Blob(bytes) => part(&mut hash, b'B', bytes),
                }
            }
        }
    }
    Ok(hex::encode(hash.finalize()))
}

fn part(hash: &mut Sha256, kind: u8, bytes: &[u8]) {
    hash.update([kind]);
    hash.update((bytes.len() as u64).to_be_bytes());
    hash.update(bytes);
}

/// Fails if SQLite's integrity check finds an error.
pub(crate) fn check(connection: &Connection, path: &Path) -> Result<(), LocalError> {
    let found: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0))?;
    match found.as_str() {
        "ok" => Ok(()),
        _ => Err(LocalError::Content { path: path.to_owned(), error: found }),
    }
}

/// Returns the size of the database's used pages in bytes.
pub(crate) fn size(connection: &Connection) -> Result<u64, LocalError> {
    let sql = "SELECT (page_count - freelist_count) * page_size FROM pragma_page_count(), pragma_freelist_count(), pragma_page_size()";
    Ok(connection.query_row(sql, [], |row| row.get(0))?)
}
