//! Small tables that a server needs beside its store: API keys, users and sessions, secrets, outgoing webhooks. They are in a SQLite file
//! of one host, or in a schema of PostgreSQL that all hosts share. Each crate writes its statements once, in the words that both
//! understand: parameters are `?1`, numbers and truth values are `INTEGER`, and an insertion that replaces a row is
//! `ON CONFLICT … DO UPDATE`. In both places one transaction writes at a time. This crate knows no table.

mod copy;
mod place;
mod postgres;
mod sqlite;
mod store;
mod value;

pub use crate::values;
pub use copy::copy;
pub use place::{Place, Shape};
pub use store::{SmallStore, Statements, Transaction};
pub use value::{FromValue, Row, Value};

/// The reason why the tables cannot be used. No text has a value of a statement.
#[derive(Debug, thiserror::Error)]
pub enum SmallError {
    /// The file cannot be created.
    #[error("it cannot be created: {0}")]
    Io(#[from] std::io::Error),
    /// SQLite failed.
    #[error("it cannot be used: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// PostgreSQL cannot be reached.
    #[error(transparent)]
    Unreachable(#[from] crate::OpenError),
    /// PostgreSQL failed.
    #[error("PostgreSQL: {0}")]
    Postgres(String),
    /// A newer program has written the tables.
    #[error("it has version {found}, and this program knows {known}: use a newer program")]
    Newer {
        /// Version of the tables.
        found: usize,
        /// Newest version that this program knows.
        known: usize,
    },
    /// A row has another value than the program writes.
    #[error("column {column} of a row is {found}: expected {expected}")]
    Damaged {
        /// Number of the column in the query, from 0.
        column: usize,
        /// Kind of the value.
        found: &'static str,
        /// Expected kind.
        expected: &'static str,
    },
    /// A table to copy into has another row.
    #[error("the table `{table}` has another row with the same key: copy into empty tables")]
    Differs {
        /// Name of the table.
        table: &'static str,
    },
}
