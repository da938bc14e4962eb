//! New objects, complete, in the newest shape. Each function only builds; storing and events are the caller's.

pub mod account;
pub mod balance;
pub mod billing;
pub mod catalog;
pub mod checkout;
pub mod credit_note;
pub mod customer;
pub mod discount;
pub mod meter;
pub mod payment;
pub mod payment_link;
pub mod portal;
pub mod price;
pub mod quote;
pub mod schedule;
pub mod setup;
pub mod tax_rate;
pub mod transfer;
