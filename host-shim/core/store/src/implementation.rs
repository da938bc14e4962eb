//! What a store in another crate needs beside the traits: erasures, ranges of ids, texts of references, forms in JSON, the rows that
//! `open` reaches, refusals, and readers that lend a store.

pub use crate::lend::Lend;
pub use crate::parse::{reference, row_key};
pub use crate::prefix::{kind_prefix, prefix_end, scan_bounds};
pub use crate::reach::{Graph, Rows, catalog_keys, reach};
pub use crate::refusal::{Lookup, UniqueField, check};

/// Erases the personal data in events and effects.
pub mod erase {
    pub use crate::erase::{NO_JSON, error, outcome, payload, run};
}

/// The JSON forms of rows, events and runs.
pub mod json {
    pub use crate::json::*;
}
