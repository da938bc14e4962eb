//! Why rows can't be had or kept.

use std::path::PathBuf;

use thiserror::Error;

/// A state file or a row that can't be used.
#[derive(Debug, Error)]
pub enum StoreError {
    /// A file can't be opened, read or written.
    #[error("the state file {path} can't be read or written: {error}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// Another process has it.
    #[error("the state file {path} is in use by another process")]
    InUse {
        /// Which file.
        path: PathBuf,
    },
    /// Not a state file of this format.
    #[error("the state file {path} was not written by this version of the sandbox; start with a new file")]
    Format {
        /// Which file.
        path: PathBuf,
    },
    /// Something in a file isn't what was written.
    #[error(
        "the state file {path} is damaged: {place} is not what the sandbox wrote; bring back a copy or start with a new file"
    )]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What of it, such as `page 7`.
        place: String,
    },
    /// A setting that can't change was given otherwise than the file has it.
    #[error("--{option} {given} is refused: the account in {path} was begun with {kept}")]
    Setting {
        /// Which file.
        path: PathBuf,
        /// The command line's name of the setting.
        option: &'static str,
        /// What was given.
        given: String,
        /// What the file has.
        kept: String,
    },
    /// A row isn't what was written.
    #[error("row {row} of the table {table} is damaged: {found}, expected {expected}")]
    Row {
        /// The table's name.
        table: &'static str,
        /// The row's number, id or key.
        row: String,
        /// What the row has.
        found: String,
        /// What it should have.
        expected: String,
    },
    /// SQLite refused, such as for a full disk or a damaged page.
    #[error("the state can't be read or written: {0}")]
    Sqlite(#[from] rusqlite::Error),
}

impl StoreError {
    /// A row that should be there isn't.
    pub(crate) fn missing(table: &'static str, row: impl ToString) -> Self {
        Self::Row { table, row: row.to_string(), found: "it is missing".into(), expected: "a row".into() }
    }

    /// Columns of a row that can't be read.
    pub(super) fn unreadable(table: &'static str, row: impl ToString, error: impl ToString) -> Self {
        Self::Row { table, row: row.to_string(), found: error.to_string(), expected: "what was written".into() }
    }
}
