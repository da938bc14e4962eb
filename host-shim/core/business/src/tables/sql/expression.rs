//! Values of members, and their conversion to the types of columns.

use super::{Sql, text};
use crate::tables::kind::Type;
use crate::tables::path::Step;
use crate::tables::view::Wanted;

/// A value in SQL.
#[derive(Clone, Debug)]
pub(super) enum Value {
    /// An expression with this type. Timestamps are milliseconds.
    Typed(String, Type),
    /// A member of a JSON value.
    Json(String, Vec<Step>),
    /// The sum of the numbers in a mapping within a JSON value.
    Sum(String, Vec<Step>),
    /// The second part of the pair with this first part, in a JSON list of pairs.
    Pair(String, String),
}

impl Sql<'_> {
    /// Converts a value to a type. Values that cannot have the type are null.
    pub(super) fn typed(self, value: &Value, wanted: Type) -> String {
        match value {
            Value::Typed(sql, own) => self.converted(sql, *own, wanted),
            Value::Json(json, steps) => self.of_json(json, steps, wanted),
            Value::Sum(json, steps) => self.converted(&self.sum(json, steps), Type::Integer, wanted),
            Value::Pair(json, first) => self.converted(&self.pair(json, first), Type::Text, wanted),
        }
    }

    fn converted(self, sql: &str, own: Type, wanted: Type) -> String {
        match (self, own, wanted) {
            (Sql::Sqlite(_), Type::Timestamp, Type::Timestamp) => {
                format!("strftime('%Y-%m-%dT%H:%M:%fZ', ({sql}) / 1000.0, 'unixepoch')")
            }
            (Sql::Postgres(..), Type::Timestamp, Type::Timestamp) => format!("to_timestamp(({sql}) / 1000.0)"),
            (Sql::Sqlite(_), Type::Integer | Type::Timestamp, Type::Integer | Type::Timestamp)
            | (Sql::Postgres(..), Type::Integer | Type::Timestamp, Type::Integer) => sql.to_owned(),
            (_, own, wanted) if own == wanted => sql.to_owned(),
            (Sql::Sqlite(_), Type::Boolean, Type::Text) => format!("iif({sql}, 'true', 'false')"),
            (Sql::Sqlite(_), _, Type::Text) => format!("CAST({sql} AS TEXT)"),
            (Sql::Postgres(..), _, Type::Text) => format!("({sql})::text"),
            (Sql::Sqlite(_), _, Type::Json) => format!("json_quote({sql})"),
            (Sql::Postgres(..), _, Type::Json) => format!("to_jsonb({sql})"),
            _ => "NULL".to_owned(),
        }
    }

    fn of_json(self, json: &str, steps: &[Step], wanted: Type) -> String {
        let member = self.member(json, steps);
        match self {
            Sql::Sqlite(_) => {
                let path = self.path(steps);
                let (value, kind) = (format!("({json} ->> {path})"), format!("json_type({json}, {path})"));
                match wanted {
                    Type::Text => {
                        format!(
                            "CASE {kind} WHEN 'true' THEN 'true' WHEN 'false' THEN 'false' ELSE CAST({value} AS TEXT) END"
                        )
                    }
                    Type::Integer => {
                        format!("CASE WHEN {kind} IN ('integer', 'real') THEN CAST({value} AS INTEGER) END")
                    }
                    Type::Boolean => format!("CASE {kind} WHEN 'true' THEN 1 WHEN 'false' THEN 0 END"),
                    Type::Json => format!("nullif({json} -> {path}, 'null')"),
                    Type::Timestamp => {
                        let number = self.of_json(json, steps, Type::Integer);
                        self.converted(&number, Type::Timestamp, Type::Timestamp)
                    }
                }
            }
            Sql::Postgres(..) => match wanted {
                Type::Text if steps.is_empty() => format!("({json})::text"),
                Type::Text => format!("jsonb_extract_path_text({json}, {})", self.path(steps)),
                Type::Integer => {
                    format!("CASE WHEN jsonb_typeof({member}) = 'number' THEN trunc(({member})::numeric)::bigint END")
                }
                Type::Boolean => format!("CASE WHEN jsonb_typeof({member}) = 'boolean' THEN ({member})::boolean END"),
                Type::Json => format!("nullif({member}, 'null'::jsonb)"),
                Type::Timestamp => {
                    let number = self.of_json(json, steps, Type::Integer);
                    self.converted(&number, Type::Timestamp, Type::Timestamp)
                }
            },
        }
    }

    fn sum(self, json: &str, steps: &[Step]) -> String {
        match self {
            Sql::Sqlite(_) => format!(
                "(SELECT sum(n.value) FROM json_each({json}, {}) AS n WHERE n.type IN ('integer', 'real'))",
                self.path(steps)
            ),
            Sql::Postgres(..) => {
                let member = self.member(json, steps);
                format!(
                    "(SELECT trunc(sum((n.value)::numeric))::bigint FROM jsonb_each(CASE WHEN jsonb_typeof({member}) = 'object' \
                     THEN {member} END) AS n WHERE jsonb_typeof(n.value) = 'number')"
                )
            }
        }
    }

    fn pair(self, json: &str, first: &str) -> String {
        let first = text(first);
        match self {
            Sql::Sqlite(_) => {
                format!("(SELECT p.value ->> 1 FROM json_each({json}) AS p WHERE p.value ->> 0 = {first} LIMIT 1)")
            }
            Sql::Postgres(..) => {
                format!("(SELECT p ->> 1 FROM jsonb_array_elements({json}) AS p WHERE p ->> 0 = {first} LIMIT 1)")
            }
        }
    }

    /// Returns a value from a file, as SQL.
    pub(super) fn literal(self, value: &Wanted) -> String {
        match (value, self) {
            (Wanted::Text(value), _) => text(value),
            (Wanted::Integer(value), _) => value.to_string(),
            (Wanted::Boolean(value), Sql::Sqlite(_)) => u8::from(*value).to_string(),
            (Wanted::Boolean(value), Sql::Postgres(..)) => value.to_string(),
            // A path is resolved by the query.
            (Wanted::Null | Wanted::Member(_), _) => "NULL".to_owned(),
        }
    }

    /// Declares the type of a column: the type of the outermost expression.
    pub(super) fn declared(self, sql: &str, column_type: Type) -> String {
        match self {
            Sql::Sqlite(_) => match column_type {
                Type::Integer | Type::Boolean => format!("CAST({sql} AS INTEGER)"),
                Type::Text | Type::Json | Type::Timestamp => format!("CAST({sql} AS TEXT)"),
            },
            Sql::Postgres(..) => {
                let name = match column_type {
                    Type::Text => "text",
                    Type::Integer => "bigint",
                    Type::Boolean => "boolean",
                    Type::Json => "jsonb",
                    Type::Timestamp => "timestamptz",
                };
                format!("({sql})::{name}")
            }
        }
    }
}
