//! What the sandbox does, call by call, without HTTP.

#![allow(clippy::unwrap_used)]

mod accounts;
mod catalog;
mod change;
mod checkout;
mod cycle;
mod money;
mod payments;
mod play;
mod refusals;
mod schedules;
mod stories;
mod subscriptions;
mod walk;
