//! What a store in another crate needs beside the traits: erasures, ranges of ids, and readers that lend a store.

pub use crate::lend::Lend;
pub use crate::prefix::{prefix_end, scan_bounds};

/// Erases the personal data in events and effects.
pub mod erase {
    pub use crate::erase::{NO_JSON, error, outcome, payload, run};
}
