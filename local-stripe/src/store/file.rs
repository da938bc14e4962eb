//! A state file: locked while it is in use, and checked by SQLite when it is opened.

use std::ffi::OsString;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode};

use super::{StoreError, account, connect, schema};
use crate::settings::Settings;

/// The number of times that locking a file is retried; [`PAUSE`] is the time before each attempt.
const TRIES: u32 = 100;
const PAUSE: Duration = Duration::from_millis(10);

/// Opens a state file, or creates one with the row of a new account. Also returns the lock, which must be kept as long as the connection.
///
/// The lock is a separate file: if the process opened and closed the database a second time, it would release SQLite's lock.
pub(super) fn open(path: &Path, settings: &Settings) -> Result<(Connection, File), StoreError> {
    let io = |error| StoreError::Io { path: path.to_owned(), error };
    if exists(path).map_err(io)? {
        check_header(path)?;
    }
    let lock = lock(path)?;
    // Check once more, because the previous holder of the lock may have created the file.
    if exists(path).map_err(io)? {
        check(path)?;
    } else {
        create(path, settings)?;
    }
    let connection = connect(path)?;
    use_log(&connection)?;
    Ok((connection, lock))
}

/// Locks a state file, in several attempts: while this process starts a child process, the child may still hold a lock that was just
/// released, until the child's program runs.
fn lock(path: &Path) -> Result<File, StoreError> {
    let io = |error| StoreError::Io { path: path.to_owned(), error };
    let file = OpenOptions::new().write(true).create(true).truncate(false).open(beside(path, "-lock")).map_err(io)?;
    for _ in 0..TRIES {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => std::thread::sleep(PAUSE),
            Err(TryLockError::Error(error)) => return Err(io(error)),
        }
    }
    Err(StoreError::InUse { path: path.to_owned() })
}

/// Lets SQLite check its pages, rows and indexes, over a separate connection whose cache is not used afterwards.
fn check(path: &Path) -> Result<(), StoreError> {
    let damaged = |place: String| StoreError::Damaged { path: path.to_owned(), place };
    let checked = || -> Result<String, StoreError> {
        let connection = connect(path)?;
        use_log(&connection)?;
        let found = connection.pragma_query_value(None, "integrity_check", |row| row.get(0))?;
        connection.close().map_err(|(_, error)| error)?;
        Ok(found)
    };
    match checked() {
        Ok(found) if found == "ok" => Ok(()),
        Ok(found) => Err(damaged(found)),
        Err(StoreError::Sqlite(error))
            if matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)) =>
        {
            Err(damaged(error.to_string()))
        }
        Err(error) => Err(error),
    }
}

/// Creates a database with the row of a new account. The database gets its final name only when it is complete.
fn create(path: &Path, settings: &Settings) -> Result<(), StoreError> {
    let io = |error| StoreError::Io { path: path.to_owned(), error };
    let new = beside(path, "-new");
    for left in [new.clone(), beside(&new, "-journal"), beside(&new, "-wal"), beside(path, "-wal")] {
        remove_if_there(&left).map_err(io)?;
    }
    let connection = connect(&new)?;
    schema::create(&connection)?;
    account::create(&connection, settings)?;
    connection.close().map_err(|(_, error)| error)?;
    std::fs::rename(&new, path).map_err(io)
}

/// Makes SQLite write commits to a log next to the file. A commit reaches the operating system's cache immediately, so it survives a kill
/// of the process. It does not wait for the disk.
fn use_log(connection: &Connection) -> Result<(), StoreError> {
    connection.pragma_update(None, "synchronous", "OFF")?;
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    Ok(())
}

fn remove_if_there(path: &Path) -> std::io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Whether a file exists and is not empty.
fn exists(path: &Path) -> std::io::Result<bool> {
    match std::fs::metadata(path) {
        Ok(found) => Ok(found.len() > 0),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Refuses a file that is not a state file, before any file next to it is created or changed.
fn check_header(path: &Path) -> Result<(), StoreError> {
    let mut header = [0; schema::HEADER_BYTES];
    match File::open(path).and_then(|mut file| file.read_exact(&mut header)) {
        Ok(()) if schema::is_ours(&header) => Ok(()),
        Err(error) if error.kind() != ErrorKind::UnexpectedEof => Err(StoreError::Io { path: path.to_owned(), error }),
        _ => Err(StoreError::Format { path: path.to_owned() }),
    }
}

/// Returns the path of a file next to the state file, with a suffix such as `-lock`.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    PathBuf::from(name)
}
