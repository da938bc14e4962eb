//! The schema as numbered SQL files. `user_version` is the number of files that a database has applied.

use super::OpenError;
use rusqlite::{Connection, TransactionBehavior};

/// Migrations in order. A released file never changes.
const MIGRATIONS: [&str; 14] = [
    include_str!("migrations/0001_rows.sql"),
    include_str!("migrations/0002_references.sql"),
    include_str!("migrations/0003_inbox.sql"),
    include_str!("migrations/0004_referrers.sql"),
    include_str!("migrations/0005_retries.sql"),
    include_str!("migrations/0006_erased.sql"),
    include_str!("migrations/0007_replies.sql"),
    include_str!("migrations/0008_awaited.sql"),
    include_str!("migrations/0009_owners.sql"),
    include_str!("migrations/0010_effect_results.sql"),
    include_str!("migrations/0011_times.sql"),
    include_str!("migrations/0012_inbox_of_accounts.sql"),
    include_str!("migrations/0013_kinds_of_due.sql"),
    include_str!("migrations/0014_accounts_of_due.sql"),
];

/// Comment in the SQL text of each view of `tables.yml`. It distinguishes these views from the views that somebody else made.
pub const VIEW_MARK: &str = "/* view of tables.yml */";

/// Checks that a file has the newest schema, without changing it.
pub(super) fn check(connection: &Connection) -> Result<(), OpenError> {
    let known = MIGRATIONS.len();
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    match usize::try_from(version).unwrap_or(usize::MAX) {
        0 => Err(OpenError::Foreign {
            tables: connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?,
        }),
        applied if applied > known => Err(OpenError::TooNew { found: version, known }),
        applied if applied < known => Err(OpenError::TooOld { found: version, known }),
        _ => Ok(()),
    }
}

/// Drops the views of `tables.yml`, since a migration may change their tables. A server creates them again when it starts.
fn drop_views(connection: &Connection) -> Result<(), OpenError> {
    let mut views = connection.prepare("SELECT name FROM sqlite_schema WHERE type = 'view' AND instr(sql, ?1) > 0")?;
    let names: Vec<String> = views.query_map([VIEW_MARK], |row| row.get(0))?.collect::<Result<_, _>>()?;
    names
        .iter()
        .try_for_each(|name| connection.execute_batch(&format!("DROP VIEW \"{}\"", name.replace('"', "\"\""))))?;
    Ok(())
}

/// Migrates a file to the newest schema, in one transaction.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), OpenError> {
    let known = MIGRATIONS.len();
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let version: i64 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let applied = usize::try_from(version).unwrap_or(usize::MAX);
    if applied > known {
        return Err(OpenError::TooNew { found: version, known });
    }
    if applied == 0 {
        let tables: i64 = transaction.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        if tables > 0 {
            return Err(OpenError::Foreign { tables });
        }
    }
    if applied < known {
        drop_views(&transaction)?;
    }
    for migration in &MIGRATIONS[applied..] {
        transaction.execute_batch(migration)?;
    }
    if applied < known {
        transaction.pragma_update(None, "user_version", known as i64)?;
    }
    transaction.commit()?;
    Ok(())
}
