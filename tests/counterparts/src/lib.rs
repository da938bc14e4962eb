//! Real servers that tests talk to: installed once into `target/counterparts`, started for a test on a free port of
//! 127.0.0.1, and stopped when they are dropped. What can't be installed fails the test with the line that installs it.
//! Of a service that can be had nowhere else, [`Supabase`], there is a double by its published schema.
//!
//! Everything here is for tests, so it panics with what went wrong instead of returning it.

mod install;
mod moto;
mod postgres;
pub mod proxy;
mod run;
mod s3rver;
mod server;
mod smtp;
mod supabase;

pub use install::{apt, chromium, folder, node, program, venv};
pub use moto::Moto;
pub use postgres::Postgres;
pub use proxy::{Fault, FaultProxy, Protocol};
pub use run::{run, succeeds};
pub use s3rver::S3rver;
pub use server::{Server, free_port};
pub use smtp::Smtp;
pub use supabase::{Project, Supabase};
