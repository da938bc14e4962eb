//! Builders of new objects, complete and in the newest shape. The builders neither store objects nor emit events; their
//! callers do.

pub mod account;
pub mod balance;
pub mod billing;
pub mod billing_credit;
pub mod cash;
pub mod catalog;
pub mod checkout;
pub mod credit_note;
pub mod customer;
pub mod discount;
pub mod entitlements;
pub mod file;
pub mod mandate;
pub mod meter;
pub mod payment;
pub mod payment_link;
pub mod portal;
pub mod price;
pub mod quote;
pub mod schedule;
pub mod setup;
pub mod tax_id;
pub mod tax_rate;
pub mod transfer;
