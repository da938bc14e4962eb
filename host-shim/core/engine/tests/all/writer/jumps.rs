//! Tests of a system clock that jumps while events, timers and calls are under way.

use super::toy::{RETRY_MS, ToyRunner};
use super::{ListenerEvent, accept, host, inbox, spawn_host};
use host_engine::clock::{Clock, Jumps};
use host_engine::writer::{Jobs, Writer, WriterLimits};
use host_provider_api::{Call, CallOutcome, Registry, Reply};
use host_store::{EffectState, MemoryStore};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::mpsc::Receiver;
use std::time::Duration;

const HOUR: i64 = 3_600_000;
/// The jumps that an operator may cause: to another time zone, and to a wrong month.
const JUMPS: [i64; 2] = [HOUR, 40 * 24 * HOUR];

fn start(jumps: &Jumps) -> (Writer, Receiver<ListenerEvent>, i64) {
    let clock = Clock::system_with(jumps);
    let now = clock.latest();
    let toys = host(Box::new(MemoryStore::new()), Registry::new(), ToyRunner::new(1), clock);
    let (writer, events) = spawn_host(toys, WriterLimits::default());
    (writer, events, now)
}

fn mail(key: &str, not_before: Option<i64>) -> Value {
    json!({"ask": [{"kind": "mail.send", "key": key, "not_before": not_before}]})
}

/// Returns the next call.
fn call(events: &Receiver<ListenerEvent>) -> Call {
    loop {
        if let ListenerEvent::Calls(mut calls) = events.recv_timeout(Duration::from_secs(20)).unwrap() {
            assert_eq!(calls.len(), 1);
            return calls.remove(0);
        }
    }
}

/// Returns the number of open effects.
fn open(jobs: &Jobs) -> usize {
    jobs.look(|processor| processor.store().effects_open_after(processor.partition(), 0, usize::MAX).unwrap().len())
        .unwrap()
}

fn done() -> Reply {
    Reply::Answer(CallOutcome::Done(json!({})))
}

#[test]
fn effects_and_timers_that_a_jump_makes_due_are_carried_out_at_once() {
    for jump in JUMPS {
        let jumps = Jumps::default();
        let (writer, events, now) = start(&jumps);
        let jobs = writer.jobs().clone();
        let timer =
            json!({"kind": "timer.at", "key": "t1", "not_before": now + jump / 2, "payload": {"note": ["rang"]}});
        accept(&jobs, "c1", "a", json!({"ask": [timer]})).wait().unwrap();
        accept(&jobs, "c2", "a", mail("m1", Some(now + jump / 2))).wait().unwrap();
        // The writer waits for the time of the jump.
        assert!(events.try_iter().all(|event| !matches!(event, ListenerEvent::Calls(_))), "nothing is due yet");
        jumps.by(jump);
        let called = call(&events);
        assert_eq!(called.key, "m1");
        jobs.finish(called, done()).unwrap();
        assert_eq!(open(&jobs), 0, "the timer has fired, and the mail is sent");
        let host = writer.stop().unwrap();
        assert!(inbox(&host).iter().any(|id| id.contains("t1")), "{:?}", inbox(&host));
    }
}

#[test]
fn a_clock_that_is_set_back_does_not_hold_up_what_is_due_soon() {
    for jump in JUMPS {
        let jumps = Jumps::default();
        let (writer, events, _) = start(&jumps);
        let jobs = writer.jobs().clone();
        jumps.by(jump);
        accept(&jobs, "c1", "a", mail("m1", None)).wait().unwrap();
        let first = call(&events);
        jumps.by(-jump);
        let busy = CallOutcome::Retry { after_ms: None, code: "busy".to_owned(), message: "later".to_owned() };
        jobs.finish(first.clone(), Reply::Answer(busy)).unwrap();
        // The next attempt is due a second later, and not an hour or 40 days later.
        assert_eq!(RETRY_MS[0], 1_000);
        let second = call(&events);
        assert_eq!((second.key.as_str(), second.attempt), ("m1", first.attempt + 1));
        jobs.finish(second, done()).unwrap();
        assert_eq!(open(&jobs), 0);
        drop(writer.stop());
    }
}

#[test]
fn a_call_during_which_the_clock_jumps_ends_once_and_under_one_key() {
    for (jump, back) in JUMPS.into_iter().flat_map(|jump| [(jump, 0), (jump, jump), (-jump, 0)]) {
        let jumps = Jumps::default();
        let (writer, events, _) = start(&jumps);
        let jobs = writer.jobs().clone();
        accept(&jobs, "c1", "a", mail("m1", None)).wait().unwrap();
        let first = call(&events);
        jumps.by(jump);
        // Events go on during the call.
        accept(&jobs, "c2", "b", json!({})).wait().unwrap();
        jumps.by(-back);
        accept(&jobs, "c3", "b", json!({})).wait().unwrap();
        jobs.finish(first.clone(), done()).unwrap();
        let mut keys = BTreeSet::from([(first.key, first.generation)]);
        // A lease that the jump ended is taken again, for the same key.
        while open(&jobs) > 0 {
            let Ok(ListenerEvent::Calls(calls)) = events.recv_timeout(Duration::from_millis(20)) else { continue };
            for again in calls {
                keys.insert((again.key.clone(), again.generation));
                jobs.finish(again, done()).unwrap();
            }
        }
        assert_eq!(keys.len(), 1, "{keys:?}");
        let host = writer.stop().unwrap();
        let scope = host.processor().scope(extension_contract::Account::User("a".to_owned()));
        let rows = host.processor().store().effect(&scope, "m1").unwrap();
        assert_eq!(rows.iter().map(|row| row.state).collect::<Vec<_>>(), [EffectState::Finished], "by {jump}, {back}");
        let inbox = inbox(&host);
        assert!(["c1", "c2", "c3"].iter().all(|id| inbox.iter().any(|known| known == id)), "{inbox:?}");
        // The answer of a call whose lease the jump has ended is late, and a late success is an event of its own.
        let results = inbox.iter().filter(|id| id.contains("m1") && !id.ends_with("/late")).count();
        assert_eq!(results, 1, "{inbox:?}");
    }
}
