//! Tests the provider against a double of the management API, with a proxy that injects faults.

#![allow(clippy::unwrap_used)]

mod adopted;
mod awake;
mod bench;
mod errors;
mod faults;
mod life;
