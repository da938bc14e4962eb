//! Stripe scenarios that need more than a scenario file: host faults, many orders, shapes without base bodies.

mod crash;
mod failing;
mod orders;
mod shapes;
mod story_bytes;
mod timers;
