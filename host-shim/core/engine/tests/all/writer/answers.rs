//! Tests of answers: a job is answered only after its commit.

use super::events::{T0, command, lines, things, user};
use super::toy::{Moment as DecisionMoment, ToyRunner};
use super::{ListenerEvent, accept, block, decoded, host, inbox, play, spawn, spawn_host};
use extension_contract::{Actor, Event, Question, Refusal};
use host_engine::clock::Clock;
use host_engine::outbox::OutboxError;
use host_engine::processor::Questions;
use host_engine::writer::{JobError, WriterLimits};
use host_intake::Decoded;
use host_provider_api::Registry;
use host_store::testing::{Faults, Moment, Then};
use host_store::{MemoryStore, Read, SqliteStore, StoreError};
use serde_json::json;
use std::sync::mpsc::channel;

#[test]
fn an_answer_is_sent_after_its_event_is_durable() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rows.db");
    let (writer, _events) = spawn(Box::new(SqliteStore::open(&file).unwrap()), WriterLimits::default());
    let release = block(writer.jobs());
    let (found, answers) = channel();
    for n in 1..=3 {
        let (file, found) = (file.clone(), found.clone());
        // Another connection sees only what is committed.
        let answer = Box::new(move |answer: host_engine::writer::JobResult| {
            let seq = answer.unwrap()[0].seq;
            let store = SqliteStore::open(&file).unwrap();
            found.send((n, store.inbox(seq).unwrap().map(|row| row.event.id))).unwrap();
        });
        let event = command(&format!("c{n}"), "a", T0, json!({}));
        writer.jobs().try_accept_then(decoded(event), Vec::new(), answer).unwrap();
    }
    drop(release);
    // If the writer fails, the channel closes.
    drop(found);
    for n in 1..=3 {
        assert_eq!(answers.recv().unwrap(), (n, Some(format!("c{n}"))));
    }
    writer.stop().unwrap();
}

/// Number of writes of a group of three: begin, three events, commit.
const WRITES: u64 = 5;

#[test]
fn a_kill_before_the_commit_sends_no_answer_and_stores_nothing() {
    for write in 1..=WRITES {
        let faults = Faults::new(Box::new(MemoryStore::new()));
        let (writer, events) = spawn(faults.open(), WriterLimits { group: 3, ..WriterLimits::default() });
        let release = block(writer.jobs());
        faults.fail_at(write, Moment::Before, Then::Dead);
        let doing = json!({"ask": [{"kind": "mail.send", "key": "m"}], "reply": {"answer": "{}"}});
        let tickets = ["c1", "c2", "c3"].map(|id| accept(writer.jobs(), id, "a", doing.clone()));
        drop(release);
        for ticket in tickets {
            let answer = ticket.wait();
            assert!(matches!(answer, Err(JobError::Failed(OutboxError::Store(_)))), "write {write}: {answer:?}");
        }
        writer.stop().unwrap();
        assert!(
            events.iter().all(|event| matches!(event, ListenerEvent::Failed(OutboxError::Store(_)))),
            "no report and no call"
        );
        let after = host(faults.open(), Registry::new(), ToyRunner::new(1), Clock::manual(T0));
        assert_eq!(inbox(&after), [""; 0], "killed at write {write}");
        assert_eq!(things(after.processor().store(), "a", ""), [""; 0]);
    }
}

#[test]
fn a_writer_that_panics_sends_no_answer() {
    let faults = Faults::new(Box::new(MemoryStore::new()));
    let runner = ToyRunner::with(
        1,
        Box::new(|moment| {
            assert_ne!(moment, DecisionMoment::Called, "a fault of the host in the middle of a decision")
        }),
    );
    // The catalog is in force, so that the first decision is for an event.
    drop(host(faults.open(), Registry::new(), ToyRunner::new(1), Clock::manual(T0)));
    let toys = host(faults.open(), Registry::new(), runner, Clock::manual(T0));
    let (writer, events) = spawn_host(toys, WriterLimits::default());
    let release = block(writer.jobs());
    let tickets = ["c1", "c2"].map(|id| play(writer.jobs(), id));
    drop(release);
    assert_eq!(tickets.map(|ticket| ticket.wait()), [Err(JobError::Ended), Err(JobError::Ended)]);
    assert!(writer.stop().is_none());
    assert_eq!(events.iter().count(), 0);
    let after = host(faults.open(), Registry::new(), ToyRunner::new(1), Clock::manual(T0));
    assert_eq!(inbox(&after), [""; 0]);
}

#[test]
fn an_event_is_accepted_again_after_the_store_recovers() {
    let faults = Faults::new(Box::new(MemoryStore::new()));
    let (writer, events) = spawn(faults.open(), WriterLimits::default());
    let release = block(writer.jobs());
    faults.fail_at(3, Moment::Before, Then::Alive);
    let ticket = play(writer.jobs(), "c1");
    drop(release);
    assert!(ticket.wait().is_err());
    assert_eq!(lines(&play(writer.jobs(), "c1").wait().unwrap()), ["c1: applied"]);
    assert_eq!(lines(&play(writer.jobs(), "c1").wait().unwrap()), ["c1: duplicate(c1)"]);
    writer.stop().unwrap();
    let failed = |event: &ListenerEvent| matches!(event, ListenerEvent::Failed(OutboxError::Store(_)));
    assert_eq!(events.iter().filter(failed).count(), 1);
}

#[test]
fn refused_and_redriven_events_go_through_the_writer() {
    let (writer, _events) = spawn(Box::new(MemoryStore::new()), WriterLimits::default());
    let event = command("c1", "a", T0, json!({}));
    let refused = Decoded { refusal: Some(Refusal::Malformed("/id".into())), ..event.into() };
    let reports = writer.jobs().accept(refused, Vec::new()).unwrap().wait().unwrap();
    assert_eq!(lines(&reports), ["c1: rejected(malformed(/id))"]);
    let doing = json!({"outcome": {"rejected": {"already-owned": "plan"}}});
    let seq = accept(writer.jobs(), "c2", "a", doing).wait().unwrap()[0].seq;
    let again = writer.jobs().redrive(seq).unwrap().wait().unwrap();
    assert_eq!(lines(&again), ["later c2: rejected(already-owned(plan))"]);
    writer.stop().unwrap();
}

#[test]
fn an_event_of_another_business_is_denied_and_its_group_is_committed() {
    let (writer, _events) = spawn(Box::new(MemoryStore::new()), WriterLimits::default());
    let release = block(writer.jobs());
    let of_games = Event { business: "games".into(), ..command("c2", "a", T0, json!({})) };
    let before = play(writer.jobs(), "c1");
    let denied = writer.jobs().accept(decoded(of_games), Vec::new()).unwrap();
    let after = play(writer.jobs(), "c3");
    drop(release);
    assert!(matches!(denied.wait(), Err(JobError::Failed(OutboxError::Store(StoreError::Misuse(_))))));
    assert_eq!([before, after].map(|it| lines(&it.wait().unwrap())), [["c1: applied"], ["c3: applied"]]);
    assert_eq!(inbox(&writer.stop().unwrap()), ["c1", "c3"]);
}

#[test]
fn each_job_of_a_mixed_group_gets_its_own_answer() {
    let (writer, _events) = spawn(Box::new(MemoryStore::new()), WriterLimits::default());
    let jobs = writer.jobs();
    let release = block(jobs);
    let doing = json!({"outcome": {"rejected": {"already-owned": "plan"}}});
    let other = |business: &str, id: &str| Event { business: business.into(), ..command(id, "b", T0, json!({})) };
    let malformed = Some(Refusal::Malformed("/id".into()));
    let refused = Decoded { refusal: malformed, ..other("toys", "c3").into() };
    let of_games = decoded(other("games", "c4"));
    // The catalog's event is the first of the inbox.
    let tickets = [
        accept(jobs, "c1", "a", doing),
        play(jobs, "c2"),
        jobs.redrive(2).unwrap(),
        jobs.accept(refused, Vec::new()).unwrap(),
        jobs.accept(of_games, Vec::new()).unwrap(),
        accept(jobs, "c5", "c", json!({})),
    ];
    drop(release);
    let answers = tickets.map(|ticket| match ticket.wait() {
        Ok(reports) => lines(&reports).join(", "),
        Err(error) => format!("{error:?}").chars().take(24).collect(),
    });
    assert_eq!(
        answers[..4],
        [
            "c1: rejected(already-owned(plan))",
            "c2: applied",
            "later c1: rejected(already-owned(plan))",
            "c3: rejected(malformed(/id))"
        ]
    );
    assert!(answers[4].starts_with("Failed(Store(Misuse("), "{}", answers[4]);
    assert_eq!(answers[5], "c5: applied");
    assert_eq!(inbox(&writer.stop().unwrap()), ["c1", "c2", "c3", "c5"]);
}

#[test]
fn questions_see_committed_state() {
    let (writer, _events) = spawn(Box::new(MemoryStore::new()), WriterLimits::default());
    play(writer.jobs(), "c1").wait().unwrap();
    let question = Question { account: user("a"), actor: Actor::system(), at: T0 };
    let answer = writer.jobs().look(move |processor| {
        assert!(!processor.in_group());
        processor.ask_entitlements(&question).unwrap().into_iter().map(|row| row.key).collect::<Vec<_>>()
    });
    assert_eq!(answer.unwrap(), ["user:a: ran/c1"]);
    writer.stop().unwrap();
}
