//! The rows of a table in memory, with its indexes.

use super::key::{self, END, Key};
use super::no_number;
use crate::cell::{Cell, Entity};
use crate::error::Stored;
use crate::query::{Flow, Op, Query};
use crate::schema::{Column, Index, Only, effects};
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

type Rows<E> = BTreeMap<Key, Arc<E>>;

/// The rows of a table by key, and by each index.
#[derive(Clone, Debug)]
pub struct Shelf<E> {
    rows: Rows<E>,
    indexes: Vec<Rows<E>>,
}

impl<E> Default for Shelf<E> {
    fn default() -> Self {
        Shelf { rows: BTreeMap::new(), indexes: Vec::new() }
    }
}

impl<E: Entity> Shelf<E> {
    /// Returns all rows in order of their keys.
    pub(super) fn all(&self) -> impl Iterator<Item = &Arc<E>> {
        self.rows.values()
    }

    /// Returns the rows of an index.
    pub(super) fn of(&self, index: &Index) -> impl Iterator<Item = &Arc<E>> {
        self.indexes.get(index.at).into_iter().flat_map(BTreeMap::values)
    }

    /// Returns a row by the values of its key.
    pub(super) fn get(&self, cells: &[Cell<'_>]) -> Option<&Arc<E>> {
        self.rows.get(&*key::of_cells(cells, E::TABLE.of_accounts))
    }

    /// Returns the largest number; 0 without rows.
    pub(super) fn newest(&self) -> Stored<u64> {
        let Some(row) = self.rows.values().next_back() else { return Ok(0) };
        match row.cell(E::TABLE.key[0])? {
            Cell::Int(number) => Ok(number.unsigned_abs()),
            _ => Err(no_number(E::TABLE.name)),
        }
    }

    /// Inserts a row. Returns false if a row has its key or its unique values.
    pub(super) fn insert(&mut self, key: &Key, row: E) -> Stored<bool> {
        if self.rows.contains_key(key) {
            return Ok(false);
        }
        self.indexes.resize_with(E::TABLE.indexes.len(), BTreeMap::new);
        let row = Arc::new(row);
        let mut places = Vec::with_capacity(self.indexes.len());
        let mut bytes = Vec::with_capacity(96);
        for index in E::TABLE.indexes {
            if meets(&*row, index)? {
                push_entry(&*row, index, &mut bytes)?;
                if index.unique && self.indexes[index.at].contains_key(&*bytes) {
                    return Ok(false);
                }
                places.push((index.at, Key::from(&*bytes)));
            }
        }
        for (at, place) in places {
            self.indexes[at].insert(place, row.clone());
        }
        self.rows.insert(key.clone(), row);
        Ok(true)
    }

    /// Sets or removes a row; returns the old one.
    pub(super) fn set(&mut self, key: Key, row: Option<Arc<E>>) -> Option<Arc<E>> {
        let old = match &row {
            Some(row) => self.rows.insert(key, row.clone()),
            None => self.rows.remove(&key),
        };
        self.indexes.resize_with(E::TABLE.indexes.len(), BTreeMap::new);
        let (mut before, mut now) = (Vec::new(), Vec::new());
        for index in E::TABLE.indexes {
            let entries = &mut self.indexes[index.at];
            // The columns of an index have no JSON, which alone could fail.
            let place = |row: &Option<Arc<E>>, bytes: &mut Vec<u8>| {
                row.as_ref().is_some_and(|row| {
                    meets(&**row, index).unwrap_or_default() && push_entry(&**row, index, bytes).is_ok()
                })
            };
            let (was, is) = (place(&old, &mut before), place(&row, &mut now));
            if was && !(is && before == now) {
                // Two rows may exchange unique values: the place may already be that of the other row.
                if old.as_ref().zip(entries.get(&*before)).is_some_and(|(old, found)| Arc::ptr_eq(old, found)) {
                    entries.remove(&*before);
                }
            }
            if let Some(row) = row.as_ref().filter(|_| is) {
                match entries.get_mut(&*now) {
                    Some(place) => *place = row.clone(),
                    None => drop(entries.insert(Key::from(&*now), row.clone())),
                }
            }
        }
        old
    }

    /// Calls `each` with the rows of a query, in its order.
    pub(super) fn find(&self, query: &Query<'_>, each: &mut dyn FnMut(&Arc<E>) -> Stored<Flow>) -> Stored<()> {
        let entries = match query.index {
            Some(index) => self.indexes.get(index.at),
            None => Some(&self.rows),
        };
        let Some(entries) = entries else { return Ok(()) };
        let first = key::of_cells(query.equal, E::TABLE.of_accounts);
        let with = |cell: &Cell<'_>, end: bool| {
            let mut bytes = first.clone();
            key::push(cell, &mut bytes);
            bytes.extend(end.then_some(END));
            bytes
        };
        let from = match &query.from {
            Bound::Unbounded => first.clone(),
            Bound::Included(cell) => with(cell, false),
            Bound::Excluded(cell) => with(cell, true),
        };
        let to = match &query.to {
            Bound::Unbounded => [&*first, &[END]].concat(),
            Bound::Included(cell) => with(cell, true),
            Bound::Excluded(cell) => with(cell, false),
        };
        if from >= to {
            return Ok(());
        }
        let mut range = entries.range::<[u8], _>((Bound::Included(&*from), Bound::Excluded(&*to)));
        let mut left = query.limit;
        while left > 0
            && let Some((_, row)) = if query.descending { range.next_back() } else { range.next() }
        {
            if fits(&**row, query.tests)? && (!query.first_of_ordering_key || self.is_first(row)?) {
                left -= 1;
                if each(row)? == Flow::Stop {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Returns true if no earlier open effect has the ordering key of this one.
    fn is_first(&self, row: &Arc<E>) -> Stored<bool> {
        let order = [row.cell(effects::SCOPE)?, row.cell(effects::ORDERING_KEY)?];
        let Some(open) = self.indexes.get(effects::OPEN.at).filter(|_| order[1] != Cell::Null) else { return Ok(true) };
        let from = key::of_cells(&order, false);
        let first = open.range::<[u8], _>((Bound::Included(&*from), Bound::Unbounded)).next();
        Ok(first.is_none_or(|(key, first)| !key.starts_with(&from) || Arc::ptr_eq(first, row)))
    }
}

/// Returns true if an index has a row.
fn meets<E: Entity>(row: &E, index: &Index) -> Stored<bool> {
    let number = |column: Column| -> Stored<Option<i64>> {
        Ok(match row.cell(column)? {
            Cell::Int(number) => Some(number),
            _ => None,
        })
    };
    for only in index.only {
        let meets = match only {
            Only::Is(column, wanted) => number(*column)? == Some(*wanted),
            Only::Below(column, end) => number(*column)?.is_some_and(|number| number < *end),
            Only::OneOf(column, wanted) => number(*column)?.is_some_and(|number| wanted.contains(&number)),
            Only::Named(column, name) => row.cell(*column)? == Cell::from(*name),
            Only::NotNamed(column, name) => row.cell(*column)? != Cell::from(*name),
            Only::Some(column) => row.cell(*column)? != Cell::Null,
        };
        if !meets {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Writes the place of a row in an index: its values, and for an index that is not unique its key.
fn push_entry<E: Entity>(row: &E, index: &Index, bytes: &mut Vec<u8>) -> Stored<()> {
    bytes.clear();
    key::push_row(row, index.columns, bytes)?;
    if !index.unique {
        for column in E::TABLE.key.iter().filter(|column| !index.columns.contains(column)) {
            key::push(&row.cell(*column)?, bytes);
        }
    }
    Ok(())
}

/// Returns true if a row meets the conditions of a query.
fn fits<E: Entity>(row: &E, tests: &[(Column, Op, Cell<'_>)]) -> Stored<bool> {
    for (column, op, other) in tests {
        let order = match (row.cell(*column)?, other) {
            (Cell::Int(number), Cell::Int(other)) => Some(number.cmp(other)),
            (Cell::Text(text), Cell::Text(other)) => Some(text.cmp(other)),
            (Cell::Partition(business, mode), Cell::Partition(other, of)) => Some((business, mode).cmp(&(*other, *of))),
            _ => None,
        };
        let fits = match op {
            Op::Eq => Ordering::is_eq,
            Op::Lt => Ordering::is_lt,
            Op::Le => Ordering::is_le,
            Op::Gt => Ordering::is_gt,
            Op::Ge => Ordering::is_ge,
        };
        if !order.is_some_and(fits) {
            return Ok(false);
        }
    }
    Ok(true)
}
