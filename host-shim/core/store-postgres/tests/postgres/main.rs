//! The store in PostgreSQL against a real server.

mod catalog;
mod conformance;
mod connection;
mod copy;
mod handles;
mod migration;
mod news;
mod support;
mod together;
