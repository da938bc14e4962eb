//! Tests the provider against the local Stripe, with a proxy that injects faults.

#![allow(clippy::unwrap_used)]

mod bench;
mod cases;
mod created_objects;
mod errors;
mod faults;
mod objects;
mod reads;
mod repeated_calls;
mod subscriptions;
