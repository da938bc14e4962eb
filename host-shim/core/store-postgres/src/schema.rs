//! The schema as numbered SQL files. The table `schema_version` contains the number of files that have been applied to a
//! database.

use crate::error::OpenError;
use crate::wire::Wire;

/// Migrations in order. A released file never changes. The first ones stand for the schemas of builds from before the first
/// release.
const MIGRATIONS: [&str; 4] = ["", "", "", include_str!("migrations/0001_tables.sql")];
/// Number of schemas before the first release, which are not migrated.
const EARLY: i32 = 3;
/// The functions, which are created again after each migration.
const FUNCTIONS: [&str; 2] = [include_str!("migrations/functions.sql"), include_str!("migrations/together.sql")];
/// Key of the lock under which one host at a time migrates.
const LOCK: i64 = 0x7072_6f76_6973_0001;

fn known() -> i32 {
    i32::try_from(MIGRATIONS.len()).unwrap_or(i32::MAX)
}

/// Returns the version of a database; none without a schema.
fn version(wire: &Wire) -> Result<Option<i32>, OpenError> {
    let sql = "SELECT to_regclass($1::text) IS NOT NULL";
    let table = format!("{}.schema_version", wire.settings().schema());
    let has_table = wire.query_one(sql, &[&table])?.is_some_and(|row| row.get(0));
    if !has_table {
        return Ok(None);
    }
    Ok(wire.query_one("SELECT version FROM schema_version", &[])?.map(|row| row.get(0)))
}

/// Checks that a database has the newest schema, without changing it.
pub(crate) fn check(wire: &Wire) -> Result<(), OpenError> {
    match version(wire)?.unwrap_or(0) {
        found @ 1..=EARLY => Err(OpenError::Early { found }),
        found if found > known() => Err(OpenError::TooNew { found, known: known() }),
        found if found < known() => Err(OpenError::TooOld { found, known: known() }),
        _ => Ok(()),
    }
}

/// Migrates a database to the newest schema, in one transaction. Hosts that start at the same time take turns.
pub(crate) fn migrate(wire: &Wire) -> Result<(), OpenError> {
    check_server(wire)?;
    if version(wire)? == Some(known()) {
        return Ok(());
    }
    // A migration may take long, so it uses a connection with different limits. This second connection also reveals a pooler
    // that lets several connections use one session, before anything is written.
    let wire = &Wire::connect(wire.settings().patient())?;
    wire.execute(&format!("BEGIN; {} SELECT pg_advisory_xact_lock({LOCK})", wire.settings().search_path("SET LOCAL")))?;
    let migrated = migrate_in_transaction(wire).and_then(|()| Ok(wire.execute("COMMIT")?));
    if migrated.is_err() {
        // The first error is more informative; a closed connection rolls back too.
        let _ = wire.execute("ROLLBACK");
    }
    migrated
}

fn migrate_in_transaction(wire: &Wire) -> Result<(), OpenError> {
    let applied = version(wire)?;
    let found = applied.unwrap_or(0);
    if (1..=EARLY).contains(&found) {
        return Err(OpenError::Early { found });
    }
    if found > known() {
        return Err(OpenError::TooNew { found, known: known() });
    }
    if found == known() {
        return Ok(());
    }
    if applied.is_none() {
        let schema = wire.settings().schema();
        wire.execute(&format!(
            "CREATE SCHEMA IF NOT EXISTS {schema}; CREATE TABLE schema_version (version integer NOT NULL); \
             INSERT INTO schema_version VALUES (0)"
        ))?;
    }
    let from = usize::try_from(found).unwrap_or(0);
    for migration in &MIGRATIONS[from..] {
        wire.execute(migration)?;
    }
    for functions in FUNCTIONS {
        wire.execute(functions)?;
    }
    wire.execute(&format!("UPDATE schema_version SET version = {}", known()))?;
    Ok(())
}

/// Checks that the server can run the schema.
fn check_server(wire: &Wire) -> Result<(), OpenError> {
    let sql = "SELECT current_setting('server_version_num')::integer, current_setting('server_version'), \
               pg_encoding_to_char(encoding)::text FROM pg_database WHERE datname = current_database()";
    let Some(row) = wire.query_one(sql, &[])? else { return Ok(()) };
    if row.get::<_, i32>(0) < 150_000 {
        return Err(OpenError::OldServer { found: row.get(1) });
    }
    let encoding: String = row.get(2);
    if encoding == "UTF8" { Ok(()) } else { Err(OpenError::Encoding { found: encoding }) }
}
