//! Local provider: resources on this machine, so that a whole business runs without a cloud account.
//!
//! A database is a SQLite file, a bucket a folder, a function a small HTTP server with access to its own database only.
//! One server on 127.0.0.1 serves all functions by the request's host, `http://NAME.localhost:PORT`. Everything is
//! stored in one folder and survives a restart.

mod alias;
mod bucket;
mod content;
mod database;
mod error;
mod function;
mod page;
mod provider;
mod server;
mod store;

pub use error::LocalError;
pub use provider::{Local, PATTERNS};
