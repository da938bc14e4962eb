//! The views and the row-level security in PostgreSQL.

mod keys;
mod matrix;
mod same;
mod server;
mod steps;
