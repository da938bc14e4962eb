//! Calls an extension, whatever it is made of, and holds it to its limits.
//!
//! A [`Runner`](runner::Runner) gets the imports as an object and knows neither store nor business.

pub mod around;
mod bindings;
pub mod cache;
mod convert;
pub mod inspect;
pub mod names;
pub mod native;
pub mod runner;
pub mod wasm;
