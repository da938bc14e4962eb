//! The tables of a file: queries and changes of their rows.

use super::{Sqlite, limit, unavailable};
use crate::cell::{Answer, Cell, Patch, Record, View};
use crate::error::{StoreError, Stored};
use crate::json::damaged;
use crate::query::{Flow, Query};
use crate::schema::{Column, Table, replies};
use crate::scope::{Partition, Scope};
use crate::sql::hot;
use rusqlite::types::{ToSqlOutput, Value, ValueRef};
use rusqlite::{Row, Statement};
use std::borrow::Cow;
use std::ptr;

/// A row of an answer.
struct SqliteAnswer<'r> {
    store: &'r Sqlite,
    row: &'r Row<'r>,
    table: &'static Table,
    columns: &'static [Column],
    /// The scope of all rows, if the query has one.
    scope: Option<&'r Scope>,
}

impl SqliteAnswer<'_> {
    fn value(&self, column: Column) -> Stored<ValueRef<'_>> {
        let place = match self.columns.len() == self.table.columns.len() {
            true => Some(column),
            false => self.columns.iter().position(|known| *known == column),
        };
        let missing = || StoreError::Misuse(format!("`{}` was read without column {column}", self.table.name));
        self.row.get_ref(place.ok_or_else(missing)?).map_err(unavailable)
    }
}

impl Answer for SqliteAnswer<'_> {
    fn int(&self, column: Column) -> Stored<Option<i64>> {
        self.value(column)?.as_i64_or_null().map_err(damaged)
    }

    fn text(&self, column: Column) -> Stored<Option<&str>> {
        self.value(column)?.as_str_or_null().map_err(damaged)
    }

    fn bytes(&self, column: Column) -> Stored<Option<Cow<'_, [u8]>>> {
        Ok(self.value(column)?.as_bytes_or_null().map_err(damaged)?.map(Cow::Borrowed))
    }

    fn scope(&self, column: Column) -> Stored<Scope> {
        match self.scope {
            Some(scope) => Ok(scope.clone()),
            None => self.store.scopes.named(&self.store.connection, self.a_number(column)?),
        }
    }

    fn partition(&self, column: Column) -> Stored<Partition> {
        self.store.scopes.partition_named(&self.store.connection, self.a_number(column)?)
    }
}

impl Sqlite {
    /// Binds values starting at a parameter. Returns false if a value is an account or a business that the file does not
    /// have.
    fn bind<'c>(
        &self,
        statement: &mut Statement<'_>,
        first: usize,
        cells: impl IntoIterator<Item = &'c Cell<'c>>,
    ) -> Stored<bool> {
        for (n, cell) in (first..).zip(cells) {
            let number = |number: Option<i64>| number.map(|number| ToSqlOutput::Owned(Value::Integer(number)));
            let value = match cell {
                Cell::Null => Some(ToSqlOutput::Owned(Value::Null)),
                Cell::Int(value) => number(Some(*value)),
                Cell::Text(text) => Some(ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes()))),
                Cell::Bytes(bytes) => Some(ToSqlOutput::Borrowed(ValueRef::Blob(bytes))),
                Cell::Scope(scope) => number(self.find_scope(scope)?.map(|known| known.id)),
                Cell::Partition(business, livemode) => number(self.find_partition(business, *livemode)?),
                Cell::Account(account) => Some(ToSqlOutput::Owned(Value::Text(account.to_string()))),
            };
            let Some(value) = value else { return Ok(false) };
            statement.raw_bind_parameter(n, value).map_err(unavailable)?;
        }
        Ok(true)
    }

    /// Runs a statement with values. Returns the number of changed rows.
    fn execute<'c>(&self, sql: &str, cells: impl IntoIterator<Item = &'c Cell<'c>>) -> Stored<usize> {
        let mut statement = self.connection.prepare_cached(sql).map_err(unavailable)?;
        let is_known = self.bind(&mut statement, 1, cells)?;
        if is_known { statement.raw_execute().map_err(unavailable) } else { Ok(0) }
    }

    /// Inserts the scopes and partitions that a row's values refer to, so that they have numbers.
    fn ensure(&self, cells: &[Cell<'_>]) -> Stored<()> {
        for cell in cells {
            match cell {
                Cell::Scope(scope) => drop(self.scopes.ensure(&self.connection, scope).map_err(unavailable)?),
                Cell::Partition(business, livemode) => {
                    self.scopes.ensure_partition(&self.connection, (business, *livemode)).map_err(unavailable)?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    pub(super) fn select<V: View>(&self, query: &Query<'_>, each: &mut dyn FnMut(V) -> Stored<Flow>) -> Stored<()> {
        let table = V::TABLE;
        let sql = self.texts.select(table, V::COLUMNS, query);
        let mut statement = self.connection.prepare_cached(&sql).map_err(unavailable)?;
        let most = Cell::Int(limit(query.limit));
        let limit = (query.limit != usize::MAX).then_some(&most);
        if !self.bind(&mut statement, 1, query.values().chain(limit))? {
            return Ok(());
        }
        let scope = match query.equal.first() {
            Some(Cell::Scope(scope)) => Some(*scope),
            _ => None,
        };
        let mut rows = statement.raw_query();
        while let Some(row) = rows.next().map_err(unavailable)? {
            let answer = SqliteAnswer { store: self, row, table, columns: V::COLUMNS, scope };
            if each(V::read(&answer)?)? == Flow::Stop {
                break;
            }
        }
        Ok(())
    }

    pub(super) fn number(&self, table: &'static Table, query: &Query<'_>) -> Stored<u64> {
        let sql = self.texts.count(table, query);
        let mut statement = self.connection.prepare_cached(&sql).map_err(unavailable)?;
        if !self.bind(&mut statement, 1, query.values())? {
            return Ok(0);
        }
        let mut rows = statement.raw_query();
        let first = rows.next().map_err(unavailable)?;
        first.map_or(Ok(0), |row| row.get(0).map_err(unavailable))
    }

    pub(super) fn insert_row<R: Record>(&self, row: &R) -> Stored<Option<u64>> {
        let table = R::TABLE;
        let mut cells: Vec<Cell<'_>> = row.cells()?;
        if cells[0] == Cell::Int(0) {
            // The database assigns the number after the largest one.
            cells[0] = Cell::Null;
        }
        self.ensure(&cells)?;
        let (own, texts) = cells.split_at(hot(table));
        if self.execute(&self.texts.insert(table), own)? == 0 {
            return Ok(None);
        }
        let number = Cell::Int(self.connection.last_insert_rowid());
        if !texts.is_empty() {
            self.execute(&self.texts.insert_texts(table), [&number].into_iter().chain(texts))?;
        }
        Ok(Some(self.connection.last_insert_rowid().unsigned_abs()))
    }

    pub(super) fn put_row<R: Record>(&self, row: &R) -> Stored<()> {
        let table = R::TABLE;
        let cells: Vec<Cell<'_>> = row.cells()?;
        self.ensure(&cells)?;
        if ptr::eq(table, &replies::TABLE) {
            // A reply that replaced a longer or shorter one could move others: see `0001_tables.sql`.
            self.blank_reply(&cells[..table.key.len()])?;
            let sql = "INSERT INTO replies (scope, caller, reply) VALUES (?1, ?2, ?3)";
            return self.execute(sql, &cells).map(drop);
        }
        self.execute(&self.texts.put(table), &cells).map(drop)
    }

    pub(super) fn patch_row<P: Patch>(&self, key: &[Cell<'_>], patch: &P) -> Stored<()> {
        let table = P::TABLE;
        for are_texts in [false, true] {
            let Some(sql) = self.texts.patch(table, P::COLUMNS, are_texts) else { continue };
            let columns = P::COLUMNS.iter().filter(|column| (**column >= hot(table)) == are_texts);
            let cells: Vec<Cell<'_>> = columns.map(|column| patch.cell(*column)).collect::<Stored<_>>()?;
            self.execute(&sql, cells.iter().chain(key))?;
        }
        Ok(())
    }

    pub(super) fn delete_row(&self, table: &'static Table, key: &[Cell<'_>]) -> Stored<()> {
        match ptr::eq(table, &replies::TABLE) {
            true => self.blank_reply(key),
            false => self.execute(&self.texts.delete(table), key).map(drop),
        }
    }

    /// Blanks out the text of a reply in place.
    fn blank_reply(&self, key: &[Cell<'_>]) -> Stored<()> {
        let sql = "UPDATE replies SET reply = '' WHERE scope = ?1 AND caller = ?2 AND reply <> ''";
        self.execute(sql, key).map(drop)
    }
}
