//! Values of the store's columns in the platform's tables: scopes and partitions are strings, and so are bytes.

use crate::store::record::{Record, Value};
use crate::store::tables::{ORD, identity, is_ord, name_of};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use host_store::implementation::backend::{self, Answer, Cell};
use host_store::implementation::json::damaged;
use host_store::implementation::schema::{Column, Table};
use host_store::{Partition, Scope, Stored, TIMER, mode};
use std::borrow::Cow;

/// A row of an answer.
pub(crate) struct RecordAnswer<'r> {
    pub(crate) table: &'static Table,
    pub(crate) record: &'r Record,
    /// The scope of all rows, if the query has one.
    pub(crate) scope: Option<&'r Scope>,
}

impl Answer for RecordAnswer<'_> {
    fn int(&self, column: Column) -> Stored<Option<i64>> {
        self.record.maybe_int(name_of(self.table, column))
    }

    fn text(&self, column: Column) -> Stored<Option<&str>> {
        self.record.maybe_text(name_of(self.table, column))
    }

    fn bytes(&self, column: Column) -> Stored<Option<Cow<'_, [u8]>>> {
        self.text(column)?.map(text_bytes).transpose()
    }

    fn scope(&self, column: Column) -> Stored<Scope> {
        self.scope.map_or_else(|| scope_of(self.a_text(column)?), |scope| Ok(scope.clone()))
    }

    fn partition(&self, column: Column) -> Stored<Partition> {
        let text = self.a_text(column)?;
        let (business, mode) = text.split_once('/').ok_or_else(|| damaged(text))?;
        Ok(Partition { business: business.to_owned(), livemode: is_live(mode)? })
    }
}

/// Returns the scope with a name.
pub(crate) fn scope_of(name: &str) -> Stored<Scope> {
    let mut parts = name.splitn(3, '/');
    let (Some(business), Some(mode), Some(account)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(damaged(name));
    };
    Ok(Scope { business: business.to_owned(), livemode: is_live(mode)?, account: account.parse().map_err(damaged)? })
}

fn is_live(mode: &str) -> Stored<bool> {
    [true, false].into_iter().find(|live| host_store::mode(*live) == mode).ok_or_else(|| damaged(mode))
}

/// Returns bytes as a string: `t` and the text, or `b` and base64.
fn bytes_text(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => format!("t{text}"),
        Err(_) => format!("b{}", STANDARD.encode(bytes)),
    }
}

/// Returns the bytes of a string.
fn text_bytes(text: &str) -> Stored<Cow<'_, [u8]>> {
    match text.split_at_checked(1) {
        Some(("t", text)) => Ok(Cow::Borrowed(text.as_bytes())),
        Some(("b", text)) => STANDARD.decode(text).map(Cow::Owned).map_err(damaged),
        _ => Err(damaged("bytes without a form")),
    }
}

/// Returns a value in the form used in the tables.
pub(crate) fn value(cell: &Cell<'_>) -> Value {
    match cell {
        Cell::Null => Value::Null,
        Cell::Int(number) => Value::Int(*number),
        Cell::Text(text) => Value::Text(text.as_ref().to_owned()),
        Cell::Bytes(bytes) => Value::Text(bytes_text(bytes)),
        Cell::Scope(scope) => Value::Text(scope.name()),
        Cell::Partition(business, livemode) => Value::Text(format!("{business}/{}", mode(*livemode))),
        Cell::Account(account) => Value::Text(account.to_string()),
    }
}

/// Returns the name and the value with which a column is compared.
pub(crate) fn compared(table: &'static Table, column: Column, cell: &Cell<'_>) -> (&'static str, Value) {
    match value(cell) {
        Value::Text(text) if is_ord(table, column) => (ORD, Value::Text(hex::encode(text))),
        value => (name_of(table, column), value),
    }
}

/// Returns the id of a row, made from the values of its [`identity`]. It is unique within a table.
pub(crate) fn id_of(cells: &[Cell<'_>]) -> String {
    let mut id = String::new();
    for (n, cell) in cells.iter().enumerate() {
        let text = match value(cell) {
            Value::Text(text) => text,
            Value::Int(number) => number.to_string(),
            Value::Null => String::new(),
        };
        match n + 1 == cells.len() {
            true => id.push_str(&text),
            // Only the last part may contain the character that ends a part.
            false => id.extend([&text.replace('~', "~~").replace('|', "~."), "|"]),
        }
    }
    id
}

/// Returns a row in the form used in the tables.
pub(crate) fn record_of<R: backend::Record>(row: &R) -> Stored<Record> {
    let table = R::TABLE;
    let parts: Vec<Cell<'_>> = identity(table).map(|column| row.cell(column)).collect::<Stored<_>>()?;
    let mut record = Record::new(id_of(&parts));
    for column in 0..table.columns.len() {
        let cell = row.cell(column)?;
        if is_ord(table, column) {
            let (ord, value) = compared(table, column, &cell);
            record.columns.0.push((ord, value));
        }
        if cell != Cell::Null {
            record.columns.0.push((name_of(table, column), value(&cell)));
        }
    }
    if table.name == crate::store::tables::EFFECTS {
        let is_timer = record.text("kind")? == TIMER;
        record = record.with(crate::store::tables::TIMER, is_timer).with(crate::store::tables::FRONT, true);
    }
    Ok(record)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_an_id_that_have_its_signs_are_told_apart() {
        let parts = [["a|b", "c"], ["a", "b|c"], ["a~.b", "c"], ["a~", ".b|c"], ["a~~.b", "c"]];
        let ids = parts.map(|parts| id_of(&parts.map(Cell::from)));
        assert!((1..ids.len()).all(|n| !ids[..n].contains(&ids[n])), "{ids:?}");
    }

    #[test]
    fn bytes_are_read_as_they_were_written() {
        for bytes in [&b""[..], b"text", b"{}", &[0xff, 0]] {
            assert_eq!(text_bytes(&bytes_text(bytes)).as_deref(), Ok(bytes));
        }
    }
}
