//! Tests of the processor, with a store in memory and the toy extension, whose events contain their decisions.
#![allow(clippy::unwrap_used)]

mod conflicts;
pub mod events;
mod failing;
mod group;
mod limit;
mod log_replay;
mod modes;
mod partitions;
mod permitted;
mod placing;
mod products;
mod questions;
mod replies;
mod runs;
pub mod toy;
mod versions;
mod waiting;

use extension_contract::{Event, Timestamp};
use host_engine::processor::{Business, Processor, Report};
use host_store::{MemoryStore, Store};

pub fn business() -> Business {
    Business { name: "toys".into(), catalog_hash: "catalog".into(), ..Business::default() }
}

pub fn over(store: Box<dyn Store>) -> Processor {
    Processor::new(store, Box::new(toy::ToyRunner::new(1)), business()).unwrap()
}

pub fn processor() -> Processor {
    over(Box::new(MemoryStore::new()))
}

/// Accepts events one by one; returns the lines of all reports.
pub fn accept(processor: &mut Processor, events: Vec<Event>) -> Vec<String> {
    let all: Vec<Report> = events.into_iter().flat_map(|event| processor.accept(event, Vec::new()).unwrap()).collect();
    events::lines(&all)
}

pub fn retry(processor: &mut Processor, now: Timestamp) -> Vec<String> {
    events::lines(&processor.retry_due(now).unwrap())
}
