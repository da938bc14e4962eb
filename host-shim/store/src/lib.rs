//! State, inbox, outbox and claims: one trait, in memory and in SQLite, and the transaction that an extension sees.
//!
//! A [`Store`] keeps rows; it decides nothing. A [`Transaction`] is one event's view of it: reads go through its own
//! writes to the store, and what it wrote leaves as [`Changes`] that the store applies whole or not at all.

mod changes;
mod memory;
mod prefix;
mod rows;
mod scope;
mod sqlite;
mod state;
mod store;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod transaction;

pub use changes::{Changes, EffectChange, InboxChange};
pub use memory::MemoryStore;
pub use rows::{
    ClaimRow, EffectRow, EffectState, InboxRow, InboxState, Lease, MESSAGE, NewInboxRow, Provenance, TIMER, TimerRow,
};
pub use scope::Scope;
pub use sqlite::{OpenError, SqliteStore, Synchronous};
pub use state::{state_document, state_hash};
pub use store::{Inserted, Store};
pub use transaction::{Access, AskedEffect, ConfigError, Context, Declared, LogEntry, Trace, Transaction};

#[cfg(test)]
mod tests;
