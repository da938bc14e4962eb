//! Who is told what, and when: nobody before it is durable.

use super::events::{T0, command, lines, things, user};
use super::toy::{Moment as InDecision, ToyRunner};
use super::{Told, accept, decoded, groups_of, host, inbox, play, spawn, spawn_host};
use extension_contract::{Actor, Event, Question, Refusal, StoreError};
use host::clock::Clock;
use host::outbox::OutboxError;
use host::writer::{Unanswered, WriterLimits};
use host_intake::Decoded;
use host_provider_api::Registry;
use host_store::testing::{Faults, Moment, Then};
use host_store::{MemoryStore, SqliteStore, Store};
use serde_json::json;
use std::sync::mpsc::channel;

#[test]
fn an_answer_leaves_after_its_event_is_durable() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rows.db");
    let (writer, _told) = spawn(Box::new(SqliteStore::open(&file).unwrap()), groups_of(3));
    let (found, answers) = channel();
    for n in 1..=3 {
        let (file, found) = (file.clone(), found.clone());
        // Another connection sees only what is committed.
        let answer = Box::new(move |answer: host::writer::JobResult| {
            let seq = answer.unwrap()[0].seq;
            let store = SqliteStore::open(&file).unwrap();
            found.send((n, store.inbox(seq).unwrap().map(|row| row.event.id))).unwrap();
        });
        let event = command(&format!("c{n}"), "a", T0, json!({}));
        writer.jobs().try_accept_then(decoded(event), Vec::new(), answer).unwrap();
    }
    // A writer that fails hangs up.
    drop(found);
    for n in 1..=3 {
        assert_eq!(answers.recv().unwrap(), (n, Some(format!("c{n}"))));
    }
    writer.stop().unwrap();
}

/// Writes of a group of three: its begin, three events, its commit.
const WRITES: u64 = 5;

#[test]
fn a_kill_before_the_commit_answers_nobody_and_keeps_nothing() {
    for write in 1..=WRITES {
        let faults = Faults::new(Box::new(MemoryStore::new()));
        let (writer, told) = spawn(faults.open(), WriterLimits { group: 3, ..WriterLimits::default() });
        let release = super::held(writer.jobs());
        faults.fail_at(write, Moment::Before, Then::Dead);
        let doing = json!({"ask": [{"kind": "mail.send", "key": "m"}], "reply": {"answer": "{}"}});
        let tickets = ["c1", "c2", "c3"].map(|id| accept(writer.jobs(), id, "a", doing.clone()));
        drop(release);
        for ticket in tickets {
            let answer = ticket.wait();
            assert!(matches!(answer, Err(Unanswered::Failed(OutboxError::Store(_)))), "write {write}: {answer:?}");
        }
        writer.stop().unwrap();
        assert!(told.iter().all(|told| matches!(told, Told::Failed(OutboxError::Store(_)))), "no run, no call");
        let after = host(faults.open(), Registry::new(), ToyRunner::new(1), Clock::told(T0));
        assert_eq!(inbox(&after), [""; 0], "killed at write {write}");
        assert_eq!(things(after.processor().store(), "a", ""), [""; 0]);
    }
}

#[test]
fn a_writer_that_panics_answers_nobody() {
    let faults = Faults::new(Box::new(MemoryStore::new()));
    let runner = ToyRunner::with(
        1,
        Box::new(|moment| assert_ne!(moment, InDecision::Called, "a fault of the host in the middle of a decision")),
    );
    // The catalog is in force already, so that the first decision is that of an event.
    drop(host(faults.open(), Registry::new(), ToyRunner::new(1), Clock::told(T0)));
    let (writer, told) = spawn_host(host(faults.open(), Registry::new(), runner, Clock::told(T0)), groups_of(2));
    let tickets = ["c1", "c2"].map(|id| play(writer.jobs(), id));
    assert_eq!(tickets.map(|ticket| ticket.wait()), [Err(Unanswered::Ended), Err(Unanswered::Ended)]);
    assert!(writer.stop().is_none());
    assert_eq!(told.iter().count(), 0);
    let after = host(faults.open(), Registry::new(), ToyRunner::new(1), Clock::told(T0));
    assert_eq!(inbox(&after), [""; 0]);
}

#[test]
fn a_store_that_works_again_takes_what_is_sent_again() {
    let faults = Faults::new(Box::new(MemoryStore::new()));
    let (writer, told) = spawn(faults.open(), WriterLimits::default());
    let release = super::held(writer.jobs());
    faults.fail_at(3, Moment::Before, Then::Alive);
    let ticket = play(writer.jobs(), "c1");
    drop(release);
    assert!(ticket.wait().is_err());
    assert_eq!(lines(&play(writer.jobs(), "c1").wait().unwrap()), ["c1: applied"]);
    assert_eq!(lines(&play(writer.jobs(), "c1").wait().unwrap()), ["c1: duplicate(c1)"]);
    writer.stop().unwrap();
    let failed = |told: &Told| matches!(told, Told::Failed(OutboxError::Store(_)));
    assert_eq!(told.iter().filter(failed).count(), 1);
}

#[test]
fn what_the_intake_refuses_and_what_an_operator_drives_again_go_the_same_way() {
    let (writer, _told) = spawn(Box::new(MemoryStore::new()), WriterLimits::default());
    let event = command("c1", "a", T0, json!({}));
    let refused = Decoded { event, refusal: Some(Refusal::Malformed("/id".into())), time: None };
    let reports = writer.jobs().accept(refused, Vec::new()).unwrap().wait().unwrap();
    assert_eq!(lines(&reports), ["c1: rejected(malformed(/id))"]);
    let doing = json!({"outcome": {"rejected": {"already-owned": "plan"}}});
    let seq = accept(writer.jobs(), "c2", "a", doing).wait().unwrap()[0].seq;
    let again = writer.jobs().redrive(seq).unwrap().wait().unwrap();
    assert_eq!(lines(&again), ["later c2: rejected(already-owned(plan))"]);
    writer.stop().unwrap();
}

#[test]
fn an_event_of_another_business_is_denied_and_spoils_no_group() {
    let (writer, _told) = spawn(Box::new(MemoryStore::new()), groups_of(3));
    let of_games = Event { business: "games".into(), ..command("c2", "a", T0, json!({})) };
    let before = play(writer.jobs(), "c1");
    let denied = writer.jobs().accept(decoded(of_games), Vec::new()).unwrap();
    let after = play(writer.jobs(), "c3");
    assert!(matches!(denied.wait(), Err(Unanswered::Failed(OutboxError::Store(StoreError::Denied(_))))));
    assert_eq!([before, after].map(|it| lines(&it.wait().unwrap())), [["c1: applied"], ["c3: applied"]]);
    assert_eq!(inbox(&writer.stop().unwrap()), ["c1", "c3"]);
}

#[test]
fn each_job_of_a_mixed_group_gets_its_own_answer() {
    let (writer, _told) = spawn(Box::new(MemoryStore::new()), groups_of(6));
    let jobs = writer.jobs();
    let doing = json!({"outcome": {"rejected": {"already-owned": "plan"}}});
    let other = |business: &str, id: &str| Event { business: business.into(), ..command(id, "b", T0, json!({})) };
    let malformed = Some(Refusal::Malformed("/id".into()));
    let refused = Decoded { event: other("toys", "c3"), refusal: malformed, time: None };
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
    let told = tickets.map(|ticket| match ticket.wait() {
        Ok(reports) => lines(&reports).join(", "),
        Err(error) => format!("{error:?}").chars().take(20).collect(),
    });
    assert_eq!(
        told[..4],
        [
            "c1: rejected(already-owned(plan))",
            "c2: applied",
            "later c1: rejected(already-owned(plan))",
            "c3: rejected(malformed(/id))"
        ]
    );
    assert!(told[4].starts_with("Failed(Store(Denied"), "{}", told[4]);
    assert_eq!(told[5], "c5: applied");
    assert_eq!(inbox(&writer.stop().unwrap()), ["c1", "c2", "c3", "c5"]);
}

#[test]
fn questions_see_what_is_committed() {
    let (writer, _told) = spawn(Box::new(MemoryStore::new()), WriterLimits::default());
    play(writer.jobs(), "c1").wait().unwrap();
    let question = Question { account: user("a"), actor: Actor::system(), at: T0 };
    let answer = writer.jobs().look(move |processor| {
        assert!(!processor.in_group());
        processor.ask_entitlements(&question).unwrap().into_iter().map(|row| row.key).collect::<Vec<_>>()
    });
    assert_eq!(answer.unwrap(), ["user:a: ran/c1"]);
    writer.stop().unwrap();
}
