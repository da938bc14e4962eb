//! An account of a store is exported as a scenario that replays to the same state.

#[path = "record/answers.rs"]
mod answers;
#[path = "record/common.rs"]
mod common;
#[path = "record/fixtures.rs"]
mod fixtures;
#[path = "record/personal.rs"]
mod personal;
#[path = "record/second.rs"]
mod second;
