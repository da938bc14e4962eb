//! Local provider: creates resources on this machine, so that a whole business runs without a cloud account.
//!
//! A database is a SQLite file, and a bucket is a folder. A function serves a notebook over HTTP and can access only
//! its own database and bucket. One server on 127.0.0.1 serves all functions; it finds the function by the request's
//! host, `http://NAME.localhost:PORT`. All resources are stored in one folder and survive a restart.

mod alias;
mod away;
mod backups;
mod bucket;
mod content;
mod database;
mod entries;
mod error;
mod function;
mod notebook;
mod objects;
mod open;
mod page;
mod provider;
mod server;
mod serving;
mod store;

pub use away::{AwayAnswer, AwayPages, AwaySlot};
pub use error::LocalError;
pub use provider::{Local, PATTERNS};
pub use server::lasting_ports;
