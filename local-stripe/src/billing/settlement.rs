//! The payments of invoices, and their consequences.

pub mod attached;
pub mod balance;
pub mod credits;
pub mod ended;
pub mod outcome;
pub mod settle;
