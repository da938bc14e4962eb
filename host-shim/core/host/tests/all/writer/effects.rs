//! Tests of effects: providers are called outside of the writer, after the commit; their replies return through the
//! writer.

use super::events::{T0, lines};
use super::toy::ToyRunner;
use super::{ListenerEvent, accept, host, play, spawn, spawn_host};
use host::clock::Clock;
use host::writer::WriterLimits;
use host_provider_api::{Call, CallOutcome, Provider, Registry};
use host_store::testing::{Faults, Moment, Then};
use host_store::{EffectState, MemoryStore};
use serde_json::json;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Duration;

struct Mails;

impl Provider for Mails {
    fn call(&self, call: &Call) -> CallOutcome {
        CallOutcome::Done(json!({"sent": call.key}))
    }
}

fn mails() -> Registry {
    Registry::with_default(Arc::new(Mails))
}

fn ask(key: &str) -> serde_json::Value {
    json!({"ask": [{"kind": "mail.send", "key": key}]})
}

/// Returns the next calls that the listener receives.
fn calls(events: &Receiver<ListenerEvent>) -> Vec<Call> {
    let wait = Duration::from_secs(20);
    loop {
        if let ListenerEvent::Calls(calls) = events.recv_timeout(wait).unwrap() {
            return calls;
        }
    }
}

/// Returns the lines of the next committed runs.
fn committed(events: &Receiver<ListenerEvent>) -> Vec<String> {
    let wait = Duration::from_secs(20);
    loop {
        if let ListenerEvent::Committed(reports) = events.recv_timeout(wait).unwrap() {
            return lines(&reports);
        }
    }
}

#[test]
fn a_slow_call_does_not_block_other_events() {
    let store = Box::new(MemoryStore::new());
    let (writer, events) =
        spawn_host(host(store, mails(), ToyRunner::new(1), Clock::manual(T0)), WriterLimits::default());
    let jobs = writer.jobs().clone();
    accept(&jobs, "c1", "a", ask("m1")).wait().unwrap();
    let call = calls(&events).remove(0);
    let row = jobs.look({
        let key = call.key.clone();
        move |processor| processor.store().effect(&processor.scope(super::events::user("a")), &key).unwrap()
    });
    assert_eq!(row.unwrap()[0].state, EffectState::Running, "the effect is marked before the call");
    // The provider has not answered; the account processes other events.
    assert_eq!(lines(&play(&jobs, "c2").wait().unwrap()), ["c2: applied"]);
    assert_eq!(committed(&events), ["c2: applied"]);
    let reply = mails().call(&call);
    jobs.finish(call, reply).unwrap();
    assert_eq!(committed(&events), ["toys/test/user:a/m1@1: applied"]);
    writer.stop().unwrap();
}

#[test]
fn a_call_whose_result_could_not_be_stored_is_repeated_under_the_same_key() {
    let faults = Faults::new(Box::new(MemoryStore::new()));
    let (writer, events) =
        spawn_host(host(faults.open(), mails(), ToyRunner::new(1), Clock::manual(T0)), WriterLimits::default());
    accept(writer.jobs(), "c1", "a", ask("m1")).wait().unwrap();
    let first = calls(&events).remove(0);
    faults.fail_at(1, Moment::Before, Then::Alive);
    let reply = mails().call(&first);
    writer.jobs().finish(first.clone(), reply.clone()).unwrap();
    let second = calls(&events).remove(0);
    assert_eq!((&second.key, second.generation, second.attempt), (&first.key, first.generation, first.attempt));
    assert!(second.lease > first.lease);
    writer.jobs().finish(second, reply).unwrap();
    assert_eq!(committed(&events), ["toys/test/user:a/m1@1: applied"]);
    writer.stop().unwrap();
}

#[test]
fn effects_requested_before_the_start_are_called_at_the_start() {
    let faults = Faults::new(Box::new(MemoryStore::new()));
    let (writer, events) = spawn(faults.open(), WriterLimits::default());
    accept(writer.jobs(), "c1", "a", ask("m1")).wait().unwrap();
    assert_eq!(calls(&events).len(), 1);
    writer.stop().unwrap();
    let (writer, events) =
        spawn_host(host(faults.open(), mails(), ToyRunner::new(1), Clock::manual(T0)), WriterLimits::default());
    assert_eq!(calls(&events)[0].key, "m1");
    writer.stop().unwrap();
}

#[test]
fn a_timer_fires_by_the_system_clock_without_an_event() {
    let store = Box::new(MemoryStore::new());
    let mut clock = Clock::system();
    let soon = clock.now() + 50;
    let (writer, events) = spawn_host(host(store, mails(), ToyRunner::new(1), clock), WriterLimits::default());
    let timer = json!({"ask": [{"kind": "timer.at", "key": "t", "not_before": soon}]});
    accept(writer.jobs(), "c1", "a", timer).wait().unwrap();
    assert_eq!(committed(&events), ["c1: applied"]);
    assert_eq!(committed(&events), ["toys/test/user:a/t@1: applied"]);
    assert!(writer.stop().unwrap().clock().latest() >= soon, "not before its time");
}
