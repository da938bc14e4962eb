//! The store in PostgreSQL against a real server.

mod catalog;
mod conformance;
mod connection;
mod copy;
mod failover;
mod handles;
mod news;
mod pooler;
mod presence;
mod silence;
mod small;
mod support;
mod together;
