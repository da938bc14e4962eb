//! Copies tables from one location to another, as when a server moves from a file to PostgreSQL.

use crate::small::store::{SmallStore, Statements};
use crate::small::{Shape, SmallError};

/// Number of rows per read.
const PAGE: usize = 1_000;

/// Copies all rows of all tables, in one transaction. Rows that already exist count as copied, so a copy can be repeated. Returns the
/// number of rows.
///
/// # Errors
/// Fails if a different row has the key of one to copy, or if a database fails. Nothing is copied in that case.
pub fn copy(shape: &Shape, from: &SmallStore, to: &SmallStore) -> Result<usize, SmallError> {
    to.write(|to| {
        let mut copied = 0;
        for &(table, key) in shape.tables {
            let mut offset = 0;
            loop {
                let page = format!("SELECT * FROM {table} ORDER BY {key} LIMIT {PAGE} OFFSET {offset}");
                let rows = from.rows(&page, &[])?;
                let (marks, keys) = (numbered(rows.first().map_or(0, |row| row.0.len())), key.split(", ").count());
                let insert = format!("INSERT INTO {table} VALUES ({marks}) ON CONFLICT DO NOTHING");
                let read = format!("SELECT * FROM {table} WHERE ({key}) = ({})", numbered(keys));
                for row in &rows {
                    // The key consists of the first columns.
                    if to.execute(&insert, &row.0)? == 0 && to.rows(&read, &row.0[..keys])?.first() != Some(row) {
                        return Err(SmallError::Differs { table });
                    }
                }
                offset += rows.len();
                if rows.len() < PAGE {
                    break;
                }
            }
            to.go_on_after_copy(table, key)?;
            copied += offset;
        }
        Ok(copied)
    })
}

/// Returns `?1, ?2, …`.
fn numbered(count: usize) -> String {
    let marks: Vec<String> = (1..=count).map(|number| format!("?{number}")).collect();
    marks.join(", ")
}
