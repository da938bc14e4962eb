//! New objects, complete, in the newest shape. Each function only builds; storing and events are the caller's.

pub mod billing;
pub mod catalog;
pub mod checkout;
pub mod customer;
pub mod payment;
pub mod portal;
pub mod price;
