//! The scenario language: reads scenario files, matches values against their expectations, and builds the events that
//! they deliver.
//!
//! This crate never runs a scenario. `host-replay` runs scenarios; `explore`, `record` and other crates write new
//! scenarios.

pub mod business;
pub mod error;
pub mod manifest;
pub mod matcher;
pub mod model;
pub mod path;
pub mod prepare;
pub mod schema;
pub mod shapes;
pub mod tree;

pub use host_engine::time;
