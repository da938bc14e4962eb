//! Resources on this machine, so that a whole business runs on a laptop without an account at any cloud.
//!
//! A database is a SQLite file, a bucket a folder, a function a small HTTP server for one instance, which has its own database
//! and nobody else's. One server on 127.0.0.1 stands before all functions and finds the right one by the request's host,
//! `http://NAME.localhost:PORT`. All of it is kept in one folder and is there again after a restart.

mod alias;
mod bucket;
mod content;
mod database;
mod error;
mod function;
mod page;
mod provider;
mod server;
mod shelf;

pub use error::LocalError;
pub use provider::{Local, PATTERNS};
