//! Carries out what is asked of Stripe: the `stripe.*` effects.
//!
//! Requests are built by async-stripe, so that their parameters are those of its version of the API, and sent by a client
//! of our own: async-stripe's tells neither `Retry-After` nor `Date`, takes answers of any size, and reads them into types
//! that refuse objects of older versions. Each request is sent once, with an idempotency key that derives from the effect's
//! scope, key and generation. What is made bears [`marks`] in its metadata, by which it is found again when the key is too
//! old for Stripe to know.

mod api;
mod config;
mod events;
mod failure;
mod kinds;
mod look;
pub mod marks;
mod payload;
mod provider;

pub use config::{AccountType, Config, Mode};
pub use events::{EVENTS_MAX, Events};
pub use failure::Failed;
pub use provider::{KINDS, Stripe};
