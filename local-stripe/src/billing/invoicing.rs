//! Invoices: their lines, amounts and finalization. Builds on [`settlement`](super::settlement).

pub mod alerts;
pub mod billed;
pub mod credit_note;
pub mod invoice;
pub mod invoice_settings;
pub mod lines;
pub mod proration;
pub mod threshold;
pub mod usage;
