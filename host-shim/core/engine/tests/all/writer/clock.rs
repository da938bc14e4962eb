//! Tests of advancing the clock: it stops wherever something is due, and waits for the calls of providers.

use super::events::T0;
use super::toy::ToyRunner;
use super::{ListenerEvent, accept, host, spawn_host};
use host_engine::clock::Clock;
use host_engine::writer::{JobError, Jobs, WriterLimits};
use host_provider_api::{CallOutcome, Registry, Reply};
use host_store::MemoryStore;
use serde_json::json;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

const MINUTE: i64 = 60_000;

fn advance(jobs: &Jobs, to: i64) -> Receiver<Result<i64, JobError>> {
    let (sender, reached) = channel();
    jobs.advance_then(to, Box::new(move |time| drop(sender.send(time)))).unwrap();
    reached
}

/// Returns the keys of the next calls, and the calls.
fn calls(events: &Receiver<ListenerEvent>) -> Vec<host_provider_api::Call> {
    loop {
        if let ListenerEvent::Calls(calls) = events.recv_timeout(Duration::from_secs(20)).unwrap() {
            return calls;
        }
    }
}

#[test]
fn the_clock_stops_at_each_due_time_and_waits_for_the_answer_of_each_call() {
    let toys = host(Box::new(MemoryStore::new()), Registry::new(), ToyRunner::new(1), Clock::manual(T0));
    let (writer, events) = spawn_host(toys, WriterLimits::default());
    let jobs = writer.jobs().clone();
    let mail = |key: &str, at: i64| json!({"kind": "mail.send", "key": key, "not_before": at});
    let ask = json!({"ask": [mail("m1", T0 + MINUTE), mail("m2", T0 + 2 * MINUTE), mail("m9", T0 + 90 * MINUTE)]});
    accept(&jobs, "c1", "a", ask).wait().unwrap();
    let reached = advance(&jobs, T0 + 30 * MINUTE);
    for (key, at) in [("m1", T0 + MINUTE), ("m2", T0 + 2 * MINUTE)] {
        let call = calls(&events).remove(0);
        assert_eq!(call.key, key);
        assert_eq!(jobs.with_host(|host| host.clock().latest()).unwrap(), at, "the clock stands still for {key}");
        assert_eq!(reached.recv_timeout(Duration::from_millis(50)), Err(RecvTimeoutError::Timeout));
        jobs.finish(call, Reply::Answer(CallOutcome::Done(json!({})))).unwrap();
    }
    assert_eq!(reached.recv().unwrap(), Ok(T0 + 30 * MINUTE));
    let later = advance(&jobs, T0);
    assert_eq!(later.recv().unwrap(), Ok(T0 + 30 * MINUTE), "an earlier time only waits");
    let (host, _) = (writer.stop().unwrap(), events);
    let rows = host.processor().store().effects_open_after(host.processor().partition(), 0, usize::MAX).unwrap();
    assert_eq!(rows.iter().map(|row| row.effect.key.as_str()).collect::<Vec<_>>(), ["m9"]);
}

#[test]
fn polls_of_work_in_real_time_do_not_stop_a_clock_ahead_of_the_system() {
    let clock = Clock::ahead_of_system(0);
    let now = clock.latest();
    let toys = host(Box::new(MemoryStore::new()), Registry::new(), ToyRunner::new(1), clock);
    let (writer, events) = spawn_host(toys, WriterLimits::default());
    let jobs = writer.jobs().clone();
    accept(&jobs, "c1", "a", json!({"ask": [{"kind": "mail.send", "key": "m1"}]})).wait().unwrap();
    let call = calls(&events).remove(0);
    let working = CallOutcome::InProgress { after_ms: MINUTE, token: "later".to_owned() };
    jobs.finish(call, Reply::Answer(working.clone())).unwrap();
    let reached = advance(&jobs, now + 60 * MINUTE);
    // One poll at the end, instead of one in each minute.
    let polled = calls(&events).remove(0);
    assert_eq!(polled.token.as_deref(), Some("later"));
    jobs.finish(polled, Reply::Answer(working)).unwrap();
    assert!(reached.recv().unwrap().is_ok_and(|reached| reached >= now + 60 * MINUTE));
    drop(writer.stop());
    let more = events.try_iter().filter(|event| matches!(event, ListenerEvent::Calls(_))).count();
    assert_eq!(more, 0);
}

#[test]
fn the_clock_of_the_system_is_not_advanced() {
    let clock = Clock::system();
    let now = clock.latest();
    let toys = host(Box::new(MemoryStore::new()), Registry::new(), ToyRunner::new(1), clock);
    let (writer, _events) = spawn_host(toys, WriterLimits::default());
    assert_eq!(advance(writer.jobs(), now + 60 * MINUTE).recv().unwrap(), Err(JobError::RealTime));
    let after = writer.jobs().with_host(|host| host.clock_mut().now()).unwrap();
    assert!(after < now + 30 * MINUTE, "{after}");
    drop(writer.stop());
}
