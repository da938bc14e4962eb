//! The data model of an account: typed rows, keys, times and money, and the only rules that merge Stripe's data into
//! rows.
//!
//! Depends on the contract alone. All other layers read and write the account through this module.

pub(crate) mod account;
pub(crate) mod correlation;
pub(crate) mod effect;
pub(crate) mod effect_kinds;
pub(crate) mod halt;
pub(crate) mod ids;
pub(crate) mod json;
pub(crate) mod keys;
pub(crate) mod ledger;
pub(crate) mod mail;
pub(crate) mod mail_kinds;
pub(crate) mod merge;
pub(crate) mod message;
pub(crate) mod money;
pub mod monthly_price;
pub(crate) mod notice;
pub(crate) mod packed;
pub(crate) mod reader;
pub(crate) mod records;
pub(crate) mod secret;
pub(crate) mod shared;
pub(crate) mod table;
pub(crate) mod tables;
pub(crate) mod time;

/// Version of the rows that this library reads and writes.
pub const DATA_VERSION: u32 = 5;
