//! Tests the provider against real PostgreSQL servers.

mod adopt;
mod backup;
mod faults;
mod isolation;
mod life;
mod steps;
mod support;
