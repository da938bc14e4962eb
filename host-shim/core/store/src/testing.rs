//! Test support for this crate and others: the conformance suite of stores, sample rows, and failing stores.

pub mod conformance;
pub mod random;
pub mod samples;

pub use crate::fault::{Faults, Moment, Then};
