//! Concurrent callers through the writer of a host on SQLite, with the extension and providers.

mod catalog;
mod load;
pub mod support;
mod webhooks;
