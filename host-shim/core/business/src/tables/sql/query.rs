//! The query of a view.

use super::expression::Value;
use super::source::Source;
use super::{Sql, name};
use crate::tables::kind::Type;
use crate::tables::path::Path;
use crate::tables::view::{Column, Condition, View, Wanted};

/// Returns the query of a view.
pub(crate) fn query(sql: Sql<'_>, view: &View) -> String {
    let rows = Rows { sql, view, source: Source::all(sql, &view.kind) };
    let columns: Vec<String> =
        view.columns.iter().map(|column| format!("{} AS {}", rows.column(column), name(&column.name))).collect();
    let mut conditions = rows.source.filters.clone();
    if view.open_accounts {
        conditions.push(rows.source.is_open());
    }
    conditions.extend(view.conditions.iter().map(|condition| rows.condition(condition)));
    let mut query = format!("SELECT\n    {}\nFROM {}", columns.join(",\n    "), rows.source.from);
    if !conditions.is_empty() {
        query += &format!("\nWHERE {}", conditions.join("\n    AND "));
    }
    query
}

/// The rows of a view, from which paths are read.
struct Rows<'v> {
    sql: Sql<'v>,
    view: &'v View,
    source: Source<'v>,
}

impl Rows<'_> {
    fn column(&self, column: &Column) -> String {
        let counted = |path: &Path| format!("coalesce({}, 0)", self.value(path, Type::Integer));
        let value = match (&column.from, column.minus.as_slice(), &column.is) {
            (Some(from), [], None) => match &column.present {
                Some(text) => {
                    let literal = self.sql.literal(&Wanted::Text(text.clone()));
                    format!("CASE WHEN {} IS NOT NULL THEN {literal} END", self.value(from, Type::Text))
                }
                None => self.value(from, column.column_type),
            },
            (Some(from), _, Some(is)) => {
                let literal = self.sql.literal(&Wanted::Text(is.clone()));
                format!(
                    "coalesce({} = {literal}, {})",
                    self.value(from, Type::Text),
                    self.sql.literal(&Wanted::Boolean(false))
                )
            }
            (from, minus, _) => {
                let from = from.as_ref().map_or_else(|| "0".to_owned(), counted);
                minus.iter().fold(from, |left, path| format!("{left} - {}", counted(path)))
            }
        };
        let value = match &column.default {
            Some(default) => format!("coalesce({value}, {})", self.sql.literal(default)),
            None => value,
        };
        self.sql.declared(&value, column.column_type)
    }

    fn condition(&self, condition: &Condition) -> String {
        any(&condition.wanted, |wanted| {
            let value = |wanted_type| self.value(&condition.path, wanted_type);
            is(self.sql, wanted, value, |path| self.value(path, Type::Text))
        })
    }

    /// Returns the value of a path in the view's row or a lookup's row.
    fn value(&self, path: &Path, wanted: Type) -> String {
        let index = self.view.lookups.iter().position(|lookup| Some(&lookup.name) == path.lookup.as_ref());
        let Some(index) = index else { return self.sql.typed(&self.source.value(path), wanted) };
        let lookup = &self.view.lookups[index];
        // Lookups can be nested, so each has its own alias.
        let alias = format!("w{index}");
        let source = Source::looked_up(self.sql, &lookup.kind, &alias, "s");
        let of_row = |path: &Path| -> Value { source.value(path) };
        let mut conditions = source.filters.clone();
        conditions.extend(lookup.conditions.iter().map(|condition| {
            any(&condition.wanted, |wanted| {
                let value = |wanted_type| self.sql.typed(&of_row(&condition.path), wanted_type);
                is(self.sql, wanted, value, |path| self.value(path, Type::Text))
            })
        }));
        format!(
            "(SELECT {} FROM {} WHERE {} ORDER BY {} LIMIT 1)",
            self.sql.typed(&of_row(path), wanted),
            source.from,
            conditions.join(" AND "),
            source.newest_first()
        )
    }
}

/// Joins the conditions for several values.
fn any(wanted: &[Wanted], condition: impl Fn(&Wanted) -> String) -> String {
    format!("({})", wanted.iter().map(condition).collect::<Vec<_>>().join(" OR "))
}

/// Compares a member, given as any type, with a value. `member` returns another member as text.
fn is(sql: Sql<'_>, wanted: &Wanted, value: impl Fn(Type) -> String, member: impl Fn(&Path) -> String) -> String {
    match wanted {
        Wanted::Null => format!("({}) IS NULL", value(Type::Text)),
        Wanted::Boolean(_) => format!("({}) = {}", value(Type::Boolean), sql.literal(wanted)),
        Wanted::Integer(_) => format!("({}) = {}", value(Type::Integer), sql.literal(wanted)),
        Wanted::Text(_) => format!("({}) = {}", value(Type::Text), sql.literal(wanted)),
        Wanted::Member(path) => format!("({}) = {}", value(Type::Text), member(path)),
    }
}
