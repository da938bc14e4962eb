//! A stand-in for the host of a Solobase platform, written from what is known of its calls (`docs/solobase.md`).
//!
//! [`database`] is its database service, on SQLite.

pub mod database;
