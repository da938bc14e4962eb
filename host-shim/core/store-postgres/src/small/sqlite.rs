//! Tables in a SQLite file.

use crate::small::value::{Row, Value};
use crate::small::{Shape, SmallError};
use host_store::sqlite_file::{create_private, use_write_ahead_log};
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ToSql, TransactionBehavior, params_from_iter};
use std::path::Path;
use std::time::Duration;

/// How long a process waits while another process writes.
const PATIENCE: Duration = Duration::from_secs(10);

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Value::Null => ValueRef::Null,
            Value::Integer(number) => ValueRef::Integer(*number),
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
            Value::Bytes(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

/// Opens a file, creating it if needed, readable by its owner only.
pub(crate) fn open(path: &Path, shape: &Shape) -> Result<Connection, SmallError> {
    create_private(path)?;
    let connection = Connection::open(path)?;
    connection.busy_timeout(PATIENCE)?;
    use_write_ahead_log(&connection, PATIENCE)?;
    prepared(connection, shape)
}

/// Opens a database in memory.
pub(crate) fn in_memory(shape: &Shape) -> Result<Connection, SmallError> {
    prepared(Connection::open_in_memory()?, shape)
}

fn prepared(mut connection: Connection, shape: &Shape) -> Result<Connection, SmallError> {
    connection.pragma_update(None, "synchronous", "FULL")?;
    // SQLite overwrites deleted rows, such as secrets, with zeros.
    connection.pragma_update(None, "secure_delete", true)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    let tables = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found: usize = tables.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let known = shape.steps.len();
    let Some(missing) = shape.steps.get(found..) else { return Err(SmallError::Newer { found, known }) };
    for step in missing {
        tables.execute_batch(step)?;
    }
    tables.pragma_update(None, "user_version", known)?;
    tables.commit()?;
    Ok(connection)
}

/// Runs a statement, and returns the number of changed rows.
pub(crate) fn execute(connection: &Connection, sql: &str, values: &[Value]) -> Result<usize, SmallError> {
    Ok(connection.prepare_cached(sql)?.execute(params_from_iter(values))?)
}

/// Runs a query.
pub(crate) fn query(connection: &Connection, sql: &str, values: &[Value]) -> Result<Vec<Row>, SmallError> {
    let mut statement = connection.prepare_cached(sql)?;
    let columns = statement.column_count();
    let mut found = statement.query(params_from_iter(values))?;
    let mut rows = Vec::new();
    while let Some(row) = found.next()? {
        let values = (0..columns).map(|column| {
            Ok(match row.get_ref(column)? {
                ValueRef::Null => Value::Null,
                ValueRef::Integer(number) => Value::Integer(number),
                ValueRef::Text(text) => Value::Text(String::from_utf8_lossy(text).into_owned()),
                ValueRef::Blob(bytes) => Value::Bytes(bytes.to_vec()),
                // No table has such a column.
                ValueRef::Real(_) => return Err(SmallError::Damaged { column, found: "a fraction", expected: "none" }),
            })
        });
        rows.push(Row(values.collect::<Result<_, _>>()?));
    }
    Ok(rows)
}
