//! Billing: subscriptions, their invoices, and their changes over time.

pub mod alerts;
pub mod anchor;
pub mod attached;
pub mod billed;
pub mod change;
pub mod create;
pub mod credit_note;
pub mod credits;
pub mod cycle;
pub mod due;
pub mod end;
pub mod intervals;
pub mod invoice;
pub mod invoice_settings;
pub mod items;
pub mod phases;
pub mod proration;
pub mod quote;
pub mod schedule;
pub mod settle;
pub mod tax;
pub mod threshold;
pub mod usage;
