//! Stripe scenarios that need more than a scenario file: host faults, many orders, shapes without base bodies.

#[path = "stripe/crash.rs"]
mod crash;
#[path = "stripe/failing.rs"]
mod failing;
#[path = "stripe/orders.rs"]
mod orders;
#[path = "stripe/shapes.rs"]
mod shapes;
#[path = "stripe/story_bytes.rs"]
mod story_bytes;
#[path = "stripe/timers.rs"]
mod timers;
