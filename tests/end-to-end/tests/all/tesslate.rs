//! Tesslate Studio as data: credits and shared sales under random operations, invoices and listings.

mod credits;
mod invoices;
mod listings;
mod splits;
mod support;
