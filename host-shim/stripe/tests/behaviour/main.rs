//! What the sandbox does, call by call, without HTTP.

#![allow(clippy::unwrap_used)]

mod accounts;
mod change;
mod checkout;
mod cycle;
mod debits;
mod discounts;
mod meters;
mod payments;
mod play;
mod previews;
mod refusals;
mod setup;
mod stories;
mod subscriptions;
mod walk;
