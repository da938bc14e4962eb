//! The store in PostgreSQL against a real server.

mod conformance;
mod copy;
mod support;
