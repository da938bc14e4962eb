//! The schema as numbered SQL files. `user_version` is the number of files that have been applied to a database.

use super::OpenError;
use rusqlite::{Connection, TransactionBehavior};

/// Migrations in order. A released file never changes. The first ones stand for the schemas of builds from before the first
/// release.
const MIGRATIONS: [&str; 1 + EARLY] = ["", "", include_str!("migrations/0001_tables.sql")];
/// Number of schemas before the first release, which are not migrated.
const EARLY: usize = 2;

/// Comment in the SQL text of each view of `tables.yml`. It distinguishes these views from views that somebody else has
/// created.
pub const VIEW_MARK: &str = "/* view of tables.yml */";

/// Checks that a file has the newest schema, without changing it.
pub(super) fn check(connection: &Connection) -> Result<(), OpenError> {
    check_not_early(connection)?;
    check_for(connection, MIGRATIONS.len())
}

fn check_not_early(connection: &Connection) -> Result<(), OpenError> {
    let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    match usize::try_from(found).is_ok_and(|found| (1..=EARLY).contains(&found)) {
        true => Err(OpenError::Early { found }),
        false => Ok(()),
    }
}

fn check_for(connection: &Connection, known: usize) -> Result<(), OpenError> {
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
    let mut views = connection.prepare(
        "SELECT format('DROP VIEW \"%w\"', name) FROM sqlite_schema WHERE type = 'view' AND instr(sql, ?1) > 0",
    )?;
    let drops: Vec<String> = views.query_map([VIEW_MARK], |row| row.get(0))?.collect::<Result<_, _>>()?;
    Ok(drops.iter().try_for_each(|drop| connection.execute_batch(drop))?)
}

/// Migrates a file to the newest schema, in one transaction.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), OpenError> {
    check_not_early(connection)?;
    migrate_by(connection, &MIGRATIONS)
}

fn migrate_by(connection: &mut Connection, migrations: &[&str]) -> Result<(), OpenError> {
    let known = migrations.len();
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
    for migration in &migrations[applied..] {
        transaction.execute_batch(migration)?;
    }
    if applied < known {
        transaction.pragma_update(None, "user_version", known as i64)?;
    }
    transaction.commit()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: &str = "CREATE TABLE notes (text TEXT NOT NULL)";
    const SECOND: &str = "ALTER TABLE notes RENAME COLUMN text TO note; UPDATE notes SET note = note || '!'";

    /// Creates a database of the first schema with a row.
    fn first_schema() -> Connection {
        let mut connection = Connection::open_in_memory().expect("a database");
        migrate_by(&mut connection, &[FIRST]).expect("made");
        connection.execute("INSERT INTO notes VALUES ('milk')", []).expect("a row");
        connection
    }

    fn texts(connection: &Connection, sql: &str) -> Vec<String> {
        let mut all = connection.prepare(sql).expect("a query");
        all.query_map([], |row| row.get(0)).expect("rows").collect::<Result<_, _>>().expect("texts")
    }

    #[test]
    fn a_database_of_an_earlier_schema_is_migrated_once_and_keeps_its_rows() {
        let mut connection = first_schema();
        assert!(matches!(check_for(&connection, 2), Err(OpenError::TooOld { found: 1, known: 2 })));
        for _ in 0..2 {
            migrate_by(&mut connection, &[FIRST, SECOND]).expect("migrated");
            check_for(&connection, 2).expect("the newest schema");
            assert_eq!(texts(&connection, "SELECT note FROM notes"), ["milk!"]);
        }
        let refused = migrate_by(&mut connection, &[FIRST]);
        assert!(matches!(refused, Err(OpenError::TooNew { found: 2, known: 1 })), "{refused:?}");
    }

    #[test]
    fn a_database_of_a_build_before_the_first_release_is_refused() {
        let mut connection = first_schema();
        assert!(matches!(migrate(&mut connection), Err(OpenError::Early { found: 1 })));
        assert!(matches!(check(&connection), Err(OpenError::Early { found: 1 })));
        assert_eq!(texts(&connection, "SELECT text FROM notes"), ["milk"]);
    }

    #[test]
    fn a_migration_that_fails_leaves_the_database_as_it_was() {
        let mut connection = first_schema();
        assert!(migrate_by(&mut connection, &[FIRST, SECOND, "UPDATE nowhere SET a = 1"]).is_err());
        check_for(&connection, 1).expect("the first schema");
        assert_eq!(texts(&connection, "SELECT text FROM notes"), ["milk"]);
    }

    #[test]
    fn a_migration_drops_the_views_of_tables_and_leaves_others() {
        let mut connection = first_schema();
        let views = format!(
            "CREATE VIEW \"a \"\" b\" AS {VIEW_MARK} SELECT text FROM notes; CREATE VIEW own AS SELECT text FROM notes"
        );
        connection.execute_batch(&views).expect("made");
        let names = |connection: &Connection| texts(connection, "SELECT name FROM sqlite_schema WHERE type = 'view'");
        migrate_by(&mut connection, &[FIRST, SECOND]).expect("migrated");
        assert_eq!(names(&connection), ["own"]);
        connection.execute_batch(&format!("CREATE VIEW new AS {VIEW_MARK} SELECT note FROM notes")).expect("made");
        migrate_by(&mut connection, &[FIRST, SECOND]).expect("nothing to do");
        assert_eq!(names(&connection), ["own", "new"]);
    }
}
