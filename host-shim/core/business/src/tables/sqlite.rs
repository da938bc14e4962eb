//! The views in SQLite. Each name is prefixed with the [`space`] of its business, since a file has a single namespace.

use crate::tables::sql::{self, Sql};
use crate::tables::{Tables, space};
use host_store::{Partition, VIEW_MARK};
use rusqlite::{Connection, Error, TransactionBehavior};

/// Returns the name of a view in a file.
pub fn view_name(partition: &Partition, view: &str) -> String {
    format!("{}_{view}", space(partition))
}

/// Returns the statements that create the views.
pub fn up(tables: &Tables, partition: &Partition) -> Vec<String> {
    let create = |view| {
        let query = sql::query(Sql::Sqlite(partition), view);
        let name = sql::name(&view_name(partition, &view.name));
        format!("CREATE VIEW {name} AS {} {query}", mark(partition))
    };
    tables.views.iter().map(create).collect()
}

/// Returns the statements that remove the views.
pub fn down(tables: &Tables, partition: &Partition) -> Vec<String> {
    let drop = |name: String| format!("DROP VIEW IF EXISTS {}", sql::name(&name));
    tables.views.iter().map(|view| drop(view_name(partition, &view.name))).collect()
}

/// Creates the views of a business in a store's file, replacing its earlier ones. Changes nothing if they are the same. Returns the
/// number of views.
///
/// # Errors
/// Fails if SQLite fails: somebody else's view has the name of one of the views, or the file is not a store.
pub fn apply(connection: &mut Connection, tables: &Tables, partition: &Partition) -> Result<usize, Error> {
    let statements = up(tables, partition);
    if made(connection, partition)?.into_iter().map(|(_, sql)| sql).eq(statements.iter().cloned()) {
        return Ok(statements.len());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    drop_made(&transaction, partition)?;
    for statement in &statements {
        transaction.execute_batch(statement)?;
    }
    // A view is compiled when it is used. Mistakes in it should be reported now.
    for view in &tables.views {
        transaction.prepare(&format!("SELECT * FROM {}", sql::name(&view_name(partition, &view.name))))?;
    }
    transaction.commit()?;
    Ok(statements.len())
}

/// Removes the views of a business, including those that its file no longer contains. Returns their number.
///
/// # Errors
/// Fails if SQLite fails.
pub fn remove(connection: &mut Connection, partition: &Partition) -> Result<usize, Error> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let count = drop_made(&transaction, partition)?;
    transaction.commit()?;
    Ok(count)
}

/// Returns the comment in each view of a business. The name of a business cannot end the comment, because the space contains only
/// letters, digits and `_`.
fn mark(partition: &Partition) -> String {
    format!("{VIEW_MARK} /* of {} */", space(partition))
}

/// Returns the names and statements of the views of a business, in the order in which they were created.
fn made(connection: &Connection, partition: &Partition) -> Result<Vec<(String, String)>, Error> {
    let mut views = connection
        .prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'view' AND instr(sql, ?1) > 0 ORDER BY rowid")?;
    views.query_map([mark(partition)], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

fn drop_made(connection: &Connection, partition: &Partition) -> Result<usize, Error> {
    let made = made(connection, partition)?;
    made.iter().try_for_each(|(name, _)| connection.execute_batch(&format!("DROP VIEW {}", sql::name(name))))?;
    Ok(made.len())
}
