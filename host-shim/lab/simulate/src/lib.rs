//! Simulates a whole business over many days. Customers act at random on local Stripes, and the host receives the events late, twice
//! and out of order, while providers fail and the host crashes. At the end of each day, [`judge`] compares the accounts with activity
//! with the [`oracle`], which the [`traders`] update with each move of [`trade`] that they play for a [`customer`] of a [`sandbox`].
//! The crate shares no code with the extension.

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
mod lots;
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
pub mod taxes;
pub mod trade;
pub mod traders;
mod units;
