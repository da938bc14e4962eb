//! A stand-in for the host of a Solobase platform, written from what is known of its calls (`docs/solobase.md`).
//!
//! [`guest`] runs a block under wasmi within limits and [`rights`], [`services`] are what the block may call, [`database`] is the
//! database service on SQLite, and [`server`] maps HTTP.

pub mod database;
pub mod guest;
pub mod rights;
pub mod server;
pub mod services;
