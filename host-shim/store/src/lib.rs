//! State, inbox, outbox and claims: one trait, in memory and in SQLite, and the transaction that an extension sees.
//!
//! A [`Store`] keeps rows; it decides nothing. A [`Transaction`] is one event's view of it: reads go through its own
//! writes to the store, and what it wrote leaves as [`Changes`] that the store applies whole or not at all.

mod changes;
mod rows;
mod scope;
mod store;

pub use changes::{Changes, EffectChange, InboxChange};
pub use rows::{ClaimRow, EffectRow, EffectState, InboxRow, InboxState, NewInboxRow, Provenance, TimerRow};
pub use scope::Scope;
pub use store::{Inserted, Store};
