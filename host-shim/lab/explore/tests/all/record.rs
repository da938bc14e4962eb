//! An account of a store is exported as a scenario that replays to the same state.

mod answers;
mod common;
mod fixtures;
mod personal;
mod second;
