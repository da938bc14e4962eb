//! Rows with everything that is kept of them, for copies.

use super::super::text;
use super::table::{BEFORE, PRICE, PRODUCT, PURCHASE, RECORD, SUBSCRIPTION, TABLES, Table};
use super::values;
use crate::changes::RowWrite;
use crate::copy::WholeRow;
use extension_contract::Account;
use rusqlite::{Connection, Error, params};

/// The tables in the order of the texts of keys, with the beginning of these texts.
const IN_ORDER: [(usize, &str); 5] = [
    (PRICE, "price:"),
    (PRODUCT, "product:"),
    (PURCHASE, "purchase:"),
    (RECORD, "record:"),
    (SUBSCRIPTION, "subscription:"),
];

/// Returns rows after the text of a key, in the order of these texts.
pub(in super::super) fn rows(
    connection: &Connection,
    scope: i64,
    owner: &Account,
    after: &str,
    limit: usize,
) -> Result<Vec<WholeRow>, Error> {
    let mut found = Vec::new();
    for (table, prefix) in IN_ORDER {
        let from = match after.strip_prefix(prefix) {
            Some(rest) => rest,
            None if after > prefix => continue,
            None => "",
        };
        let table = &TABLES[table];
        let extra = BEFORE + table.columns;
        let mut statement = connection.prepare_cached(&table.whole)?;
        let rows = statement.query_map(params![scope, from, text::limit(limit - found.len())], |row| {
            let content = values::read(row, owner)?;
            Ok(WholeRow {
                write: RowWrite {
                    key: content.key(),
                    row: Some(content),
                    data_version: row.get(1)?,
                    live: row.get(extra)?,
                    references: text::references(row, 2)?,
                    fingerprint: row.get(extra + 1)?,
                },
                written: row.get(extra + 2)?,
                created_at: row.get(extra + 3)?,
                updated_at: row.get(extra + 4)?,
            })
        })?;
        for row in rows {
            found.push(row?);
        }
        if found.len() >= limit {
            break;
        }
    }
    Ok(found)
}

/// Sets the times of a row.
pub(in super::super) fn set_times(connection: &Connection, scope: i64, row: &WholeRow) -> Result<(), Error> {
    let key = &row.write.key;
    let (table, collection) = Table::of(key);
    let params = params![scope, collection, key.id(), row.created_at, row.updated_at];
    connection.prepare_cached(&table.times)?.execute(params)?;
    Ok(())
}
