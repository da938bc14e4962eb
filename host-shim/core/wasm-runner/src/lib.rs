//! Runs an extension, as a component or as a native library, and enforces its limits.
//!
//! A [`Runner`](runner::Runner) receives the imports as an object. This crate must not depend on the store or the
//! business.

pub mod around;
mod bindings;
pub mod cache;
mod convert;
pub mod inspect;
pub mod names;
pub mod native;
pub mod runner;
mod stubs;
pub mod wasm;
