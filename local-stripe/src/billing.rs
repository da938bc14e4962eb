//! Billing: subscriptions, their invoices, and their changes over time.

pub mod changes;
pub mod due;
pub mod intervals;
pub mod invoicing;
pub mod items;
pub mod period;
pub mod settlement;
pub mod tax;
