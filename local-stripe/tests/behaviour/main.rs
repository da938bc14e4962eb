//! The sandbox's behaviour, tested by calls without HTTP.

#![allow(clippy::unwrap_used)]

mod account_details;
mod accounts;
mod api_faults;
mod automatic_tax;
mod cards;
mod catalog;
mod change;
mod charges;
mod checkout;
mod checkout_fields;
mod connect;
mod connect_charges;
mod connected;
mod cycle;
mod debits;
mod discounts;
mod entitlements;
mod guards;
mod invoice_settings;
mod item_discounts;
mod legacy;
mod mandates;
mod meters;
mod money;
mod payments;
mod periods;
mod play;
mod previews;
mod pricing;
mod refusals;
mod schedules;
mod setup;
mod stories;
mod subscriptions;
mod tax_ids;
mod taxes;
mod versions;
mod walk;
