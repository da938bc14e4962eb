//! Makes the tables, on a platform of either period, and finds out whether its database service has batches.
//!
//! Since its rewrite of September 2026 a platform makes a table from a definition, with `database.ensure_table` and the right
//! `schema`. Before, it ran a statement of SQL, with `database.ddl` and the right `ddl`. The statements here are the same on SQLite,
//! PostgreSQL and D1, so a table that was made before the rewrite is complete for `database.ensure_table`.

use crate::platform::Platform;
use crate::service::{Service, ServiceError};
use crate::store::Batches;
use crate::tables::{definition, tables};
use crate::wire::{BatchRequest, ColumnDef, ColumnKind, DdlRequest, EnsureTableRequest, IndexDef, TableDef};
use serde::Serialize;

impl Platform {
    /// Makes the tables that are missing, and finds out whether the service has batches.
    ///
    /// # Errors
    /// Fails with the platform's error.
    pub fn make_tables(service: &dyn Service) -> Result<Batches, ServiceError> {
        for table in tables() {
            make(service, definition(table))?;
        }
        Ok(match call(service, "database.batch", &BatchRequest { ops: Vec::new() }) {
            Ok(()) => Batches::Yes,
            Err(_) => Batches::No,
        })
    }
}

/// Makes a table, unless it exists.
fn make(service: &dyn Service, table: TableDef) -> Result<(), ServiceError> {
    let request = EnsureTableRequest { table };
    match call(service, "database.ensure_table", &request) {
        Err(error) if error.code == "Unimplemented" => statements(&request.table)
            .into_iter()
            .try_for_each(|query| call(service, "database.ddl", &DdlRequest { query, args: [] })),
        done => done,
    }
}

fn call(service: &dyn Service, kind: &str, request: &impl Serialize) -> Result<(), ServiceError> {
    let request = rmp_serde::to_vec_named(request).map_err(|error| ServiceError {
        code: "Internal".to_owned(),
        message: format!("a request cannot be written: {error}"),
    })?;
    service.call(kind, &request).map(drop)
}

/// Returns the statements that make a table and its indexes.
fn statements(table: &TableDef) -> Vec<String> {
    let TableDef { name, columns, indexes } = table;
    let columns: Vec<String> = columns.iter().map(column).collect();
    let table = format!("CREATE TABLE IF NOT EXISTS \"{name}\" ({})", columns.join(", "));
    let index = |IndexDef { name: index, columns }: &IndexDef| {
        let columns: Vec<String> = columns.iter().map(|column| format!("\"{column}\"")).collect();
        format!("CREATE INDEX IF NOT EXISTS \"{index}\" ON \"{name}\" ({})", columns.join(", "))
    };
    std::iter::once(table).chain(indexes.iter().map(index)).collect()
}

fn column(column: &ColumnDef) -> String {
    let ColumnDef { name, kind, nullable, primary_key } = column;
    let kind = match kind {
        ColumnKind::Int64 => "BIGINT",
        ColumnKind::Text => "TEXT",
    };
    let key = if *primary_key { " PRIMARY KEY" } else { "" };
    let null = if *nullable { "" } else { " NOT NULL" };
    format!("\"{name}\" {kind}{null}{key}")
}
