//! Sends the HTTPS requests of providers. Each request is sent once, with limits on time and response size. Errors
//! convert to [`host_provider_api::CallOutcome`]. The client does not retry, because the outbox retries under the same
//! key.

mod address;
mod client;
mod date;
mod failure;
mod reach;
mod redact;

pub use address::is_address;
pub use client::{Body, Client, ExchangeLimits, Method, Reply, Request, tls};
pub use failure::{CallError, retry_after_ms};
pub use reach::{BadNetwork, Reach, is_private};
pub use redact::Redacted;
