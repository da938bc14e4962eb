//! Exports an account of a store as a scenario that replays to the same state.
//!
//! [`export`] reads the account's events, effects and claims, writes them as steps and answers of a scenario, runs it
//! in memory on an empty store, and compares the account's rows with those of the store. [`personal`] replaces personal
//! data; nothing else is changed.

mod answers;
mod claims;
mod compare;
mod draft;
mod error;
mod events;
mod expected;
mod export;
pub mod personal;
mod recording;
mod timers;

pub use error::ExportError;
pub use export::{Export, Options, Verdict, export};
pub use recording::{account_of_event, scopes_of};
