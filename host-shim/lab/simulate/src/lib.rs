//! A whole business over many days: customers who live by chance on local Stripes, a host that is told of it late, twice,
//! in another order, over providers that fail and through crashes, and an oracle that says each day what must have come of it.
//!
//! [`catalog`] is what a business's catalog says, read by this crate itself; [`trade`] what may happen around an account,
//! [`traders`] those who make it happen at [`customer`]s of a [`sandbox`], with the [`oracle`] beside them; [`judge`] holds a
//! host to what the oracle says. The end-to-end tests tell stories of single accounts with these; [`simulate`] lets
//! many live side by side. None of it shares code with the extension that is judged.

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
