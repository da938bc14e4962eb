//! What the end-to-end tests share: stories that the local Stripe tells, and a host to play them on.
//!
//! [`moves`] are what proptest generates and shrinks. [`people`] play them on a [`sandbox`], which makes a
//! [`story::Story`] with what the local Stripe has on its [`books`] at the end. A failing story is written down as
//! scenarios that the command line tool plays.

pub mod books;
pub mod cases;
pub mod catalog;
pub mod compare;
mod customer;
pub mod moves;
pub mod oracle;
pub mod people;
pub mod play;
pub mod sandbox;
pub mod story;
pub mod trade;
pub mod traders;
pub mod watched;
pub mod world;
