//! What is known of an account, and the only rules by which it is merged: rows as typed values, keys, times, money.
//!
//! Knows nothing but the contract. Everything above it reads and writes the account through here.

pub(crate) mod account;
pub(crate) mod concern;
pub(crate) mod effect;
pub(crate) mod gather;
pub(crate) mod halt;
pub(crate) mod json;
pub(crate) mod keys;
pub(crate) mod ledger;
pub(crate) mod merge;
pub(crate) mod message;
pub(crate) mod money;
pub(crate) mod notice;
pub(crate) mod reader;
pub(crate) mod records;
pub(crate) mod secret;
pub(crate) mod shared;
pub(crate) mod table;
pub(crate) mod time;
