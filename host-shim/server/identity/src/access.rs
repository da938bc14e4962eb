//! The API keys of a server, in a SQLite file next to the store or in PostgreSQL.
//!
//! The table contains the hash of each key, never the key. A key belongs to one business in one mode, acts as one
//! actor, and can access either the actor's own account, or named accounts, or all accounts.

mod caller;
mod keys;
mod token;

pub use caller::{Caller, Reach, SERVER};
pub use keys::{AccessError, KeyRow, Keys, NewKey, SHAPE};
pub use token::{BadToken, Token};
