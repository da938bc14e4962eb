//! A state file. It is checked before use and locked while in use. Its write-ahead log is emptied from time to time.

use std::ffi::OsString;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::config::DbConfig;

use super::log::Log;
use super::pages::{CheckError, PageChecksums};
use super::{StoreError, account, connect, schema};
use crate::settings::Settings;

/// The length in bytes from which the log is emptied. A start after a kill checks a log of this length in a few
/// milliseconds.
const LOG_BYTES: u64 = 16 * 1024 * 1024;

/// The files of an open store. The lock is on the file of checksums, not on the database: if the process opened and
/// closed the database a second time, it would release SQLite's own lock.
#[derive(Debug)]
pub(super) struct Files {
    path: PathBuf,
    /// The log stays open, as some file systems write a truncated file to disk when it is closed.
    log: File,
    /// Whether the log may end with uncommitted frames.
    has_uncommitted_tail: bool,
    sums: PageChecksums,
}

/// The number of times that locking a file is tried again; [`PAUSE`] is the time before each attempt.
const TRIES: u32 = 100;
const PAUSE: Duration = Duration::from_millis(10);

/// Locks a file, in several attempts: while this process starts a child process, the child may still hold a lock that
/// was just released, until the child's program runs.
fn lock(file: &File) -> Result<(), TryLockError> {
    for _ in 0..TRIES {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => std::thread::sleep(PAUSE),
            ended => return ended,
        }
    }
    file.try_lock()
}

/// Opens a state file, or creates one with the row of a new account.
pub(super) fn open(path: &Path, settings: &Settings) -> Result<(Connection, Files), StoreError> {
    let io = |error| StoreError::Io { path: path.to_owned(), error };
    if exists(path).map_err(io)? {
        check_header(path)?;
    }
    let sums = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(beside(path, "-sums"))
        .map_err(io)?;
    match lock(&sums) {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(StoreError::InUse { path: path.to_owned() }),
        Err(TryLockError::Error(error)) => return Err(io(error)),
    }
    let mut sums = PageChecksums::new(sums);
    let log_path = beside(path, "-wal");
    // This is checked again after locking, as the previous holder of the lock may have created the file.
    if exists(path).map_err(io)? {
        let unfit = |unfit| match unfit {
            CheckError::Io(error) => io(error),
            CheckError::Damaged(place) => StoreError::Damaged { path: path.to_owned(), place },
        };
        let log = Log::check(&log_path).map_err(unfit)?;
        sums.check(path, &log).map_err(unfit)?;
        log.cut(&log_path).map_err(io)?;
    } else {
        create(path, &mut sums, settings)?;
    }
    let connection = connect(path)?;
    use_log(&connection)?;
    // Without this, SQLite could write pages to the log before their commit. After a kill, these pages would look like
    // damage.
    connection.pragma_update(None, "cache_spill", "OFF")?;
    // The first query creates the file of the log.
    connection.pragma_query_value(None, "user_version", |_| Ok(()))?;
    let log = File::open(&log_path).map_err(io)?;
    Ok((connection, Files { path: path.to_owned(), log, has_uncommitted_tail: false, sums }))
}

impl Files {
    /// Empties the log if it is long, or if it may end with uncommitted frames.
    pub(super) fn checkpoint_if_long(&mut self, connection: &Connection) -> Result<(), StoreError> {
        let length = self.log.metadata().map_err(|error| self.io(error))?.len();
        if length >= LOG_BYTES || self.has_uncommitted_tail { self.checkpoint(connection) } else { Ok(()) }
    }

    /// Records that a commit failed, so that the log is emptied before the next write. The failed commit may have left
    /// frames in the log. If later frames do not overwrite them all, the rest would look like damage.
    pub(super) fn mark_uncommitted_tail(&mut self) {
        self.has_uncommitted_tail = true;
    }

    /// Writes the log's pages to the file and empties the log. A kill in between is harmless: the log still has all
    /// pages that are half-written in the file.
    pub(super) fn checkpoint(&mut self, connection: &Connection) -> Result<(), StoreError> {
        self.write_log(connection, "FULL")?;
        let log = Log::written(&self.log).map_err(|unfit| match unfit {
            CheckError::Io(error) => self.io(error),
            CheckError::Damaged(place) => StoreError::Damaged { path: self.path.clone(), place },
        })?;
        let written = self.sums.take_over(&log);
        written.map_err(|error| self.io(error))?;
        self.write_log(connection, "TRUNCATE")?;
        self.has_uncommitted_tail = false;
        Ok(())
    }

    /// Lets SQLite write the log's pages to the file (`FULL`), and also truncate the log (`TRUNCATE`).
    fn write_log(&self, connection: &Connection, mode: &str) -> Result<(), StoreError> {
        let (busy, frames, done): (i64, i64, i64) =
            connection.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })?;
        if busy == 0 && frames == done {
            return Ok(());
        }
        Err(self.io(std::io::Error::other(format!("{done} of {frames} pages of the log are written"))))
    }

    fn io(&self, error: std::io::Error) -> StoreError {
        StoreError::Io { path: self.path.clone(), error }
    }
}

/// Creates a database with the row of a new account. The database gets its final name only when it is complete.
fn create(path: &Path, sums: &mut PageChecksums, settings: &Settings) -> Result<(), StoreError> {
    let io = |error| StoreError::Io { path: path.to_owned(), error };
    let new = beside(path, "-new");
    for left in [new.clone(), beside(&new, "-journal"), beside(path, "-wal")] {
        remove_if_there(&left).map_err(io)?;
    }
    let connection = connect(&new)?;
    schema::create(&connection)?;
    account::create(&connection, settings)?;
    // The log mode is stored in the file's header, so setting it now keeps the first page unchanged later.
    use_log(&connection)?;
    connection.close().map_err(|(_, error)| error)?;
    remove_if_there(&beside(&new, "-wal")).map_err(io)?;
    File::open(&new).and_then(|mut made| sums.begin(&mut made)).map_err(io)?;
    std::fs::rename(&new, path).map_err(io)
}

/// Makes SQLite write commits to the log, and to the file only on request. A commit is at once in the operating
/// system's cache, so it survives a kill of the process. A commit does not wait for the disk.
fn use_log(connection: &Connection) -> Result<(), StoreError> {
    connection.pragma_update(None, "synchronous", "OFF")?;
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    // SQLite must not empty the log when the connection is closed, as the checksums would not be updated.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
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

/// Refuses a file that is not a state file. This happens before any file next to it is created or changed.
fn check_header(path: &Path) -> Result<(), StoreError> {
    let mut header = [0; schema::HEADER_BYTES];
    match File::open(path).and_then(|mut file| file.read_exact(&mut header)) {
        Ok(()) if schema::is_ours(&header) => Ok(()),
        Err(error) if error.kind() != ErrorKind::UnexpectedEof => Err(StoreError::Io { path: path.to_owned(), error }),
        _ => Err(StoreError::Format { path: path.to_owned() }),
    }
}

/// Returns the path of a file next to the state file, with a suffix such as `-wal`.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::object::Object;
    use crate::store::{Counters, Store};

    fn fill(store: &mut Store, numbers: std::ops::Range<i64>) {
        for n in numbers {
            let object = Object::of(
                json!({ "id": format!("cus_{n}"), "object": "customer", "_seq": n, "name": "x".repeat(900) }),
            );
            store.put_object(None, &object).unwrap();
            store.commit(&Settings::default(), &Counters::default()).unwrap();
        }
    }

    fn copy(from: &Path, to: &Path) {
        for suffix in ["", "-wal", "-sums"] {
            std::fs::copy(beside(from, suffix), beside(to, suffix)).unwrap();
        }
    }

    #[test]
    fn a_kill_at_any_step_of_a_checkpoint_loses_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        let (mut store, ..) = Store::open(&path, Settings::default(), &[]).unwrap();
        fill(&mut store, 0..50);
        store.files.as_mut().unwrap().checkpoint(&store.connection).unwrap();
        fill(&mut store, 50..100);
        let images = ["logged", "written", "added up", "cut"].map(|name| folder.path().join(name));
        copy(&path, &images[0]);
        {
            let files = store.files.as_mut().unwrap();
            files.write_log(&store.connection, "FULL").unwrap();
            copy(&path, &images[1]);
            let log = Log::written(&files.log).unwrap();
            files.sums.take_over(&log).unwrap();
            copy(&path, &images[2]);
            files.write_log(&store.connection, "TRUNCATE").unwrap();
            copy(&path, &images[3]);
        }
        for image in images {
            // The state is opened twice, as the first start must leave a valid state, too.
            for _ in 0..2 {
                let (mut store, ..) = Store::open(&image, Settings::default(), &[]).unwrap();
                assert_eq!(store.count_objects("customer").unwrap() % 100, 0, "{}", image.display());
                assert!(store.object("cus_99").unwrap().is_some());
                if store.object("cus_100").unwrap().is_none() {
                    fill(&mut store, 100..200);
                }
            }
        }
    }
}
