//! The store in PostgreSQL against a real server.

mod conformance;
mod connection;
mod copy;
mod handles;
mod support;
