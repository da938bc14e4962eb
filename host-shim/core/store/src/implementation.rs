//! What a store in another crate needs in addition to the traits: the shared implementation and what it asks of a database, erasures,
//! key prefixes, JSON forms, unique values, and readers that lend a store.

pub use crate::kept::Kept;
pub use crate::prefix::{kind_prefix, prefix_end};
pub use crate::refusal::UniqueField;
pub use crate::store::Lend;

/// The part that each kind of store implements itself, and the queries, rows and values that it receives.
pub mod backend {
    pub use crate::cell::{Answer, Cell, Patch, Record, View};
    pub use crate::kept::{Backend, Range, Tables};
    pub use crate::query::{Flow, Op, Query};
}

/// The texts of queries in SQL.
pub mod sql {
    pub use crate::sql::{Dialect, Texts, first_of_its_key, select_from};
}

/// The tables, as data.
pub mod schema {
    pub use crate::schema::claims::TABLE as CLAIMS;
    pub use crate::schema::refs::TABLE as REFS;
    pub use crate::schema::rows::TABLE as ROWS;
    pub use crate::schema::waits::TABLE as WAITS;
    pub use crate::schema::{Column, Index, Kind, Only, TABLES, Table};
}

/// Erases the personal data in events and effects.
pub mod erase {
    pub use crate::erase::{NO_JSON, error, outcome, payload, run};
}

/// The JSON forms of rows, events and runs.
pub mod json {
    pub use crate::json::*;
}
