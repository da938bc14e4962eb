//! Creates the views of a business in its store.

use host_business::tables::postgres::{NameError, Roles, up};
use host_business::tables::{Tables, sqlite};
use host_store::Partition;
use host_store_postgres::{OpenError, Settings, run_script_unless_made};
use rusqlite::Connection;
use std::path::Path;
use std::time::Duration;

/// Time for which SQLite waits until another process has written.
const PATIENCE: Duration = Duration::from_secs(5);

/// The reason why views cannot be created.
#[derive(Debug, thiserror::Error)]
pub enum ViewsError {
    /// SQLite failed.
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    /// A name is too long for the database.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] OpenError),
}

/// Creates the views of a business in a database or in a file. Views that already exist are left alone. Returns their number.
///
/// # Errors
/// Fails if a name is too long, or if the database refuses, for example because somebody else created a view with the same
/// name.
pub fn make(
    file: &Path,
    database: Option<&Settings>,
    tables: &Tables,
    partition: &Partition,
    roles: &Roles,
) -> Result<usize, ViewsError> {
    // Nobody needs a schema without views.
    if tables.views.is_empty() {
        return Ok(0);
    }
    match database {
        Some(settings) => {
            let up = up(tables, partition, roles)?;
            run_script_unless_made(settings, &up.schema, &up.comment, &up.script)?;
            Ok(tables.views.len())
        }
        None => {
            let mut connection = Connection::open(file)?;
            connection.busy_timeout(PATIENCE)?;
            Ok(sqlite::apply(&mut connection, tables, partition)?)
        }
    }
}
