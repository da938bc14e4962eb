//! How does the host store its state in PostgreSQL, with several hosts at once?
//!
//! Each handle is one connection for one plain thread. What takes several look-ups is one round trip by a function of the database:
//! placing an event and reading its account, and applying a change with its conditions. A change takes advisory locks on what it
//! reads and writes (`locks.rs`), so that the conditions still hold when it commits. Numbers of events are not in the order of
//! commits; readers of the whole log therefore stop below the oldest open transaction.

mod catalog;
mod change;
mod columns;
mod copy;
mod decode;
mod effects;
mod erase;
mod events;
mod locks;
mod news;
mod open;
mod presence;
mod read;
mod schema;
mod script;
mod settings;
mod store;
#[cfg(feature = "tls")]
mod tls;
mod together;
mod wire;

pub use presence::{Absence, Presence, PresenceError};
pub use script::{run_script, run_script_unless_made};
pub use settings::{OpenError, Settings};
pub use store::PostgresStore;
pub use wire::{Params, Wire};
