//! A query of one table: conditions, order and limit. It is sent to the service, and applied to the group's own changes.

use crate::record::{Record, Value};
use crate::tables::GONE;
use crate::wire::{FilterDef, Operand, SortDef};
use host_store::implementation::schema::Table;
use std::cmp::Ordering;

/// A condition.
#[derive(Clone, Debug)]
enum Test {
    Eq(Value),
    Lt(Value),
    Lte(Value),
    Gt(Value),
    Gte(Value),
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
    /// Selects all rows of a table that exist.
    pub(crate) fn of(table: &'static Table) -> Query {
        Query { table, tests: vec![(GONE, Test::Eq(Value::Int(0)))], sort: Vec::new(), limit: usize::MAX }
    }

    /// Selects all rows of a table, also those that an intent has deleted.
    pub(crate) fn all(table: &'static Table) -> Query {
        Query { table, tests: Vec::new(), sort: Vec::new(), limit: usize::MAX }
    }

    fn test(mut self, field: &'static str, test: Test) -> Query {
        self.tests.push((field, test));
        self
    }

    pub(crate) fn eq(self, field: &'static str, value: impl Into<Value>) -> Query {
        self.test(field, Test::Eq(value.into()))
    }

    pub(crate) fn lt(self, field: &'static str, value: impl Into<Value>) -> Query {
        self.test(field, Test::Lt(value.into()))
    }

    pub(crate) fn lte(self, field: &'static str, value: impl Into<Value>) -> Query {
        self.test(field, Test::Lte(value.into()))
    }

    pub(crate) fn gt(self, field: &'static str, value: impl Into<Value>) -> Query {
        self.test(field, Test::Gt(value.into()))
    }

    pub(crate) fn gte(self, field: &'static str, value: impl Into<Value>) -> Query {
        self.test(field, Test::Gte(value.into()))
    }

    pub(crate) fn among(self, field: &'static str, values: Vec<Value>) -> Query {
        self.test(field, Test::In(values))
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
        let filter = |(field, test): &'_ (&'static str, Test)| -> (&'static str, &'static str) {
            let operator = match test {
                Test::Eq(_) => "eq",
                Test::Lt(_) => "lt",
                Test::Lte(_) => "lte",
                Test::Gt(_) => "gt",
                Test::Gte(_) => "gte",
                Test::In(_) => "in",
            };
            (field, operator)
        };
        self.tests
            .iter()
            .map(|entry| {
                let (field, operator) = filter(entry);
                let value = match &entry.1 {
                    Test::Eq(value) | Test::Lt(value) | Test::Lte(value) | Test::Gt(value) | Test::Gte(value) => {
                        Operand::One(value)
                    }
                    Test::In(values) => Operand::Many(values),
                };
                FilterDef { field, operator, value }
            })
            .collect()
    }

    /// Returns the order for the service.
    pub(crate) fn sorts(&self) -> Vec<SortDef> {
        self.sort.iter().map(|(field, desc)| SortDef { field, desc: *desc }).collect()
    }

    /// Returns true if a row fits the conditions. A comparison with null never fits, as in SQL.
    pub(crate) fn fits(&self, record: &Record) -> bool {
        let id = Value::Text(record.id.clone());
        self.tests.iter().all(|(field, test)| {
            let value = if *field == "id" { &id } else { record.value(field) };
            let fits = |order: fn(Ordering) -> bool, other: &Value| order(value.cmp(other));
            *value != Value::Null
                && match test {
                    Test::Eq(other) => value == other,
                    Test::Lt(other) => fits(Ordering::is_lt, other),
                    Test::Lte(other) => fits(Ordering::is_le, other),
                    Test::Gt(other) => fits(Ordering::is_gt, other),
                    Test::Gte(other) => fits(Ordering::is_ge, other),
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
