//! The SQL text of a view's query, in the language of each database.

mod expression;
mod measurement;
mod query;
mod source;

pub(crate) use measurement::postgres as measurements;
pub(crate) use query::query;
pub(crate) use source::{claim_keys, key_conditions};

use crate::tables::path::Step;
use host_store::Partition;

/// The database, and the business in a mode whose rows are read.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Sql<'p> {
    /// SQLite: conditions contain the business.
    Sqlite(&'p Partition),
    /// PostgreSQL: functions and views in this schema select the rows of the business.
    Postgres(&'p str, &'p Partition),
}

/// Quotes a name.
pub(crate) fn name(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Quotes a string. No string contains a NUL.
pub(crate) fn text(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

impl<'p> Sql<'p> {
    /// Returns the business in a mode.
    pub(crate) fn partition(self) -> &'p Partition {
        match self {
            Sql::Sqlite(partition) | Sql::Postgres(_, partition) => partition,
        }
    }

    /// Returns the member of a JSON value, as JSON.
    pub(crate) fn member(self, json: &str, steps: &[Step]) -> String {
        match self {
            _ if steps.is_empty() => json.to_owned(),
            Sql::Sqlite(_) => format!("{json} -> {}", self.path(steps)),
            Sql::Postgres(..) => format!("jsonb_extract_path({json}, {})", self.path(steps)),
        }
    }

    /// Returns the arguments that lead to a member of a JSON value.
    fn path(self, steps: &[Step]) -> String {
        match self {
            Sql::Sqlite(_) => {
                let step = |step: &Step| match step {
                    Step::Name(name) => format!(".\"{name}\""),
                    Step::Index(index) => format!("[{index}]"),
                };
                text(&format!("${}", steps.iter().map(step).collect::<String>()))
            }
            Sql::Postgres(..) => {
                let step = |step: &Step| match step {
                    Step::Name(name) => text(name),
                    Step::Index(index) => text(&index.to_string()),
                };
                steps.iter().map(step).collect::<Vec<_>>().join(", ")
            }
        }
    }
}
