//! Sample rows and failing stores, for tests of this crate and others.

pub mod samples;

pub use crate::fault::{Faults, Moment, Then};
