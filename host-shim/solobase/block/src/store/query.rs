//! A query of one table: conditions, order and limit. It is sent to the service, and also applied to the group's own
//! changes.

use crate::store::record::{Record, Value};
use crate::store::tables::GONE;
use crate::store::wire::{FilterDef, Operand, SortDef};
use host_store::implementation::backend::Op;
use host_store::implementation::schema::Table;
use std::cmp::Ordering;

/// A condition.
#[derive(Clone, Debug)]
enum Test {
    Is(Op, Value),
    In(Vec<Value>),
}

/// A query.
#[derive(Clone, Debug)]
pub(crate) struct Query {
    pub(crate) table: &'static Table,
    tests: Vec<(&'static str, Test)>,
    sort: Vec<(&'static str, bool)>,
    pub(crate) limit: usize,
}

impl Query {
    /// Selects all existing rows of a table.
    pub(crate) fn of(table: &'static Table) -> Query {
        Query { table, tests: vec![(GONE, Test::Is(Op::Eq, Value::Int(0)))], sort: Vec::new(), limit: usize::MAX }
    }

    /// Selects all rows of a table, including those deleted by an intent.
    pub(crate) fn all(table: &'static Table) -> Query {
        Query { table, tests: Vec::new(), sort: Vec::new(), limit: usize::MAX }
    }

    /// Adds a comparison.
    pub(crate) fn compare(mut self, field: &'static str, op: Op, value: impl Into<Value>) -> Query {
        self.tests.push((field, Test::Is(op, value.into())));
        self
    }

    pub(crate) fn eq(self, field: &'static str, value: impl Into<Value>) -> Query {
        self.compare(field, Op::Eq, value)
    }

    pub(crate) fn lt(self, field: &'static str, value: impl Into<Value>) -> Query {
        self.compare(field, Op::Lt, value)
    }

    pub(crate) fn among(mut self, field: &'static str, values: Vec<Value>) -> Query {
        self.tests.push((field, Test::In(values)));
        self
    }

    pub(crate) fn sort(mut self, field: &'static str, descending: bool) -> Query {
        self.sort.push((field, descending));
        self
    }

    pub(crate) fn limit(mut self, limit: usize) -> Query {
        self.limit = limit;
        self
    }

    /// Returns the conditions for the service.
    pub(crate) fn filters(&self) -> Vec<FilterDef<'_>> {
        let mut filters = Vec::with_capacity(self.tests.len());
        for (field, test) in &self.tests {
            filters.push(match test {
                Test::Is(op, value) => FilterDef { field, operator: operator(*op), value: Operand::One(value) },
                Test::In(values) => FilterDef { field, operator: "in", value: Operand::Many(values) },
            });
        }
        filters
    }

    /// Returns the order for the service.
    pub(crate) fn sorts(&self) -> Vec<SortDef> {
        self.sort.iter().map(|(field, desc)| SortDef { field, desc: *desc }).collect()
    }

    /// Returns true if a row matches the conditions. A comparison with null never matches, as in SQL.
    pub(crate) fn fits(&self, record: &Record) -> bool {
        let id = Value::Text(record.id.clone());
        self.tests.iter().all(|(field, test)| {
            let value = if *field == "id" { &id } else { record.value(field) };
            *value != Value::Null
                && match test {
                    Test::Is(op, other) => fits(*op, value.cmp(other)),
                    Test::In(others) => others.contains(value),
                }
        })
    }

    /// Compares two rows in the order of the query.
    pub(crate) fn order(&self, one: &Record, other: &Record) -> Ordering {
        let by = |(field, desc): &(&str, bool)| {
            let order = one.value(field).cmp(other.value(field));
            if *desc { order.reverse() } else { order }
        };
        self.sort.iter().map(by).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
    }
}

/// Returns the service's name for a comparison.
fn operator(op: Op) -> &'static str {
    match op {
        Op::Eq => "eq",
        Op::Lt => "lt",
        Op::Le => "lte",
        Op::Gt => "gt",
        Op::Ge => "gte",
    }
}

fn fits(op: Op, order: Ordering) -> bool {
    match op {
        Op::Eq => order.is_eq(),
        Op::Lt => order.is_lt(),
        Op::Le => order.is_le(),
        Op::Gt => order.is_gt(),
        Op::Ge => order.is_ge(),
    }
}
