//! The configuration of a server as its operator writes it.

mod common;

#[path = "all/business.rs"]
mod business;
#[path = "all/faults.rs"]
mod faults;
#[path = "all/file.rs"]
mod file;
#[path = "all/samples.rs"]
mod samples;
