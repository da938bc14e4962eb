//! Many producers, one writer: one order, bounded.

use super::events::{T0, command, lines};
use super::{Told, accept, decoded, groups_of, held, inbox, play, spawn};
use host::writer::{Unanswered, WriterLimits};
use host_store::MemoryStore;
use host_store::testing::Faults;
use serde_json::json;
use std::time::Duration;

#[test]
fn commits_are_in_the_order_of_the_inbox_however_many_send() {
    const PRODUCERS: usize = 8;
    const EACH: usize = 60;
    let (writer, told) = spawn(Box::new(MemoryStore::new()), WriterLimits { waiting: 16, ..WriterLimits::default() });
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
        assert!(of_producer.is_sorted(), "what one sends is taken in its order");
    }
    let host = writer.stop().unwrap();
    assert_eq!(inbox(&host).len(), PRODUCERS * EACH);
    let committed = told.iter().filter_map(|told| match told {
        Told::Committed(reports) => Some(reports[0].seq),
        _ => None,
    });
    let committed: Vec<u64> = committed.collect();
    let all: Vec<u64> = (2..).take(PRODUCERS * EACH).collect();
    assert_eq!(committed, all, "in order of acceptance, each once, after the catalog");
}

#[test]
fn jobs_that_wait_together_are_committed_together_up_to_the_group() {
    for (group, commits) in [(1, 6), (4, 2), (64, 1)] {
        let faults = Faults::new(Box::new(MemoryStore::new()));
        let (writer, _told) = spawn(faults.open(), WriterLimits { group, ..WriterLimits::default() });
        let release = held(writer.jobs());
        let tickets: Vec<_> = (0..6).map(|n| play(writer.jobs(), &format!("c{n}"))).collect();
        // Never reached; the count begins anew.
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
fn who_comes_while_as_many_wait_as_may_is_told_so_or_waits() {
    let limits = WriterLimits { waiting: 3, ..WriterLimits::default() };
    let (writer, _told) = spawn(Box::new(MemoryStore::new()), limits);
    let jobs = writer.jobs().clone();
    let release = held(&jobs);
    let send = |id: &str| jobs.try_accept(decoded(command(id, "a", T0, json!({}))), Vec::new());
    let tickets: Vec<_> = ["c1", "c2", "c3"].map(|id| send(id).unwrap()).into();
    assert_eq!(send("c4").err(), Some(Unanswered::Busy { waiting: 3 }));
    let patient = std::thread::spawn({
        let jobs = jobs.clone();
        move || play(&jobs, "c5").wait()
    });
    std::thread::sleep(Duration::from_millis(20));
    assert!(!patient.is_finished(), "it waits for room");
    drop(release);
    for ticket in tickets {
        ticket.wait().unwrap();
    }
    assert_eq!(lines(&patient.join().unwrap().unwrap()), ["c5: applied"]);
    assert_eq!(inbox(&writer.stop().unwrap()), ["c1", "c2", "c3", "c5"], "who was told so is not in");
    assert_eq!(send("c6").err(), Some(Unanswered::Ended));
}

#[test]
fn a_writer_that_is_stopped_does_what_came_before_and_nothing_after() {
    let (writer, _told) = spawn(Box::new(MemoryStore::new()), groups_of(3));
    let jobs = writer.jobs().clone();
    let ticket = play(&jobs, "c1");
    let host = writer.stop().unwrap();
    assert_eq!(lines(&ticket.wait().unwrap()), ["c1: applied"]);
    assert_eq!(inbox(&host), ["c1"]);
    assert_eq!(jobs.redrive(1).err(), Some(Unanswered::Ended));
}
