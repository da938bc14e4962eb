//! Runs an extension: places an event, opens a transaction for its account, calls the component.

pub mod processor;
pub mod runner;
