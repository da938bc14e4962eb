//! The texts of SQL for the tables, made once for each shape of a query or change.

use crate::query::{Op, Query};
use crate::schema::{Column, Index, Only, Table, replies};
use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::Bound;
use std::ptr;
use std::sync::Arc;

/// What a text depends on.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Shape {
    what: What,
    table: &'static str,
    columns: (usize, usize),
    index: Option<usize>,
    equal: usize,
    from: Option<Op>,
    to: Option<Op>,
    tests: Vec<(Column, Op)>,
    first: bool,
    descending: bool,
    limited: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum What {
    Select,
    Count,
    Insert,
    InsertTexts,
    Put,
    Patch,
    PatchTexts,
    Delete,
}

/// The texts that were made.
#[derive(Default)]
pub(crate) struct Texts(RefCell<HashMap<Shape, Arc<str>>>);

impl Texts {
    #[cfg(test)]
    pub(crate) fn all(&self) -> Vec<Arc<str>> {
        self.0.borrow().values().cloned().collect()
    }

    fn text(&self, shape: Shape, make: impl FnOnce() -> String) -> Arc<str> {
        self.0.borrow_mut().entry(shape).or_insert_with(|| make().into()).clone()
    }

    /// Returns the query of some columns. Its parameters are the values of `equal`, the bounds, the tests, and the limit if there is
    /// one.
    pub(crate) fn select(&self, table: &'static Table, columns: &'static [Column], query: &Query<'_>) -> Arc<str> {
        self.text(shape_of(What::Select, table, columns, query), || select(table, columns, query))
    }

    /// Returns the query of the number of rows.
    pub(crate) fn count(&self, table: &'static Table, query: &Query<'_>) -> Arc<str> {
        self.text(shape_of(What::Count, table, &[], query), || {
            format!("SELECT count(*) FROM {}", from_where(table, false, query))
        })
    }

    /// Returns the insertion of a row in which a column of its key is null if it is given by the database.
    pub(crate) fn insert(&self, table: &'static Table) -> Arc<str> {
        self.text(shape(What::Insert, table, &[]), || {
            format!("{} ON CONFLICT DO NOTHING", insert(table.name, &table.columns[..hot(table)]))
        })
    }

    /// Returns the insertion of the texts of a row: its number, and its cold columns.
    pub(crate) fn insert_texts(&self, table: &'static Table) -> Arc<str> {
        self.text(shape(What::InsertTexts, table, &[]), || {
            insert(table.texts, &[&["seq"], &table.columns[hot(table)..]].concat())
        })
    }

    /// Returns the insertion or replacement of a row.
    pub(crate) fn put(&self, table: &'static Table) -> Arc<str> {
        self.text(shape(What::Put, table, &[]), || {
            let others = (0..table.columns.len()).filter(|column| !table.key.contains(column));
            let set: Vec<String> = others.map(|column| format!("{0} = excluded.{0}", table.columns[column])).collect();
            let update = if set.is_empty() { "NOTHING".to_owned() } else { format!("UPDATE SET {}", set.join(", ")) };
            format!("{} ON CONFLICT ({}) DO {update}", insert(table.name, table.columns), names(table, table.key))
        })
    }

    /// Returns the change of some columns of a row. Its parameters are the values, then those of the key. None if none of the columns
    /// is of the table itself, or with `texts` none of its texts.
    pub(crate) fn patch(&self, table: &'static Table, columns: &'static [Column], texts: bool) -> Option<Arc<str>> {
        let columns_of: Vec<Column> =
            columns.iter().copied().filter(|column| (*column >= hot(table)) == texts).collect();
        let (what, name) = if texts { (What::PatchTexts, table.texts) } else { (What::Patch, table.name) };
        (!columns_of.is_empty()).then(|| {
            self.text(shape(what, table, columns), || {
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
    pub(crate) fn delete(&self, table: &'static Table) -> Arc<str> {
        self.text(shape(What::Delete, table, &[]), || {
            let key = (1..).zip(table.key).map(|(n, column)| format!("{} = ?{n}", table.columns[*column]));
            format!("DELETE FROM {} WHERE {}", table.name, key.collect::<Vec<_>>().join(" AND "))
        })
    }
}

/// Returns the number of columns of the table itself.
pub(crate) fn hot(table: &Table) -> usize {
    table.columns.len() - table.cold
}

fn shape(what: What, table: &'static Table, columns: &'static [Column]) -> Shape {
    shape_of(what, table, columns, &Query::default())
}

fn shape_of(what: What, table: &'static Table, columns: &'static [Column], query: &Query<'_>) -> Shape {
    Shape {
        what,
        table: table.name,
        columns: (columns.as_ptr() as usize, columns.len()),
        index: query.index.map(|index| index.at),
        equal: query.equal.len(),
        from: from_op(query),
        to: to_op(query),
        tests: query.tests.iter().map(|(column, op, _)| (*column, *op)).collect(),
        first: query.first_of_ordering_key,
        descending: query.descending,
        limited: query.limit != usize::MAX,
    }
}

fn from_op(query: &Query<'_>) -> Option<Op> {
    match query.from {
        Bound::Unbounded => None,
        Bound::Included(_) => Some(Op::Ge),
        Bound::Excluded(_) => Some(Op::Gt),
    }
}

fn to_op(query: &Query<'_>) -> Option<Op> {
    match query.to {
        Bound::Unbounded => None,
        Bound::Included(_) => Some(Op::Le),
        Bound::Excluded(_) => Some(Op::Lt),
    }
}

fn insert(table: &str, columns: &[&str]) -> String {
    let values: Vec<String> = (1..=columns.len()).map(|n| format!("?{n}")).collect();
    format!("INSERT INTO {table} ({}) VALUES ({})", columns.join(", "), values.join(", "))
}

fn names(table: &Table, columns: &[Column]) -> String {
    columns.iter().map(|column| table.columns[*column]).collect::<Vec<_>>().join(", ")
}

fn select(table: &'static Table, columns: &[Column], query: &Query<'_>) -> String {
    let has_texts = columns.iter().any(|column| *column >= hot(table));
    let name =
        |column: &Column| format!("{}.{}", if *column >= hot(table) { "c" } else { "t" }, table.columns[*column]);
    let columns: Vec<String> = columns.iter().map(name).collect();
    let mut sql = format!("SELECT {} FROM {}", columns.join(", "), from_where(table, has_texts, query));
    let direction = if query.descending { " DESC" } else { "" };
    let order: Vec<String> = order(table, query.index)
        .skip(query.equal.len())
        .map(|column| format!("{}{direction}", name(&column)))
        .collect();
    let is_one = query.index.map_or(table.key.len(), |index| match index.unique {
        true => index.columns.len(),
        false => usize::MAX,
    }) == query.equal.len();
    if !order.is_empty() && !is_one {
        sql += &format!(" ORDER BY {}", order.join(", "));
    }
    if query.limit != usize::MAX {
        sql += &format!(" LIMIT ?{}", parameters(query) + 1);
    }
    sql
}

/// Returns the columns of an index and then those of the table's key.
fn order(table: &'static Table, index: Option<&'static Index>) -> impl Iterator<Item = Column> {
    let first = index.map_or(&[][..], |index| index.columns);
    let key = table.key.iter().filter(|column| !first.contains(column));
    first.iter().chain(key).copied()
}

/// Returns the number of parameters before the limit.
fn parameters(query: &Query<'_>) -> usize {
    let bounds = [from_op(query), to_op(query)].into_iter().flatten().count();
    query.equal.len() + bounds + query.tests.len()
}

/// Condition: no open effect of the same ordering key precedes the effect.
const FIRST_OF_ITS_KEY: &str = "(t.ordering_key IS NULL OR NOT EXISTS (SELECT 1 FROM effects b INDEXED BY effects_open \
     WHERE b.scope = t.scope AND b.ordering_key = t.ordering_key AND b.state < 2 AND b.seq < t.seq))";

/// Returns what follows FROM, with the conditions.
fn from_where(table: &'static Table, has_texts: bool, query: &Query<'_>) -> String {
    let index = match query.index {
        Some(index) => format!(" INDEXED BY {}", index.name),
        // A number is found without an index.
        None if table.cold > 0 => " NOT INDEXED".to_owned(),
        None => String::new(),
    };
    let texts = match has_texts {
        true => format!(" CROSS JOIN {} c ON c.seq = t.seq", table.texts),
        false => String::new(),
    };
    // An index with conditions is used only for the same words.
    let only = query.index.into_iter().flat_map(|index| index.only);
    let mut conditions: Vec<String> = only.map(|only| condition(table, only)).collect();
    if ptr::eq(table, &replies::TABLE) {
        conditions.push("t.reply <> ''".to_owned());
    }
    let mut order = order(table, query.index);
    let mut number = 0;
    let mut compare = |column: Column, op: Op| {
        number += 1;
        format!("t.{} {} ?{number}", table.columns[column], operator(op))
    };
    for _ in query.equal {
        conditions.extend(order.next().map(|column| compare(column, Op::Eq)));
    }
    let next = order.next();
    for op in [from_op(query), to_op(query)].into_iter().flatten() {
        conditions.extend(next.map(|column| compare(column, op)));
    }
    conditions.extend(query.tests.iter().map(|(column, op, _)| compare(*column, *op)));
    if query.first_of_ordering_key {
        conditions.push(FIRST_OF_ITS_KEY.to_owned());
    }
    let conditions = match conditions.is_empty() {
        true => String::new(),
        false => format!(" WHERE {}", conditions.join(" AND ")),
    };
    format!("{} t{index}{texts}{conditions}", table.name)
}

fn operator(op: Op) -> &'static str {
    match op {
        Op::Eq => "=",
        Op::Lt => "<",
        Op::Le => "<=",
        Op::Gt => ">",
        Op::Ge => ">=",
    }
}

fn condition(table: &Table, only: &Only) -> String {
    let name = |column: &Column| format!("t.{}", table.columns[*column]);
    match only {
        Only::Is(column, number) => format!("{} = {number}", name(column)),
        Only::Below(column, end) => format!("{} < {end}", name(column)),
        Only::OneOf(column, numbers) => {
            let numbers: Vec<String> = numbers.iter().map(ToString::to_string).collect();
            format!("{} IN ({})", name(column), numbers.join(", "))
        }
        Only::Named(column, text) => format!("{} = '{text}'", name(column)),
        Only::NotNamed(column, text) => format!("{} <> '{text}'", name(column)),
        Only::Some(column) => format!("{} IS NOT NULL", name(column)),
    }
}
