//! Small tables that a server needs in addition to its store: API keys, users and sessions, secrets, outgoing webhooks. They are in a
//! SQLite file of one host, or in a PostgreSQL schema that all hosts share. Each crate writes its statements once, in SQL that both
//! understand: parameters are `?1`, numbers and booleans are `INTEGER`, and an insertion that replaces a row is `ON CONFLICT … DO
//! UPDATE`. In both, only one transaction writes at a time. This crate knows no specific table.

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

/// The reason why the tables cannot be used. No message contains a value of a statement.
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
    /// The tables were written by a newer program.
    #[error("it has version {found}, and this program knows {known}: use a newer program")]
    Newer {
        /// Version of the tables.
        found: usize,
        /// Newest version that this program knows.
        known: usize,
    },
    /// A row contains a value that the program does not write.
    #[error("column {column} of a row is {found}: expected {expected}")]
    Damaged {
        /// Number of the column in the query, from 0.
        column: usize,
        /// Kind of the value.
        found: &'static str,
        /// Expected kind.
        expected: &'static str,
    },
    /// A table that is the target of a copy contains a different row.
    #[error("the table `{table}` has another row with the same key: copy into empty tables")]
    Differs {
        /// Name of the table.
        table: &'static str,
    },
}
