//! A local Stripe server that works with real Stripe clients.
//!
//! [`sandbox::Sandbox`] is one Stripe account. It is deterministic: the same requests give the same responses and
//! events. [`server`] adds HTTP and webhook delivery, [`store`] the state file, [`cli`] the command, [`story`] the
//! named stories, and [`reference`](mod@reference) the generated tables of the documentation.

#![cfg_attr(test, allow(clippy::unwrap_used))]
#![recursion_limit = "256"] // The complete objects are long `json!` literals.

pub mod access;
pub mod api;
pub mod api_faults;
pub mod billing;
pub mod calendar;
pub mod cards;
pub mod checkout;
pub mod cli;
pub mod clock;
pub mod colour;
pub mod connect;
pub mod debits;
pub mod descriptor;
pub mod discount;
pub mod entitlements;
pub mod error;
pub mod event;
pub mod event_types;
pub mod files;
pub mod fixtures;
pub mod form;
pub mod identity;
pub mod ids;
pub mod model;
pub mod money;
pub mod object;
pub mod params;
pub mod payment_link;
pub mod payments;
pub mod pdf;
pub mod plans;
pub mod portal;
pub mod pricing;
pub mod reference;
pub mod sandbox;
pub mod search;
pub mod server;
pub mod settings;
pub mod shapes;
pub mod state;
pub mod store;
pub mod story;
pub mod tax;
pub mod tax_ids;
pub mod version;
pub mod webhook;
