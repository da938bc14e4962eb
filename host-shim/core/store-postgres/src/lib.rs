//! Stores the host's state in PostgreSQL, where several hosts can share it. Each handle is one connection used by one
//! plain thread. A database function places an event and reads its account, or applies a change and checks its
//! conditions, in one round trip. Advisory locks on what a change reads and writes (`locks.rs`) keep its conditions
//! true until it commits. Event numbers do not follow the order of commits, so readers of the whole log stop below the
//! oldest open transaction. [`small`] keeps the small tables of a server, here or in a SQLite file.

mod apply;
mod catalog;
mod columns;
mod copy;
mod decode;
mod effects;
mod erase;
mod error;
mod group;
mod locks;
mod news;
mod open;
mod others;
mod presence;
mod reader;
mod schema;
mod script;
mod settings;
pub mod small;
mod store;
mod tables;
mod tls;
mod together;
mod wire;

pub use error::OpenError;
pub use presence::{Absence, Presence, PresenceError};
pub use script::{run_script, run_script_unless_made};
pub use settings::Settings;
pub use store::PostgresStore;
pub use wire::{Params, Wire};
