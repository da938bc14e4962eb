//! Carries out the `stripe.*` effects.
//!
//! async-stripe builds the requests, so that their parameters match its API version; our own client sends them, because
//! async-stripe's hides `Retry-After` and `Date`, does not limit responses, and rejects objects of older API versions.
//! Each request is sent once, with an idempotency key derived from the effect's scope, key and generation. Created
//! objects carry [`marks`] in their metadata, which identify them after Stripe has forgotten the key.

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
