//! HTTPS requests of providers: each is sent once, bounded in time and size. Errors convert to
//! [`host_provider_api::CallOutcome`]. Nothing is retried here: the outbox retries under the same key.

mod client;
mod date;
mod failure;
mod redact;

pub use client::{Body, Client, ExchangeLimits, Method, Reply, Request};
pub use failure::{CallError, retry_after_ms};
pub use redact::Redacted;
