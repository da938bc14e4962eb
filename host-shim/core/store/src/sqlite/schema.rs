//! The schema by numbered SQL files; `user_version` says how many of them a file has seen.

use super::OpenError;
use rusqlite::{Connection, TransactionBehavior};

/// In order; a released file never changes.
const MIGRATIONS: [&str; 7] = [
    include_str!("migrations/0001_rows.sql"),
    include_str!("migrations/0002_references.sql"),
    include_str!("migrations/0003_inbox.sql"),
    include_str!("migrations/0004_referrers.sql"),
    include_str!("migrations/0005_retries.sql"),
    include_str!("migrations/0006_erased.sql"),
    include_str!("migrations/0007_replies.sql"),
];

/// Bring a file up to the newest schema, in one transaction.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), OpenError> {
    let known = MIGRATIONS.len();
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let version: i64 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let seen = usize::try_from(version).unwrap_or(usize::MAX);
    if seen > known {
        return Err(OpenError::TooNew { found: version, known });
    }
    if seen == 0 {
        let tables: i64 = transaction.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        if tables > 0 {
            return Err(OpenError::Foreign { tables });
        }
    }
    for migration in &MIGRATIONS[seen..] {
        transaction.execute_batch(migration)?;
    }
    if seen < known {
        transaction.pragma_update(None, "user_version", known as i64)?;
    }
    transaction.commit()?;
    Ok(())
}
