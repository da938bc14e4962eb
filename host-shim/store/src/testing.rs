//! For tests, of this crate and of others: a suite that every store must pass, rows to write, and stores that fail.

pub mod conformance;
mod fault;
pub mod samples;

pub use fault::{Faults, Moment, Then};
