//! One HTTPS request of a provider: it is sent once, bounded in time and size, and what goes wrong is said as an
//! [`Answer`]. Nothing is tried again in here: that is the outbox's to do, under the same key.

mod client;
mod date;
mod failure;
mod redact;

pub use client::{Body, Client, ExchangeLimits, Method, Reply, Request};
pub use failure::{CallError, retry_after_ms};
pub use redact::Redacted;
