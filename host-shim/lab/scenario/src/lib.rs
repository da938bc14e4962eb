//! The scenario language: reads a scenario file, matches values against what it expects, and builds the events it
//! delivers.
//!
//! This crate never runs a scenario. `host-replay` plays scenarios; `explore`, `record` and others write new ones.

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

pub use ::host::time;
