//! Both stores show the same rows, and a tool that nobody here wrote reads them.

use super::server::{Server, named};
use crate::tables::story::{BUSINESSES, Filled, partition, sorted, tables};
use counterparts::Sqlacodegen;
use host_business::tables::{Type, View, space, sqlite};
use serde_json::Value;

/// The rows of a view with times in the form of SQLite.
fn comparable(view: &View, rows: Vec<Value>) -> Vec<Value> {
    let rows = rows.into_iter().map(|mut row| {
        for column in view.columns.iter().filter(|column| column.column_type == Type::Timestamp) {
            let text = row[&column.name].as_str().map(|text| text.replace("+00:00", ".000Z"));
            row[&column.name] = text.map_or(Value::Null, Value::from);
        }
        row
    });
    sorted(rows.collect())
}

#[test]
fn both_stores_show_the_same_rows() {
    let server = Server::with(&BUSINESSES);
    for business in BUSINESSES {
        let filled = Filled::with_views(business);
        for view in &tables(business).views {
            let text = server.sql(&format!("SELECT to_jsonb(v) FROM {} AS v", named(business, &view.name)));
            let found: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
            let expected = comparable(view, filled.rows(view));
            assert_eq!(comparable(view, found), expected, "{business} {}", view.name);
        }
    }
}

/// The words of sqlacodegen for the type of a column in PostgreSQL.
fn word(column_type: Type) -> &'static str {
    match column_type {
        Type::Text => "Text",
        Type::Integer => "BigInteger",
        Type::Boolean => "Boolean",
        Type::Json => "JSONB",
        Type::Timestamp => "DateTime(True)",
    }
}

// covers: PLG-50, PLG-52, PLG-53, PLG-55, PLG-56, BOT-42, TES-07, TES-08, TES-10
#[test]
fn sqlacodegen_reads_each_column_of_each_view() {
    let tool = Sqlacodegen::install();
    let server = Server::with(&BUSINESSES);
    let mut filled = Filled::of("tesslate");
    for business in BUSINESSES {
        sqlite::apply(&mut filled.connection, tables(business), &partition(business)).expect("views");
    }
    let in_sqlite = tool.read(&format!("sqlite:///{}", filled.path().display()), &[]);
    let url = server.url.replace("postgres:///", "postgresql+psycopg:///");
    let in_postgres = tool.read(&url, &BUSINESSES.map(|business| space(&partition(business))));
    for business in BUSINESSES {
        for view in &tables(business).views {
            let of_sqlite = table_of(&in_sqlite, &sqlite::view_name(&partition(business), &view.name), ")");
            let of_postgres = table_of(&in_postgres, &view.name, &format!("schema='{}'", space(&partition(business))));
            for column in &view.columns {
                let name = format!("Column('{}', ", column.name);
                assert!(of_sqlite.contains(&name), "{business} {}: no {name} in {of_sqlite}", view.name);
                let typed = format!("{name}{}", word(column.column_type));
                assert!(of_postgres.contains(&typed), "{business} {}: no {typed} in {of_postgres}", view.name);
            }
        }
    }
}

/// Returns the code for the table that ends with a line.
fn table_of<'c>(code: &'c str, name: &str, end: &str) -> &'c str {
    let is_it = |block: &&str| block.contains(&format!("'{name}', metadata")) && block.contains(end);
    code.split("\n\n").find(is_it).unwrap_or_else(|| panic!("no {name} in {code}"))
}
