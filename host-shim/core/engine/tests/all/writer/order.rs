//! Tests of order and limits: many producers, one writer.

use super::events::{T0, command, lines};
use super::toy::ToyRunner;
use super::{ListenerEvent, accept, block, decoded, host, inbox, play, spawn, spawn_host};
use host_engine::clock::Clock;
use host_engine::processor::Decider;
use host_engine::turns::Turn;
use host_engine::writer::{Deciders, JobError, WriterLimits};
use host_provider_api::Registry;
use host_store::MemoryStore;
use host_store::testing::Faults;
use serde_json::json;
use std::sync::mpsc::channel;
use std::time::Duration;

#[test]
fn commits_are_in_inbox_order_with_many_senders() {
    const PRODUCERS: usize = 8;
    const EACH: usize = 60;
    let (writer, events) = spawn(Box::new(MemoryStore::new()), WriterLimits { waiting: 16, ..WriterLimits::default() });
    let seqs: Vec<Vec<u64>> = std::thread::scope(|scope| {
        let producer = |producer: usize| {
            let jobs = writer.jobs().clone();
            scope.spawn(move || {
                let tickets: Vec<_> = (0..EACH)
                    .map(|n| accept(&jobs, &format!("c{producer}-{n}"), &format!("u{}", n % 5), json!({})))
                    .collect();
                tickets.into_iter().map(|ticket| ticket.wait().unwrap()[0].seq).collect::<Vec<u64>>()
            })
        };
        let producers: Vec<_> = (0..PRODUCERS).map(producer).collect();
        producers.into_iter().map(|producer| producer.join().unwrap()).collect()
    });
    for of_producer in &seqs {
        assert!(of_producer.is_sorted(), "the jobs of one producer keep their order");
    }
    let host = writer.stop().unwrap();
    assert_eq!(inbox(&host).len(), PRODUCERS * EACH);
    let committed = events.iter().filter_map(|event| match event {
        ListenerEvent::Committed(reports) => Some(reports[0].seq),
        _ => None,
    });
    let committed: Vec<u64> = committed.collect();
    let all: Vec<u64> = (2..).take(PRODUCERS * EACH).collect();
    assert_eq!(committed, all, "in order of acceptance, each once, after the catalog");
}

#[test]
fn waiting_jobs_are_committed_together_up_to_the_group_size() {
    for (group, commits) in [(1, 6), (4, 2), (64, 1)] {
        let faults = Faults::new(Box::new(MemoryStore::new()));
        let (writer, _events) = spawn(faults.open(), WriterLimits { group, ..WriterLimits::default() });
        let release = block(writer.jobs());
        let tickets: Vec<_> = (0..6).map(|n| play(writer.jobs(), &format!("c{n}"))).collect();
        // This write is never reached. The call resets the count of writes.
        faults.fail_at(u64::MAX, host_store::testing::Moment::Before, host_store::testing::Then::Alive);
        drop(release);
        for ticket in tickets {
            assert_eq!(ticket.wait().unwrap()[0].result.name(), "applied");
        }
        writer.stop().unwrap();
        assert_eq!(faults.writes(), 6 + 2 * commits, "{commits} groups of at most {group}");
    }
}

#[test]
fn a_job_beyond_the_limit_is_busy_or_waits() {
    let limits = WriterLimits { waiting: 3, ..WriterLimits::default() };
    let (writer, _events) = spawn(Box::new(MemoryStore::new()), limits);
    let jobs = writer.jobs().clone();
    let release = block(&jobs);
    let send = |id: &str| jobs.try_accept(decoded(command(id, "a", T0, json!({}))), Vec::new());
    let tickets: Vec<_> = ["c1", "c2", "c3"].map(|id| send(id).unwrap()).into();
    assert_eq!(send("c4").err(), Some(JobError::Busy { waiting: 3 }));
    let patient = std::thread::spawn({
        let jobs = jobs.clone();
        move || play(&jobs, "c5").wait()
    });
    std::thread::sleep(Duration::from_millis(20));
    assert!(!patient.is_finished(), "the job waits for room");
    drop(release);
    for ticket in tickets {
        ticket.wait().unwrap();
    }
    assert_eq!(lines(&patient.join().unwrap().unwrap()), ["c5: applied"]);
    assert_eq!(inbox(&writer.stop().unwrap()), ["c1", "c2", "c3", "c5"], "the refused job is not stored");
    assert_eq!(send("c6").err(), Some(JobError::Ended));
}

#[test]
fn a_stopped_writer_finishes_earlier_jobs_and_accepts_no_more() {
    let (writer, _events) = spawn(Box::new(MemoryStore::new()), WriterLimits::default());
    let jobs = writer.jobs().clone();
    let ticket = play(&jobs, "c1");
    let host = writer.stop().unwrap();
    assert_eq!(lines(&ticket.wait().unwrap()), ["c1: applied"]);
    assert_eq!(inbox(&host), ["c1"]);
    assert_eq!(jobs.redrive(1).err(), Some(JobError::Ended));
}

#[test]
fn events_that_other_threads_decide_are_each_committed_once() {
    const EVENTS: usize = 300;
    let host = host(Box::new(MemoryStore::new()), Registry::new(), ToyRunner::new(1), Clock::manual(T0));
    let decider = |_| Decider::of(host.processor(), Box::new(ToyRunner::new(1))).unwrap();
    let (deciders, clock) = ((0..3).map(decider).collect(), host.clock().source().clone());
    let (writer, _events) = spawn_host(host, WriterLimits::default());
    let deciders = Deciders::spawn(deciders, &clock, writer.jobs(), EVENTS).unwrap();
    let (answers, answered) = channel();
    for n in 0..EVENTS {
        // Each tenth event is a repetition of the one before.
        let n = if n % 10 == 9 { n - 1 } else { n };
        let doing = json!({"note": [format!("f{n}")]});
        let answers = answers.clone();
        let event = decoded(command(&format!("c{n}"), &format!("u{}", n % 7), T0, doing));
        let answer = Box::new(move |answer| answers.send(answer).unwrap());
        deciders.try_accept_then(Turn::Webhook, event, Vec::new(), answer).unwrap();
    }
    // The events that wait now are passed on before the threads end.
    deciders.stop();
    drop(answers);
    let outcomes: Vec<&str> = answered.iter().map(|answer| answer.unwrap()[0].result.name()).collect();
    assert_eq!(outcomes.iter().filter(|name| **name == "applied").count(), EVENTS - EVENTS / 10);
    assert_eq!(outcomes.iter().filter(|name| **name == "duplicate").count(), EVENTS / 10);
    assert_eq!(inbox(&writer.stop().unwrap()).len(), EVENTS - EVENTS / 10);
}
