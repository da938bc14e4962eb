//! Creates SQLite files that only their owner can read, and opens those that several processes use at the same time. Shared by
//! the store, the small tables of a server and the vault.

use rusqlite::{Connection, Error, ErrorCode};
use std::fs::OpenOptions;
use std::io;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

/// Pause between two attempts to change the journal mode.
const PAUSE: Duration = Duration::from_millis(5);

/// Creates an empty file that only its owner may read or write. An existing file is left as it is.
///
/// # Errors
///
/// Fails if the file can't be created.
pub fn create_private(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// Makes the file use a write-ahead log. While another connection writes to a file without a log, SQLite refuses this at once
/// and ignores the connection's busy timeout, so this function keeps trying for as long as `patience`.
///
/// # Errors
///
/// Fails if other connections keep the file locked for longer than `patience`, or if SQLite fails.
pub fn use_write_ahead_log(connection: &Connection, patience: Duration) -> Result<(), Error> {
    let end = Instant::now() + patience;
    loop {
        match connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(())) {
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) && Instant::now() < end => {
                thread::sleep(PAUSE);
            }
            result => return result,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_is_used_as_soon_as_a_writer_without_a_log_has_ended() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("file.db");
        let other = Connection::open(&path).expect("a file");
        other.execute_batch("BEGIN IMMEDIATE; CREATE TABLE made (name TEXT) STRICT").expect("an open transaction");
        let connection = Connection::open(&path).expect("the file");
        assert!(
            use_write_ahead_log(&connection, Duration::ZERO)
                .is_err_and(|error| error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy))
        );
        thread::scope(|scope| {
            scope.spawn(move || {
                thread::sleep(PAUSE * 4);
                other.execute_batch("COMMIT").expect("committed");
            });
            use_write_ahead_log(&connection, Duration::from_secs(10)).expect("the log is used");
        });
        let mode: String = connection.query_row("PRAGMA journal_mode", [], |row| row.get(0)).expect("a mode");
        assert_eq!(mode, "wal");
    }

    #[cfg(unix)]
    #[test]
    fn a_new_file_is_private_and_an_existing_file_stays() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("new.db");
        create_private(&path).expect("a file");
        assert_eq!(std::fs::metadata(&path).expect("the file").permissions().mode() & 0o777, 0o600);
        std::fs::write(&path, "contents").expect("written");
        create_private(&path).expect("the same file");
        assert_eq!(std::fs::read_to_string(&path).expect("the file"), "contents");
        create_private(&folder.path().join("no-folder/new.db")).expect_err("no folder");
    }
}
