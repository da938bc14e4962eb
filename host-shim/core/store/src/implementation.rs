//! What a store in another crate needs beside the traits: erasures, ranges of ids, texts of references, and readers that lend a store.

pub use crate::lend::Lend;
pub use crate::prefix::{prefix_end, scan_bounds};
pub use crate::sqlite::reference;

/// Erases the personal data in events and effects.
pub mod erase {
    pub use crate::erase::{NO_JSON, error, outcome, payload, run};
}
