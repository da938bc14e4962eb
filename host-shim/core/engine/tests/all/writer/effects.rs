//! Tests of effects: providers are called outside of the writer, after the commit; their replies return through the
//! writer.

use super::events::{T0, lines, user};
use super::toy::ToyRunner;
use super::{ListenerEvent, accept, host, play, spawn, spawn_host};
use host_engine::clock::Clock;
use host_engine::writer::{Jobs, WriterLimits};
use host_provider_api::{Call, CallOutcome, Provider, Registry, Room};
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
        move |processor| processor.store().effect(&processor.scope(user("a")), &key).unwrap()
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
fn a_result_that_could_not_be_stored_is_stored_later_without_a_second_call() {
    let faults = Faults::new(Box::new(MemoryStore::new()));
    let (writer, events) =
        spawn_host(host(faults.open(), mails(), ToyRunner::new(1), Clock::manual(T0)), WriterLimits::default());
    accept(writer.jobs(), "c1", "a", ask("m1")).wait().unwrap();
    let call = calls(&events).remove(0);
    faults.fail_at(1, Moment::Before, Then::Alive);
    let reply = mails().call(&call);
    writer.jobs().finish(call, reply).unwrap();
    let mut seen = Vec::new();
    while !seen.iter().any(|event| matches!(event, ListenerEvent::Committed(_))) {
        seen.push(events.recv_timeout(Duration::from_secs(20)).unwrap());
    }
    let seen: Vec<String> = seen.iter().map(told).collect();
    assert_eq!(seen, ["failed", "toys/test/user:a/m1@1: applied"]);
    writer.stop().unwrap();
}

fn told(event: &ListenerEvent) -> String {
    match event {
        ListenerEvent::Calls(calls) => format!("{} calls", calls.len()),
        ListenerEvent::Committed(reports) => lines(reports).join(", "),
        ListenerEvent::Failed(_) => "failed".to_owned(),
    }
}

/// A provider with room for two calls.
struct Small;

impl Provider for Small {
    fn call(&self, _: &Call) -> CallOutcome {
        CallOutcome::Done(json!({}))
    }

    fn room(&self) -> Room {
        Room { at_once: 2, per_account: 2, ..Room::default() }
    }
}

/// Returns the effects of an account that are leased now.
fn leased(jobs: &Jobs, account: &str) -> Vec<String> {
    let scope = user(account);
    let running = jobs.look(move |processor| processor.store().effects_running(processor.partition()).unwrap());
    let running = running.unwrap().into_iter().filter(|row| row.scope.account == scope);
    running.map(|row| row.effect.key).collect()
}

#[test]
fn a_provider_gets_as_many_calls_as_it_has_room_for_and_the_others_wait_without_a_lease() {
    let mut registry = mails();
    registry.register(&["database"], Arc::new(Small));
    let store = Box::new(MemoryStore::new());
    let (writer, events) =
        spawn_host(host(store, registry, ToyRunner::new(1), Clock::manual(T0)), WriterLimits::default());
    let jobs = writer.jobs();
    let slow: Vec<_> = (1..=5).map(|n| json!({"kind": "database.ensure", "key": format!("d{n}")})).collect();
    accept(jobs, "c1", "a", json!({"ask": slow})).wait().unwrap();
    let begun = calls(&events);
    assert_eq!(begun.iter().map(|call| &*call.key).collect::<Vec<_>>(), ["d1", "d2"]);
    accept(jobs, "c2", "b", ask("m1")).wait().unwrap();
    assert_eq!(calls(&events)[0].key, "m1", "the slow provider holds up no other");
    assert_eq!(leased(jobs, "a"), ["d1", "d2"]);
    jobs.finish(begun[0].clone(), CallOutcome::Done(json!({})).into()).unwrap();
    assert_eq!(calls(&events)[0].key, "d3");
    let of_waiting = |key: &'static str| {
        let row = jobs.look(move |processor| processor.store().effect(&processor.scope(user("a")), key).unwrap());
        (row.clone().unwrap()[0].state, row.unwrap()[0].attempts)
    };
    assert_eq!(of_waiting("d5"), (EffectState::Queued, 0));
    writer.stop().unwrap();
}

#[test]
fn a_host_that_leaves_begins_no_call_and_takes_the_answers_of_those_that_run() {
    let store = Box::new(MemoryStore::new());
    let (writer, events) =
        spawn_host(host(store, mails(), ToyRunner::new(1), Clock::manual(T0)), WriterLimits::default());
    let jobs = writer.jobs();
    accept(jobs, "c1", "a", ask("m1")).wait().unwrap();
    let begun = calls(&events).remove(0);
    jobs.with_host(|host| host.outbox_mut().leave()).unwrap();
    accept(jobs, "c2", "a", ask("m2")).wait().unwrap();
    jobs.finish(begun, CallOutcome::Done(json!({})).into()).unwrap();
    assert_eq!(committed(&events), ["c2: applied"]);
    assert_eq!(committed(&events), ["toys/test/user:a/m1@1: applied"]);
    assert_eq!(leased(jobs, "a"), [""; 0], "the next host takes the other at once");
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
