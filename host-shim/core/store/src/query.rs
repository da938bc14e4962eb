//! A query of one table: a range of an index, and further conditions.

use crate::cell::Cell;
use crate::schema::{Column, Index};
use std::ops::Bound;

/// A comparison with a value. A comparison with null never matches, as in SQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    /// Equal.
    Eq,
    /// Less.
    Lt,
    /// Less or equal.
    Le,
    /// Greater.
    Gt,
    /// Greater or equal.
    Ge,
}

/// A query. The rows come in index order, and then in the order of the table's key.
#[derive(Clone, Debug)]
pub struct Query<'q> {
    /// The index; none for the table's key.
    pub index: Option<&'static Index>,
    /// Values of its first columns.
    pub equal: &'q [Cell<'q>],
    /// Bounds of the next column. After the last column of an index, this is the first column of the key.
    pub from: Bound<Cell<'q>>,
    /// As `from`.
    pub to: Bound<Cell<'q>>,
    /// Conditions for other columns.
    pub tests: &'q [(Column, Op, Cell<'q>)],
    /// Only effects without an earlier open effect of the same ordering key.
    pub first_of_ordering_key: bool,
    /// Last row first.
    pub descending: bool,
    /// Maximum number of rows.
    pub limit: usize,
}

impl Default for Query<'_> {
    fn default() -> Self {
        Query {
            index: None,
            equal: &[],
            from: Bound::Unbounded,
            to: Bound::Unbounded,
            tests: &[],
            first_of_ordering_key: false,
            descending: false,
            limit: usize::MAX,
        }
    }
}

impl Query<'_> {
    /// Selects all rows of an index.
    pub fn of(index: &'static Index) -> Self {
        Query { index: Some(index), ..Query::default() }
    }

    /// Returns the values in the order of the parameters of the SQL text, without the limit.
    pub fn values(&self) -> impl Iterator<Item = &Cell<'_>> {
        let bounds = [&self.from, &self.to].into_iter().filter_map(|bound| match bound {
            Bound::Unbounded => None,
            Bound::Included(cell) | Bound::Excluded(cell) => Some(cell),
        });
        self.equal.iter().chain(bounds).chain(self.tests.iter().map(|(.., cell)| cell))
    }
}

/// Whether a query continues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Continues with the next row.
    On,
    /// Stops: the caller has everything it needs.
    Stop,
}
