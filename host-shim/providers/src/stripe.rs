//! Stripe provider: carries out the `stripe.*` effects. async-stripe builds the requests, and our own client sends each one once, because
//! async-stripe's client hides `Retry-After` and `Date`, does not limit the size of responses, and rejects objects of older API versions.
//! Requests that create or change an object have an idempotency key. Created objects have ownership [`marks`], which identify them after
//! Stripe has forgotten the key.

mod api;
mod config;
mod events;
mod failure;
mod kinds;
pub mod marks;
mod objects;
mod open;
mod payload;
mod provider;
mod recovery;

pub use config::{AccountType, Config, Mode};
pub use events::EVENTS_MAX;
pub use failure::Failed;
pub use open::StripeSettings;
pub use provider::{KINDS, Stripe};
