//! Runs an extension: places an event, opens a transaction for its account, calls the component.

mod bindings;
pub mod cache;
mod convert;
pub mod inspect;
pub mod native;
pub mod processor;
pub mod runner;
pub mod wasm;
