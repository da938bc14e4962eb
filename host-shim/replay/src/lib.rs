//! Scenarios and raw streams replayed, compared and reported.

pub mod error;
pub mod matcher;
pub mod path;
pub mod scenario;
pub mod shapes;
pub mod time;
pub mod tree;
