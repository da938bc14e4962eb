//! For tests, of this crate and of others: a suite that every store must pass, rows to write, and stores that fail.

pub mod conformance;
pub mod samples;

pub use crate::fault::{Faults, Moment, Then};
