//! Tests of the intake, one function per scenario.

mod body;
mod common;
mod envelope;
mod json;
mod properties;
mod raw;
mod request;
mod signature;
mod webhook;
