//! A stand-in for the host of a Solobase platform, written from what is known about its calls (`docs/operate/solobase.md`).
//!
//! [`guest`] runs a block under wasmi, within limits and [`rights`], after reading its description ([`info`]). [`services`] are what the
//! block may call, [`database`] is the database service on SQLite, and [`server`] maps HTTP. The platform has had two periods, which
//! differ in how tables are created and rows are written: [`database::Period`].

pub mod database;
pub mod guest;
pub mod info;
pub mod rights;
pub mod server;
pub mod services;
