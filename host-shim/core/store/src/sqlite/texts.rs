//! The SQL texts of changes, for a file.

use crate::query::Query;
use crate::schema::{Column, Table};
use crate::sql::{Texts, hot};
use std::sync::Arc;

impl Texts {
    fn change(
        &self,
        what: &'static str,
        table: &'static Table,
        columns: &'static [Column],
        make: impl FnOnce() -> String,
    ) -> Arc<str> {
        self.text(what, table, columns, &Query::default(), |_| make())
    }

    /// Returns the insertion of a row, in which a key column is null if the database assigns it.
    pub(super) fn insert(&self, table: &'static Table) -> Arc<str> {
        self.change("insert", table, &[], || {
            format!("{} ON CONFLICT DO NOTHING", insert(table.name, &table.columns[..hot(table)]))
        })
    }

    /// Returns the insertion of the texts of a row: its number, and its cold columns.
    pub(super) fn insert_texts(&self, table: &'static Table) -> Arc<str> {
        self.change("insert texts", table, &[], || {
            insert(table.texts, &[&["seq"], &table.columns[hot(table)..]].concat())
        })
    }

    /// Returns the insertion or replacement of a row.
    pub(super) fn put(&self, table: &'static Table) -> Arc<str> {
        self.change("put", table, &[], || {
            let others = (0..table.columns.len()).filter(|column| !table.key.contains(column));
            let set: Vec<String> = others.map(|column| format!("{0} = excluded.{0}", table.columns[column])).collect();
            let update = if set.is_empty() { "NOTHING".to_owned() } else { format!("UPDATE SET {}", set.join(", ")) };
            format!("{} ON CONFLICT ({}) DO {update}", insert(table.name, table.columns), names(table, table.key))
        })
    }

    /// Returns the change of some columns of a row. Its parameters are the values, then those of the key. None if none of the columns
    /// belongs to the table itself or, with `texts`, to its texts.
    pub(super) fn patch(&self, table: &'static Table, columns: &'static [Column], texts: bool) -> Option<Arc<str>> {
        let columns_of: Vec<Column> =
            columns.iter().copied().filter(|column| (*column >= hot(table)) == texts).collect();
        let (what, name) = if texts { ("patch texts", table.texts) } else { ("patch", table.name) };
        (!columns_of.is_empty()).then(|| {
            self.change(what, table, columns, || {
                let mut number = 0;
                let mut next = |column: &Column| {
                    number += 1;
                    format!("{} = ?{number}", table.columns[*column])
                };
                let set: Vec<String> = columns_of.iter().map(&mut next).collect();
                let key: Vec<String> = table.key.iter().map(&mut next).collect();
                format!("UPDATE {name} SET {} WHERE {}", set.join(", "), key.join(" AND "))
            })
        })
    }

    /// Returns the deletion of a row.
    pub(super) fn delete(&self, table: &'static Table) -> Arc<str> {
        self.change("delete", table, &[], || {
            let key = (1..).zip(table.key).map(|(n, column)| format!("{} = ?{n}", table.columns[*column]));
            format!("DELETE FROM {} WHERE {}", table.name, key.collect::<Vec<_>>().join(" AND "))
        })
    }
}

fn insert(table: &str, columns: &[&str]) -> String {
    let values: Vec<String> = (1..=columns.len()).map(|n| format!("?{n}")).collect();
    format!("INSERT INTO {table} ({}) VALUES ({})", columns.join(", "), values.join(", "))
}

fn names(table: &Table, columns: &[Column]) -> String {
    columns.iter().map(|column| table.columns[*column]).collect::<Vec<_>>().join(", ")
}
