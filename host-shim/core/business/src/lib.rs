//! Businesses: their folders with catalog, declarations, routes, tables, pages and mails, and the start of a host with one.

pub mod bundle;
mod core_level;
pub mod folder;
pub mod manifest;
pub mod pages;
mod refused;
pub mod rehearsal;
pub mod routes;
mod start;
pub mod tables;
pub mod template;
#[cfg(test)]
mod test_folder;
pub mod yaml;

pub use start::{Setup, StartError};
