//! Values of columns, and the traits of what is read from and written to a table.

use crate::error::Stored;
use crate::json::{damaged, from_json};
use crate::schema::{Column, Table};
use crate::scope::{Partition, Scope};
use extension_contract::Account;
use serde::Deserialize;
use std::borrow::Cow;
use std::fmt;

/// A value of a column.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell<'c> {
    /// No value.
    Null,
    /// An integer, a time, or a boolean as 0 or 1.
    Int(i64),
    /// A string, which may be JSON.
    Text(Cow<'c, str>),
    /// Bytes.
    Bytes(Cow<'c, [u8]>),
    /// An account of a business in a mode. A database may keep its number.
    Scope(&'c Scope),
    /// A business in a mode. A database may keep its number.
    Partition(&'c str, bool),
    /// An account, as its text.
    Account(&'c Account),
}

impl From<i64> for Cell<'_> {
    fn from(number: i64) -> Self {
        Cell::Int(number)
    }
}

impl From<u64> for Cell<'_> {
    /// A number beyond the column's range is beyond every row.
    fn from(number: u64) -> Self {
        Cell::Int(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<u32> for Cell<'_> {
    fn from(number: u32) -> Self {
        Cell::Int(number.into())
    }
}

impl From<i16> for Cell<'_> {
    fn from(number: i16) -> Self {
        Cell::Int(number.into())
    }
}

impl From<bool> for Cell<'_> {
    fn from(truth: bool) -> Self {
        Cell::Int(truth.into())
    }
}

impl<'c> From<&'c str> for Cell<'c> {
    fn from(text: &'c str) -> Self {
        Cell::Text(Cow::Borrowed(text))
    }
}

impl<'c> From<&'c String> for Cell<'c> {
    fn from(text: &'c String) -> Self {
        Cell::Text(Cow::Borrowed(text))
    }
}

impl From<String> for Cell<'_> {
    fn from(text: String) -> Self {
        Cell::Text(Cow::Owned(text))
    }
}

impl<'c> From<&'c Account> for Cell<'c> {
    fn from(account: &'c Account) -> Self {
        Cell::Account(account)
    }
}

impl<'c> From<&'c Scope> for Cell<'c> {
    fn from(scope: &'c Scope) -> Self {
        Cell::Scope(scope)
    }
}

impl<'c> From<&'c Partition> for Cell<'c> {
    fn from(partition: &'c Partition) -> Self {
        Cell::Partition(&partition.business, partition.livemode)
    }
}

impl<'c, T: Into<Cell<'c>>> From<Option<T>> for Cell<'c> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Cell::Null, Into::into)
    }
}

/// A row of an answer. Columns are numbered as in the table; only those listed in the view can be read.
pub trait Answer {
    /// Reads a number.
    ///
    /// # Errors
    /// All methods fail with `StoreError::Unavailable` if the value is of a different kind or the storage fails.
    fn int(&self, column: Column) -> Stored<Option<i64>>;
    /// Reads a string.
    fn text(&self, column: Column) -> Stored<Option<&str>>;
    /// Reads bytes.
    fn bytes(&self, column: Column) -> Stored<Option<Cow<'_, [u8]>>>;
    /// Reads a scope.
    fn scope(&self, column: Column) -> Stored<Scope>;
    /// Reads a partition.
    fn partition(&self, column: Column) -> Stored<Partition>;

    /// Reads a string that every row has.
    fn a_text(&self, column: Column) -> Stored<&str> {
        self.text(column)?.ok_or_else(|| missing(column))
    }
    /// Reads a number that every row has.
    fn a_number<T: TryFrom<i64, Error: fmt::Display>>(&self, column: Column) -> Stored<T> {
        T::try_from(self.int(column)?.ok_or_else(|| missing(column))?).map_err(damaged)
    }
    /// Reads a boolean.
    fn truth(&self, column: Column) -> Stored<bool> {
        Ok(self.a_number::<i64>(column)? != 0)
    }
    /// Reads a string into its own memory.
    fn own_text(&self, column: Column) -> Stored<Option<String>> {
        Ok(self.text(column)?.map(str::to_owned))
    }
    /// Reads an account.
    fn account(&self, column: Column) -> Stored<Option<Account>> {
        self.text(column)?.map(|text| text.parse().map_err(|_| damaged(text))).transpose()
    }
    /// Reads JSON.
    fn json<'a, T: Deserialize<'a>>(&'a self, column: Column) -> Stored<Option<T>> {
        self.text(column)?.map(from_json).transpose()
    }
}

fn missing(column: Column) -> crate::error::StoreError {
    damaged(format!("column {column} has no value"))
}

/// A row to write, with all its columns.
pub trait Record {
    /// The table.
    const TABLE: &'static Table;
    /// Returns the value of a column.
    ///
    /// # Errors
    /// Fails with `StoreError::Misuse` if a value has no JSON form.
    fn cell(&self, column: Column) -> Stored<Cell<'_>>;

    /// Returns the values of all columns.
    ///
    /// # Errors
    /// Fails like [`Record::cell`].
    fn cells(&self) -> Stored<Vec<Cell<'_>>> {
        (0..Self::TABLE.columns.len()).map(|column| self.cell(column)).collect()
    }
}

/// The part of a row that a change writes.
pub trait Patch {
    /// The table.
    const TABLE: &'static Table;
    /// The columns that are written.
    const COLUMNS: &'static [Column];
    /// Returns the value of a written column.
    ///
    /// # Errors
    /// Fails with `StoreError::Misuse` if a value has no JSON form.
    fn cell(&self, column: Column) -> Stored<Cell<'_>>;
}

/// The part of a row that a query reads.
pub trait View: Sized {
    /// The table.
    const TABLE: &'static Table;
    /// The columns that are read.
    const COLUMNS: &'static [Column];
    /// Reads the columns.
    ///
    /// # Errors
    /// Fails with `StoreError::Unavailable` if a row is damaged.
    fn read(row: &impl Answer) -> Stored<Self>;
}

/// Returns the numbers of all columns of a table.
pub const fn all(table: &'static Table) -> &'static [Column] {
    const ALL: [Column; 24] = {
        let mut all = [0; 24];
        let mut at = 0;
        while at < all.len() {
            all[at] = at;
            at += 1;
        }
        all
    };
    ALL.split_at(table.columns.len()).0
}
