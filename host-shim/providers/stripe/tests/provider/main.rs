//! The provider against the local Stripe, with a proxy between that breaks exchanges.

#![allow(clippy::unwrap_used)]

mod again;
mod bench;
mod cases;
mod errors;
mod faults;
mod reads;
mod subscriptions;
mod what_is_made;
