//! A state file: locked while a process has it, checked before it is used, its log emptied from time to time.

use std::ffi::OsString;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::config::DbConfig;

use super::log::Log;
use super::pages::{Sums, Unfit};
use super::{StoreError, account, connect, schema};
use crate::settings::Settings;

/// Bytes of the log from which it is emptied: as much as a start after a kill can check in a few milliseconds.
const LOG_BYTES: u64 = 16 * 1024 * 1024;

/// The files of an open store. The file of checksums carries the lock: to open and close the database a second time
/// would drop SQLite's own.
#[derive(Debug)]
pub(super) struct Files {
    path: PathBuf,
    /// Open all the time: some file systems write a file out when it is closed after it was cut.
    log: File,
    /// Whether the log may end in something that isn't committed.
    is_torn: bool,
    sums: Sums,
}

/// How often a lock that is held is tried again, and how long it is waited in between.
const TRIES: u32 = 10;
const PAUSE: Duration = Duration::from_millis(10);

/// Take the lock of a file. A program that this process is starting holds a lock that was just given back until it runs.
fn lock(file: &File) -> Result<(), TryLockError> {
    for _ in 0..TRIES {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => std::thread::sleep(PAUSE),
            ended => return ended,
        }
    }
    file.try_lock()
}

/// Opens a state file, or makes one with the row of a new account.
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
    let mut sums = Sums::new(sums);
    let log_path = beside(path, "-wal");
    // Only now: whoever had the lock before may have made it.
    if exists(path).map_err(io)? {
        let unfit = |unfit| match unfit {
            Unfit::Io(error) => io(error),
            Unfit::Damaged(place) => StoreError::Damaged { path: path.to_owned(), place },
        };
        let log = Log::check(&log_path).map_err(unfit)?;
        sums.check(path, &log).map_err(unfit)?;
        log.cut(&log_path).map_err(io)?;
    } else {
        create(path, &mut sums, settings)?;
    }
    let connection = connect(path)?;
    use_log(&connection)?;
    // A page that went to the log before its transaction is committed would look like damage after a kill.
    connection.pragma_update(None, "cache_spill", "OFF")?;
    // The first use of the log, which makes its file.
    connection.pragma_query_value(None, "user_version", |_| Ok(()))?;
    let log = File::open(&log_path).map_err(io)?;
    Ok((connection, Files { path: path.to_owned(), log, is_torn: false, sums }))
}

impl Files {
    /// Empties the log if it is long.
    pub(super) fn checkpoint_if_long(&mut self, connection: &Connection) -> Result<(), StoreError> {
        let length = self.log.metadata().map_err(|error| self.io(error))?.len();
        if length >= LOG_BYTES || self.is_torn { self.checkpoint(connection) } else { Ok(()) }
    }

    /// Has the log emptied before the next write: a commit that failed may have left frames in it, and those that later
    /// ones don't cover would look like damage.
    pub(super) fn leave_torn(&mut self) {
        self.is_torn = true;
    }

    /// Empties the log into the file. A kill on the way leaves the log, which has every page that is half written.
    pub(super) fn checkpoint(&mut self, connection: &Connection) -> Result<(), StoreError> {
        self.write_log(connection, "FULL")?;
        let log = Log::written(&self.log).map_err(|unfit| match unfit {
            Unfit::Io(error) => self.io(error),
            Unfit::Damaged(place) => StoreError::Damaged { path: self.path.clone(), place },
        })?;
        let written = self.sums.take_over(&log);
        written.map_err(|error| self.io(error))?;
        self.write_log(connection, "TRUNCATE")?;
        self.is_torn = false;
        Ok(())
    }

    /// Lets SQLite write the log to the file, and cut it if the mode says so.
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

/// Makes a database with the row of a new account, whole or not at all: it gets its name when everything is in it.
fn create(path: &Path, sums: &mut Sums, settings: &Settings) -> Result<(), StoreError> {
    let io = |error| StoreError::Io { path: path.to_owned(), error };
    let new = beside(path, "-new");
    for left in [new.clone(), beside(&new, "-journal"), beside(path, "-wal")] {
        remove_if_there(&left).map_err(io)?;
    }
    let connection = connect(&new)?;
    schema::create(&connection)?;
    account::create(&connection, settings)?;
    // The mode is in the file's header: no page changes for it later.
    use_log(&connection)?;
    connection.close().map_err(|(_, error)| error)?;
    remove_if_there(&beside(&new, "-wal")).map_err(io)?;
    File::open(&new).and_then(|mut made| sums.begin(&mut made)).map_err(io)?;
    std::fs::rename(&new, path).map_err(io)
}

/// Commits go to the log, and from there only when told to. What was committed is the operating system's at once, so
/// that it outlives the process; nothing waits for the disk.
fn use_log(connection: &Connection) -> Result<(), StoreError> {
    connection.pragma_update(None, "synchronous", "OFF")?;
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    // The checksums would be left behind.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    Ok(())
}

fn remove_if_there(path: &Path) -> std::io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Whether there is anything in a file.
fn exists(path: &Path) -> std::io::Result<bool> {
    match std::fs::metadata(path) {
        Ok(found) => Ok(found.len() > 0),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Refuses a file that isn't a sandbox's, before anything beside it is touched.
fn check_header(path: &Path) -> Result<(), StoreError> {
    let mut header = [0; schema::HEADER_BYTES];
    match File::open(path).and_then(|mut file| file.read_exact(&mut header)) {
        Ok(()) if schema::is_ours(&header) => Ok(()),
        Err(error) if error.kind() != ErrorKind::UnexpectedEof => Err(StoreError::Io { path: path.to_owned(), error }),
        _ => Err(StoreError::Format { path: path.to_owned() }),
    }
}

/// The path of a file that goes with another.
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
    fn a_kill_at_any_step_of_emptying_the_log_loses_nothing() {
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
            // Twice: what the first start leaves is right as well.
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
