//! Subscriptions, their schedules and quotes over time. Builds on [`invoicing`](super::invoicing) and
//! [`settlement`](super::settlement).

pub mod actions;
pub mod anchor;
pub mod change;
pub mod create;
pub mod cycle;
pub mod end;
pub mod phases;
pub mod quote;
pub mod schedule;
