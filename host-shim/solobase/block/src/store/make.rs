//! Creates the tables, on platforms from before and after the rewrite, and finds out whether the database service has batches.
//!
//! Since its rewrite of September 2026, a platform creates a table from a definition, with `database.ensure_table` and the right
//! `schema`. Earlier versions run an SQL statement, with `database.ddl` and the right `ddl`. The statements here are the same on
//! SQLite, PostgreSQL and D1, so a table created before the rewrite is complete for `database.ensure_table`.

use crate::store::platform::{Batches, Platform};
use crate::store::service::{Service, ServiceError};
use crate::store::tables::{GONE, ORD, PREFIX, TIMER, WRITTEN_BY, columns, full_name, is_ord, name_of, order, tables};
use crate::store::wire::{BatchRequest, ColumnDef, ColumnKind, DdlRequest, EnsureTableRequest, IndexDef, TableDef};
use host_store::implementation::schema::{Index, Kind, Only, ROWS, Table};
use serde::Serialize;

/// Columns of every table, in which the platform itself records when a row was created and last updated. Platforms with a strict
/// schema refuse writes to a table without them.
const STAMPS: [&str; 2] = ["created_at", "updated_at"];

impl Platform {
    /// Creates the missing tables, and finds out whether the service has batches.
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

/// Creates a table, unless it exists.
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

/// Returns the statements that create a table and its indexes.
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

/// Returns the columns of an index, preceded by the columns that have only one value in it.
fn indexed(table: &'static Table, index: Option<&'static Index>) -> Vec<&'static str> {
    let one_value = |only: &Only| match only {
        Only::Is(column, _) | Only::Named(column, _) => Some(name_of(table, *column)),
        Only::NotNamed(..) => Some(TIMER),
        _ => None,
    };
    let only = index.into_iter().flat_map(|index| index.only).filter_map(one_value);
    let listed = |column| if is_ord(table, column) { ORD } else { name_of(table, column) };
    only.chain(order(table, index).map(listed)).collect()
}

/// Returns the definition of a table for the platform.
fn definition(table: &'static Table) -> TableDef {
    let column = |name, kind, nullable| {
        let kind = if matches!(kind, Kind::Int | Kind::Truth) { ColumnKind::Int64 } else { ColumnKind::Text };
        ColumnDef { name, kind, nullable, primary_key: name == "id" }
    };
    let id = column("id", Kind::Text, false);
    let own = columns(table).map(|(name, kind)| column(name, kind, true));
    let common = [GONE, WRITTEN_BY].map(|name| column(name, Kind::Int, false));
    let stamps = STAMPS.map(|name| column(name, Kind::Text, true));
    let index = |name: String, columns| IndexDef { name: format!("{PREFIX}{name}"), columns };
    let mut indexes: Vec<IndexDef> =
        table.indexes.iter().map(|of| index(of.name.to_owned(), indexed(table, Some(of)))).collect();
    if !table.key.is_empty() {
        indexes.push(index(format!("{}_by_key", table.name), indexed(table, None)));
    }
    if table.name == ROWS.name {
        indexes.push(index("rows_by_kind".to_owned(), vec!["kind"]));
    }
    TableDef {
        name: full_name(table),
        columns: std::iter::once(id).chain(own).chain(common).chain(stamps).collect(),
        indexes,
    }
}
