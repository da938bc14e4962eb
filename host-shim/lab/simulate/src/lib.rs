//! Simulates a whole business over many days. Customers act at random on local Stripes. The host receives the events
//! late, twice and out of order, while providers fail and the host crashes. An oracle checks, at the end of each day,
//! the accounts with activity.
//!
//! [`catalog`] reads a business's catalog. [`traders`] plays the moves of [`trade`] for a [`customer`] of a
//! [`sandbox`], and updates the [`oracle`]. [`judge`] compares a host with the oracle. [`simulate`] runs many
//! customers. The crate shares no code with the extension.

mod at_stripe;
mod balance;
pub mod books;
pub mod catalog;
mod catalogs;
mod chargebacks;
pub mod closing;
mod creators;
pub mod customer;
pub mod done;
mod house;
pub mod judge;
pub mod moves;
pub mod oracle;
mod paid;
mod person;
mod provider;
pub mod rates;
mod record;
pub mod report;
pub mod repricing;
pub mod sales;
pub mod sandbox;
mod shard;
pub mod simulate;
pub mod story;
pub mod trade;
pub mod traders;
