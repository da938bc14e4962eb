//! Stripe provider: carries out the `stripe.*` effects.
//!
//! async-stripe builds the requests; our own client sends them once each, with an idempotency key, because
//! async-stripe's hides `Retry-After` and `Date`, does not limit responses and rejects objects of older API versions.
//! Created objects carry [`marks`], which identify them after Stripe has forgotten the key.

mod api;
mod config;
mod events;
mod failure;
mod kinds;
pub mod marks;
mod payload;
mod provider;
mod recovery;

pub use config::{AccountType, Config, Mode};
pub use events::{EVENTS_MAX, Events};
pub use failure::Failed;
pub use provider::{KINDS, Stripe};
