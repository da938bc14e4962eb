//! Explores the extension as it is, and extensions with a fault.

mod annotations;
mod faults;
mod fixtures;
mod second;
mod support;
mod whole;
