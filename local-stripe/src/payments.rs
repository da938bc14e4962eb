//! Payments: payment methods, attempts, 3-D Secure, refunds and disputes.

pub mod attempt;
pub mod authorization;
pub mod balance;
pub mod cash;
pub mod charge;
pub mod confirmation;
pub mod dispute;
pub mod intent;
pub mod ledger;
pub mod mandate;
pub mod method;
pub mod microdeposits;
pub mod radar;
pub mod refund;
pub mod setup;
pub mod source;
pub mod token;
