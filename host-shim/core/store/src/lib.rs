//! Stores the state, inbox, outbox and claims of a host. One trait, with implementations in memory and in SQLite.
//!
//! A [`Store`] keeps rows and decides nothing. [`Read::open`] reads everything that an event needs at once.
//! [`Store::apply`] writes the [`Changes`] of an event atomically if the data that the decision read is still as
//! [`Expected`].

mod cell;
mod changes;
pub mod copy;
mod declared;
mod erase;
mod error;
pub mod fault;
pub mod implementation;
mod json;
mod kept;
mod memory;
mod not_state;
mod parse;
mod permitted;
mod prefix;
mod query;
mod reach;
mod records;
mod refusal;
mod rows;
mod schema;
mod scope;
mod sql;
#[cfg(feature = "sqlite")]
mod sqlite;
#[cfg(feature = "sqlite")]
pub mod sqlite_file;
mod state;
mod store;
#[cfg(any(test, feature = "testing"))]
pub mod testing;

pub use changes::{
    Applied, Changes, Conflict, EffectChange, Expected, ExpectedEffect, ExpectedGenerations, InboxChange, InboxMove,
    InboxProgress, NewInbox, RowWrite,
};
pub use declared::{ConfigError, Declared, parse_config};
pub use error::{StoreError, Stored};
pub use fault::fork;
pub use memory::MemoryStore;
pub use not_state::{Excluded, NotState};
pub use permitted::{Permission, Permitted};
pub use rows::{
    AccountRow, ClaimRow, DueQuery, EFFECT_RESULTS, ERASE, EffectRow, EffectState, InboxRow, InboxState, Lease,
    LeaseRequest, MESSAGE, OF_HOST, OpenedRows, PAYMENT_EVENT, PlaceQuery, Placed, Provenance, Run, TIMER,
    TURNS_SEARCHED_MAX, TimerRow, Wait,
};
pub use scope::{Partition, Scope, mode};
#[cfg(feature = "sqlite")]
pub use sqlite::{OpenError, SqliteStore, Synchronous, VIEW_MARK};
pub use state::{state_document, state_hash};
pub use store::{News, NewsPlace, Read, Reader, Store};

#[cfg(test)]
mod tests;
