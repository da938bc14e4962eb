//! Stripe scenarios that a scenario file cannot express: host faults, many orders, API versions without base bodies.

mod crash;
mod failing;
mod orders;
mod shapes;
mod story_bytes;
mod timers;
mod unowned;
