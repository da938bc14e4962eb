//! Simulates a whole business over many days: customers act at random on local Stripes; the host receives their events
//! late, twice and out of order, over failing providers and through crashes; an oracle checks every account each day.
//!
//! [`catalog`] reads a business's catalog; [`traders`] play the moves of [`trade`] at a [`customer`] of a [`sandbox`]
//! and feed the [`oracle`]; [`judge`] compares a host with it; [`simulate`] runs many customers. Shares no code with
//! the extension.

pub mod books;
pub mod catalog;
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
pub mod sandbox;
mod shard;
pub mod simulate;
pub mod story;
pub mod trade;
pub mod traders;
