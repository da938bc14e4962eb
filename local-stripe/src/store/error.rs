//! The errors of the store.

use std::path::PathBuf;

use thiserror::Error;

/// The reason why a state file or a row can't be used.
#[derive(Debug, Error)]
pub enum StoreError {
    /// A file can't be opened, read or written.
    #[error("the state file {path} can't be read or written: {error}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's error.
        error: std::io::Error,
    },
    /// Another process uses the file.
    #[error("the state file {path} is in use by another process")]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// The file is not a state file of this format.
    #[error("the state file {path} was not written by this version of the sandbox; start with a new file")]
    Format {
        /// The file.
        path: PathBuf,
    },
    /// The content of a file differs from the written content.
    #[error(
        "the state file {path} is damaged: {place} is not what the sandbox wrote; restore a backup or start with a new file"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The damaged part, such as `page 7`.
        place: String,
    },
    /// A setting that the user gave differs from the stored one and can't change.
    #[error("--{option} {given} is refused: the account in {path} was created with {kept}")]
    Setting {
        /// The file.
        path: PathBuf,
        /// The command-line option of the setting.
        option: &'static str,
        /// The given value.
        given: String,
        /// The stored value.
        kept: String,
    },
    /// A row differs from the written row.
    #[error("row {row} of the table {table} is damaged: {found}, expected {expected}")]
    Row {
        /// The table's name.
        table: &'static str,
        /// The row's number, id or key.
        row: String,
        /// The found content, or the problem.
        found: String,
        /// The expected content.
        expected: String,
    },
    /// SQLite failed, for example because of a full disk or a damaged page.
    #[error("the state can't be read or written: {0}")]
    Sqlite(#[from] rusqlite::Error),
}

impl StoreError {
    /// Creates the error for a missing row.
    pub(crate) fn missing(table: &'static str, row: impl ToString) -> Self {
        Self::Row { table, row: row.to_string(), found: "it is missing".into(), expected: "a row".into() }
    }

    /// Creates the error for a row with unreadable columns.
    pub(crate) fn unreadable(table: &'static str, row: impl ToString, error: impl ToString) -> Self {
        Self::Row { table, row: row.to_string(), found: error.to_string(), expected: "what was written".into() }
    }
}
