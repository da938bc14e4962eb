//! Runs an extension, as a component or as a native library, and enforces its limits.
//!
//! A [`Runner`](runner::Runner) receives the imports as an object. This crate must not depend on the store or the
//! business.

pub mod around;
#[cfg(feature = "wasmtime")]
mod bindings;
#[cfg(feature = "wasmtime")]
pub mod cache;
#[cfg(feature = "wasmtime")]
mod convert;
#[cfg(feature = "wasmtime")]
pub mod inspect;
pub mod native;
pub mod runner;
#[cfg(feature = "wasmtime")]
mod stubs;
#[cfg(feature = "wasmtime")]
pub mod wasm;
