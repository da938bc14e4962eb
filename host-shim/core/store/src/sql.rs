//! The SQL texts of queries, for the tables of SQLite and PostgreSQL, generated once per shape of a query.

use crate::query::{Op, Query};
use crate::schema::{Column, Index, Kind, Only, Table, replies};
use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::Bound;
use std::ptr;
use std::sync::Arc;

/// The dialect of SQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// SQLite: a query names its index, and the large texts of a row are in a separate table.
    Sqlite,
    /// PostgreSQL: numbers are `bigint` parameters, a scope takes three parameters (business, mode, account) and a
    /// partition two, and a row of an answer with a scope or partition ends with its business and mode.
    Postgres,
}

/// The parts of a query on which its text depends.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Shape {
    what: &'static str,
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

/// The texts generated so far.
pub struct Texts {
    dialect: Dialect,
    made: RefCell<HashMap<Shape, Arc<str>>>,
}

impl Texts {
    /// Creates the texts of a dialect.
    pub fn of(dialect: Dialect) -> Texts {
        Texts { dialect, made: RefCell::default() }
    }

    #[cfg(test)]
    pub(crate) fn all(&self) -> Vec<Arc<str>> {
        self.made.borrow().values().cloned().collect()
    }

    /// Returns the text of a kind for a query; `make` generates it.
    pub(crate) fn text(
        &self,
        what: &'static str,
        table: &'static Table,
        columns: &'static [Column],
        query: &Query<'_>,
        make: impl FnOnce(Parameters) -> String,
    ) -> Arc<str> {
        let shape = Shape {
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
        };
        let make = || make(Parameters { dialect: self.dialect, last: 0 }).into();
        self.made.borrow_mut().entry(shape).or_insert_with(make).clone()
    }

    /// Returns the query for some columns. Its parameters are the values of the query, and the limit if there is one.
    pub fn select(&self, table: &'static Table, columns: &'static [Column], query: &Query<'_>) -> Arc<str> {
        self.text("select", table, columns, query, |parameters| select(table, columns, query, parameters))
    }

    /// Returns the query for the number of rows. Its parameters are the values of the query.
    pub fn count(&self, table: &'static Table, query: &Query<'_>) -> Arc<str> {
        self.text("count", table, &[], query, |mut parameters| {
            let index = if self.dialect == Dialect::Sqlite { indexed(table, query) } else { String::new() };
            format!("SELECT count(*) FROM {} t{index}{}", table.name, conditions(table, query, &mut parameters))
        })
    }

    /// Returns PostgreSQL's query for the rows whose last key column has one of the values in the last parameter, an
    /// array of strings. The query fixes the other key columns. The first column of the answer is the value, as a
    /// string.
    pub fn some(&self, table: &'static Table, columns: &'static [Column], query: &Query<'_>) -> Arc<str> {
        self.text("some", table, columns, query, |mut parameters| {
            let last = table.key.last().map(|last| (table.columns[*last], table.kinds[*last]));
            let (name, kind) = last.unwrap_or(("", Kind::Text));
            let conditions = conditions(table, query, &mut parameters);
            let joint = if conditions.is_empty() { " WHERE" } else { " AND" };
            let cast = if kind == Kind::Int { "::text[]::bigint[]" } else { "" };
            let rest = select_from(table, columns, table.name).split_off("SELECT ".len());
            format!("SELECT t.{name}::text, {rest}{conditions}{joint} t.{name} = ANY({}{cast})", parameters.next())
        })
    }
}

fn select(table: &'static Table, columns: &[Column], query: &Query<'_>, mut parameters: Parameters) -> String {
    let mut sql = match parameters.dialect {
        Dialect::Sqlite => {
            let has_texts = columns.iter().any(|column| *column >= hot(table));
            let texts =
                if has_texts { format!(" CROSS JOIN {} c ON c.seq = t.seq", table.texts) } else { String::new() };
            let name = |column: &Column| {
                format!("{}.{}", if *column >= hot(table) { "c" } else { "t" }, table.columns[*column])
            };
            let columns: Vec<String> = columns.iter().map(name).collect();
            format!("SELECT {} FROM {} t{}{texts}", columns.join(", "), table.name, indexed(table, query))
        }
        Dialect::Postgres => select_from(table, columns, table.name),
    };
    sql += &conditions(table, query, &mut parameters);
    let direction = if query.descending { " DESC" } else { "" };
    let order: Vec<String> = order(table, query.index)
        .skip(query.equal.len())
        .map(|column| format!("t.{}{direction}", table.columns[column]))
        .collect();
    if !order.is_empty() {
        sql += &format!(" ORDER BY {}", order.join(", "));
    }
    if query.limit != usize::MAX {
        sql += &format!(" LIMIT {}", parameters.next());
    }
    sql
}

/// Returns the beginning of PostgreSQL's query for columns of a table, or of any `from` with the same columns.
pub fn select_from(table: &Table, columns: &[Column], from: &str) -> String {
    let kind = |kind: Kind| columns.iter().any(|column| table.kinds[*column] == kind);
    let (has_scope, has_partition) = (kind(Kind::Scope), kind(Kind::Partition));
    let listed = |column: &Column| {
        let name = table.columns[*column];
        match table.kinds[*column] {
            Kind::Int | Kind::Truth | Kind::Bytes => format!("t.{name}"),
            Kind::Text => format!("t.{name}::text"),
            Kind::Texts => format!("to_json(t.{name})::text"),
            Kind::Scope => "s.account".to_owned(),
            Kind::Partition => "q.business".to_owned(),
        }
    };
    let mut listed: Vec<String> = columns.iter().map(listed).collect();
    let mut joins = String::new();
    if has_scope {
        joins += " JOIN scopes s ON s.id = t.scope";
    }
    if has_scope || has_partition {
        listed.push("q.business, q.livemode".to_owned());
        joins += " JOIN partitions q ON q.id = ";
        // The table's own partition number equals the query's, so the partition is looked up once.
        joins += if has_partition { "t.partition" } else { "s.partition" };
    }
    format!("SELECT {} FROM {from} t{joins}", listed.join(", "))
}

/// Returns the number of columns of the table itself in SQLite.
pub(crate) fn hot(table: &Table) -> usize {
    table.columns.len() - table.cold
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

/// Returns the columns of an index, followed by those of the table's key unless the index is unique.
fn order(table: &'static Table, index: Option<&'static Index>) -> impl Iterator<Item = Column> {
    let (first, unique) = index.map_or((&[][..], false), |index| (index.columns, index.unique));
    let key = table.key.iter().filter(move |column| !unique && !first.contains(column));
    first.iter().chain(key).copied()
}

/// Returns the condition that no open effect of the same ordering key precedes the effect `t`.
pub fn first_of_its_key(dialect: Dialect) -> String {
    let index = if dialect == Dialect::Sqlite { " INDEXED BY effects_open" } else { "" };
    format!(
        "(t.ordering_key IS NULL OR NOT EXISTS (SELECT 1 FROM effects b{index} \
         WHERE b.scope = t.scope AND b.ordering_key = t.ordering_key AND b.state < 2 AND b.seq < t.seq))"
    )
}

/// Returns the index that SQLite uses.
fn indexed(table: &Table, query: &Query<'_>) -> String {
    match query.index {
        Some(index) => format!(" INDEXED BY {}", index.name),
        // A number can be found without an index.
        None if table.cold > 0 => " NOT INDEXED".to_owned(),
        None => String::new(),
    }
}

/// The parameters of a text, numbered in order.
pub(crate) struct Parameters {
    dialect: Dialect,
    last: usize,
}

impl Parameters {
    fn next(&mut self) -> String {
        self.last += 1;
        format!("{}{}", if self.dialect == Dialect::Sqlite { '?' } else { '$' }, self.last)
    }

    /// Returns the value for a column.
    fn value(&mut self, kind: Kind) -> String {
        match (self.dialect, kind) {
            (Dialect::Postgres, Kind::Scope) => format!(
                "(SELECT x.id FROM scopes x JOIN partitions p ON p.id = x.partition \
                 WHERE p.business = {} AND p.livemode = {} AND x.account = {})",
                self.next(),
                self.next(),
                self.next()
            ),
            (Dialect::Postgres, Kind::Partition) => format!(
                "(SELECT p.id FROM partitions p WHERE p.business = {} AND p.livemode = {})",
                self.next(),
                self.next()
            ),
            (Dialect::Postgres, Kind::Int) => format!("{}::bigint", self.next()),
            (Dialect::Postgres, Kind::Truth) => format!("({}::bigint <> 0)", self.next()),
            _ => self.next(),
        }
    }
}

/// Returns the conditions of a query.
fn conditions(table: &'static Table, query: &Query<'_>, parameters: &mut Parameters) -> String {
    let dialect = parameters.dialect;
    // An index with conditions is used only if the query has them in the same words.
    let only = query.index.into_iter().flat_map(|index| index.only);
    let mut conditions: Vec<String> = only.map(|only| condition(dialect, table, only)).collect();
    if dialect == Dialect::Sqlite && ptr::eq(table, &replies::TABLE) {
        conditions.push("t.reply <> ''".to_owned());
    }
    let mut order = order(table, query.index);
    let mut compare = |column: Column, op: Op| {
        format!("t.{} {} {}", table.columns[column], operator(op), parameters.value(table.kinds[column]))
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
        conditions.push(first_of_its_key(dialect));
    }
    match conditions.is_empty() {
        true => String::new(),
        false => format!(" WHERE {}", conditions.join(" AND ")),
    }
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

fn condition(dialect: Dialect, table: &Table, only: &Only) -> String {
    let name = |column: &Column| format!("t.{}", table.columns[*column]);
    match only {
        Only::Is(column, 1) if dialect == Dialect::Postgres && table.kinds[*column] == Kind::Truth => name(column),
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
