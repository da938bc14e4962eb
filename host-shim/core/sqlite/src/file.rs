//! A small SQLite file that one object of a process uses, one call at a time: keys, users, webhooks.

use crate::{create_private, use_write_ahead_log};
use rusqlite::{Connection, Error, TransactionBehavior};
use std::fmt;
use std::io;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Time for which a process waits until another one has written.
const PATIENCE: Duration = Duration::from_secs(5);

/// The reason why a file cannot be used.
#[derive(Debug)]
pub enum FileError {
    /// The file cannot be created.
    Io(io::Error),
    /// SQLite failed.
    Sqlite(Error),
    /// A newer program has written the file.
    Newer {
        /// Version of the file.
        found: usize,
        /// Newest version that this program knows.
        known: usize,
    },
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FileError::Io(error) => write!(f, "it cannot be created: {error}"),
            FileError::Sqlite(error) => write!(f, "it cannot be used: {error}"),
            FileError::Newer { found, known } => {
                write!(f, "it has version {found}, and this program knows {known}: use a newer program")
            }
        }
    }
}

impl std::error::Error for FileError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            FileError::Io(error) => Some(error),
            FileError::Sqlite(error) => Some(error),
            FileError::Newer { .. } => None,
        }
    }
}

impl From<Error> for FileError {
    fn from(error: Error) -> FileError {
        FileError::Sqlite(error)
    }
}

/// An open file.
#[derive(Debug)]
pub struct SmallFile(Mutex<Connection>);

impl SmallFile {
    /// Opens the file, and creates it, readable by its owner only. Each of `steps` brings its tables to the next version; the version
    /// of a file is the number of steps that it has had.
    ///
    /// # Errors
    /// Fails if the file cannot be created or used, or has had more steps.
    pub fn open(path: &Path, steps: &[&str]) -> Result<SmallFile, FileError> {
        create_private(path).map_err(FileError::Io)?;
        let connection = Connection::open(path)?;
        connection.busy_timeout(PATIENCE)?;
        use_write_ahead_log(&connection, PATIENCE)?;
        SmallFile::of(connection, steps)
    }

    /// Makes a file in memory, for tests.
    ///
    /// # Errors
    /// Fails if SQLite fails.
    pub fn in_memory(steps: &[&str]) -> Result<SmallFile, FileError> {
        SmallFile::of(Connection::open_in_memory()?, steps)
    }

    fn of(mut connection: Connection, steps: &[&str]) -> Result<SmallFile, FileError> {
        connection.pragma_update(None, "foreign_keys", true)?;
        let tables = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let found: usize = tables.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        let Some(missing) = steps.get(found..) else { return Err(FileError::Newer { found, known: steps.len() }) };
        for step in missing {
            tables.execute_batch(step)?;
        }
        tables.pragma_update(None, "user_version", steps.len())?;
        tables.commit()?;
        Ok(SmallFile(Mutex::new(connection)))
    }

    /// Returns the connection when no other call uses it.
    pub fn lock(&self) -> MutexGuard<'_, Connection> {
        // A panic in between leaves a connection without a transaction.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: &str = "CREATE TABLE a (x INTEGER) STRICT; INSERT INTO a VALUES (1);";
    const SECOND: &str = "ALTER TABLE a ADD COLUMN y INTEGER NOT NULL DEFAULT 2;";

    #[test]
    fn a_file_gets_the_steps_that_it_has_not_had() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("file.db");
        drop(SmallFile::open(&path, &[FIRST]).expect("a file"));
        for _ in 0..2 {
            let file = SmallFile::open(&path, &[FIRST, SECOND]).expect("the file");
            let rows: Vec<(i64, i64)> = {
                let connection = file.lock();
                let mut all = connection.prepare("SELECT x, y FROM a").expect("a query");
                let rows = all.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).expect("rows");
                rows.collect::<Result<_, _>>().expect("values")
            };
            assert_eq!(rows, [(1, 2)]);
        }
        let error = SmallFile::open(&path, &[FIRST]).expect_err("a newer file");
        assert!(matches!(error, FileError::Newer { found: 2, known: 1 }), "{error}");
    }
}
