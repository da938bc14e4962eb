//! Tests of the outbox, with a store in memory, the scripted provider, and the toy extension, whose events contain
//! their decisions.
#![allow(clippy::unwrap_used)]

use crate::processor::{events, toy};

mod erase;
mod far;
mod fate;
mod host_kinds;
mod intervene;
mod leases;
mod ordering;
mod partitions;
mod recovery;
mod time;
mod turns;
mod two_hosts;
mod uses;

use events::{T0, command, lines};
use extension_contract::{EffectReport, Timestamp};
use host_engine::outbox::Outbox;
use host_engine::processor::{Business, Processor};
use host_provider_api::Registry;
use host_provider_api::scripted::{Scripted, ScriptedAnswer};
use host_store::{EffectRow, MemoryStore, Store};
use serde_json::{Value, json};
use std::sync::Arc;

/// Creates an outbox over `store` with the scripted provider.
pub fn over(store: Box<dyn Store>, scripted: &Scripted) -> Outbox {
    of(Business { name: "toys".into(), ..Business::default() }, store, scripted)
}

/// Creates an outbox of another business or mode.
pub fn of(business: Business, store: Box<dyn Store>, scripted: &Scripted) -> Outbox {
    let processor = Processor::new(store, Box::new(toy::ToyRunner::new(1)), business).unwrap();
    Outbox::new(processor, Registry::with_default(Arc::new(scripted.clone())))
}

pub fn outbox() -> (Outbox, Scripted) {
    let scripted = Scripted::new();
    (over(Box::new(MemoryStore::new()), &scripted), scripted)
}

/// Accepts a command of account `a` that requests these effects.
pub fn ask(outbox: &mut Outbox, id: &str, effects: Value) {
    let reports = outbox.accept(command(id, "a", T0, json!({"ask": effects})), Vec::new()).unwrap();
    assert_eq!(lines(&reports), [format!("{id}: applied")]);
}

pub fn run(outbox: &mut Outbox, now: Timestamp) -> Vec<String> {
    lines(&outbox.run_until_quiet(now).unwrap())
}

pub fn advance(outbox: &mut Outbox, until: Timestamp) -> Vec<String> {
    lines(&outbox.advance_to(until).unwrap())
}

/// Returns the effect result of account `a`, by the id of the event.
pub fn result(outbox: &Outbox, event_id: &str) -> EffectReport {
    let processor = outbox.processor();
    let (scope, id) = (processor.scope(events::user("a")), format!("result/{event_id}"));
    let record = host_engine::read::record(processor.store(), &scope, toy::COLLECTION, &id).unwrap();
    serde_json::from_str(&record.expect("a result").value).unwrap()
}

/// Returns the effects of account `a` under a key, oldest generation first.
pub fn effect(outbox: &Outbox, key: &str) -> Vec<EffectRow> {
    let processor = outbox.processor();
    processor.store().effect(&processor.scope(events::user("a")), key).unwrap()
}

/// Returns `key#attempt` of each call so far.
pub fn calls(scripted: &Scripted) -> Vec<String> {
    let entry = |entry: &host_provider_api::scripted::Entry| format!("{}#{}", entry.call.key, entry.call.attempt);
    scripted.journal().iter().map(entry).collect()
}

pub fn retryable() -> ScriptedAnswer {
    ScriptedAnswer::Retryable { code: "throttled".into(), message: "too many requests".into() }
}
