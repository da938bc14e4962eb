//! Several handles of one store at once: each change is applied once, nothing is decided on what has changed, and readers of the log
//! miss nothing.

use crate::support::{address, question, sql};
use extension_contract::{Account, Row};
use host_store::testing::samples;
use host_store::{
    Applied, Changes, ClaimRow, Conflict, DueQuery, EffectState, Expected, LeaseRequest, Read, Store, StoreError,
};
use host_store_postgres::{OpenError, PostgresStore, Settings};
use std::collections::BTreeSet;
use std::sync::{Barrier, mpsc};
use std::thread;
use std::time::Duration;

/// Rounds of a race.
const ROUNDS: usize = 100;
const DONE: Applied = Applied::Done { seq: None };

fn opened(settings: &Settings) -> PostgresStore {
    PostgresStore::open(settings).expect("opened")
}

/// Returns the change of an event that writes a record of an account.
fn of(account: &str, id: &str) -> Changes {
    let mut changes = samples::changes(&samples::scope(account), id);
    changes.rows.push(samples::write(Row::Record(samples::record("things", id, "{}"))));
    changes
}

fn accepted(id: &str) -> Changes {
    samples::accepted(samples::new_event(id))
}

fn log(store: &dyn Read) -> Vec<String> {
    store.inbox_after(None, 0, 100).expect("read").into_iter().map(|row| row.event.id).collect()
}

/// Runs a function on two threads at the same time, with a handle each.
fn race<T: Send>(settings: &Settings, run: impl Fn(usize, &mut PostgresStore, &Barrier) -> T + Sync) -> [T; 2] {
    let barrier = Barrier::new(2);
    thread::scope(|scope| {
        let started = [0, 1].map(|number| {
            let (barrier, run) = (&barrier, &run);
            scope.spawn(move || run(number, &mut opened(settings), barrier))
        });
        started.map(|thread| thread.join().expect("no panic"))
    })
}

#[test]
fn readers_of_the_log_stop_below_the_oldest_open_transaction() {
    let settings = address();
    let (mut slow, mut quick) = (opened(&settings), opened(&settings));
    let mut reader = quick.reader().expect("a reader");
    let mut seen = |store: &dyn Read| {
        reader.begin().expect("a snapshot");
        let (of_reader, newest) = (log(&*reader), reader.inbox_newest().expect("read"));
        reader.end().expect("a snapshot");
        assert_eq!((log(store), store.inbox_newest().expect("read")), (of_reader.clone(), newest));
        (of_reader, newest)
    };
    quick.apply(&accepted("evt_0")).expect("applied");
    slow.begin().expect("no group");
    assert_eq!(slow.apply(&accepted("evt_1")), Ok(Applied::Done { seq: Some(2) }));
    assert_eq!(quick.apply(&accepted("evt_2")), Ok(Applied::Done { seq: Some(3) }));
    assert_eq!(seen(&quick), (vec!["evt_0".to_owned()], 1), "evt_1 may still come before evt_2");
    assert!(quick.inbox(3).expect("read").is_some(), "the event itself is there");
    assert_eq!(log(&slow), ["evt_0", "evt_1", "evt_2"], "its own transaction holds it up no more than itself");
    slow.commit().expect("committed");
    assert_eq!(seen(&quick), (vec!["evt_0".to_owned(), "evt_1".to_owned(), "evt_2".to_owned()], 3));
    slow.begin().expect("no group");
    slow.apply(&accepted("evt_3")).expect("applied");
    quick.apply(&accepted("evt_4")).expect("applied");
    assert_eq!(seen(&quick).1, 3);
    slow.rollback().expect("rolled back");
    assert_eq!(seen(&quick).0.last().map(String::as_str), Some("evt_4"), "a number that nobody has is not a gap");
}

#[test]
fn an_event_is_accepted_by_one_of_two_handles() {
    let settings = address();
    opened(&settings);
    let results = race(&settings, |_, store, barrier| {
        (0..ROUNDS)
            .map(|round| {
                barrier.wait();
                store.apply(&accepted(&format!("evt_{round}"))).expect("one of them waits for the other")
            })
            .collect::<Vec<_>>()
    });
    for (one, other) in results[0].iter().zip(&results[1]) {
        let conflicts = [one, other].into_iter().filter(|applied| **applied == Applied::Conflict(Conflict::Event));
        assert_eq!(conflicts.count(), 1, "{one:?} {other:?}");
    }
}

#[test]
fn a_claim_is_taken_by_one_of_two_handles() {
    let settings = address();
    opened(&settings);
    let results = race(&settings, |number, store, barrier| {
        let account = Account::User(number.to_string());
        (0..ROUNDS)
            .map(|round| {
                let key = format!("shop/test//name:{round}");
                let mut changes = samples::changes(&samples::scope(&account.to_string()), "evt_1");
                changes.claims.insert(key.clone(), Some(samples::claim(&account)));
                changes.expected = Expected { claims: vec![(key, None)], ..Expected::default() };
                barrier.wait();
                store.apply(&changes).expect("one of them waits for the other")
            })
            .collect::<Vec<_>>()
    });
    for (one, other) in results[0].iter().zip(&results[1]) {
        let applied = [one, other].map(|applied| *applied == DONE);
        assert!(applied[0] != applied[1], "{one:?} {other:?}");
    }
}

#[test]
fn a_revision_is_raised_by_one_of_two_handles() {
    let settings = address();
    opened(&settings);
    let results = race(&settings, |number, store, barrier| {
        let scope = samples::scope("user:A");
        let mut raised = 0;
        for round in 0..ROUNDS {
            let revision = store.account(&scope).expect("read").revision;
            let mut changes = of("user:A", &format!("evt_{number}_{round}"));
            changes.expected.account_revision = Some(revision);
            barrier.wait();
            raised += u64::from(store.apply(&changes).expect("one of them waits for the other") == DONE);
            barrier.wait();
        }
        raised
    });
    let store = opened(&settings);
    assert_eq!(results[0] + results[1], ROUNDS as u64, "one of two in each round");
    assert_eq!(store.account(&samples::scope("user:A")).map(|it| it.revision), Ok(ROUNDS as u64));
}

#[test]
fn a_group_does_not_wait_for_another_while_it_holds_locks() {
    let settings = address();
    let (mut first, mut second) = (opened(&settings), opened(&settings));
    // The business is new only once.
    first.apply(&accepted("evt_0")).expect("applied");
    first.begin().expect("no group");
    assert_eq!(first.apply(&of("user:A", "evt_1")), Ok(DONE));
    second.begin().expect("no group");
    assert_eq!(second.apply(&of("user:B", "evt_2")), Ok(DONE));
    second.mark().expect("in a group");
    assert!(matches!(second.apply(&of("user:A", "evt_3")), Err(StoreError::Locked(_))));
    second.undo().expect("marked");
    // Nor may the first wait for the second: they would wait for ever.
    first.mark().expect("in a group");
    assert!(matches!(first.apply(&of("user:B", "evt_4")), Err(StoreError::Locked(_))));
    first.undo().expect("marked");
    assert_eq!(second.apply(&of("user:B", "evt_5")), Ok(DONE), "the group goes on after the way back");
    second.commit().expect("committed");
    let scope = samples::scope("user:B");
    assert_eq!(
        (second.account(&scope).map(|it| it.revision), first.account(&samples::scope("user:A")).map(|it| it.revision)),
        (Ok(2), Ok(1))
    );

    // In a group of its own it waits for the other, and then sees what that has done.
    let (sender, receiver) = mpsc::channel();
    let waiting = thread::spawn(move || {
        let mut changes = of("user:A", "evt_6");
        changes.expected.account_revision = Some(0);
        second.begin().expect("no group");
        let applied = second.apply(&changes);
        sender.send(()).expect("received");
        second.rollback().expect("rolled back");
        applied
    });
    assert!(receiver.recv_timeout(Duration::from_millis(300)).is_err(), "it waits");
    first.commit().expect("committed");
    assert_eq!(waiting.join().expect("no panic"), Ok(Applied::Conflict(Conflict::Read)));
}

#[test]
fn the_way_back_to_a_mark_undoes_what_came_after_it_also_after_an_error() {
    let settings = address();
    let mut store = opened(&settings);
    assert!(matches!(store.mark(), Err(StoreError::Misuse(_))));
    store.begin().expect("no group");
    assert!(matches!(store.undo(), Err(StoreError::Misuse(_))));
    store.apply(&of("user:A", "evt_1")).expect("applied");
    store.mark().expect("in a group");
    store.apply(&of("user:A", "evt_2")).expect("applied");
    store.undo().expect("marked");
    store.mark().expect("in a group");
    // PostgreSQL refuses the character, and with it the rest of the transaction.
    let refused = store.apply(&of("user:A", "evt_\0"));
    assert!(matches!(refused, Err(StoreError::Misuse(_))), "{refused:?}");
    assert!(matches!(store.account(&samples::scope("user:A")).map(|it| it.revision), Err(StoreError::Unavailable(_))));
    store.undo().expect("marked");
    store.apply(&of("user:A", "evt_3")).expect("applied");
    store.commit().expect("committed");
    let rows = sql(&settings, "SELECT key FROM rows ORDER BY key");
    assert_eq!(rows.lines().collect::<Vec<_>>(), ["record:things:evt_1", "record:things:evt_3"]);
}

#[test]
fn due_effects_are_leased_by_one_of_two_handles() {
    let settings = address();
    let mut store = opened(&settings);
    let scope = samples::scope("user:A");
    let mut changes = samples::changes(&scope, "evt_1");
    let queued = |n: usize| samples::insert(samples::queued(&scope, samples::effect("mail.send", &format!("k{n}")), 0));
    changes.effects = (0..300).map(queued).collect();
    store.apply(&changes).expect("applied");
    let leased = race(&settings, |number, store, barrier| {
        let (partition, owner) = (samples::partition(), format!("host {number}"));
        barrier.wait();
        let mut keys = Vec::new();
        loop {
            let owner = &owner;
            let due = store.effects_due(&DueQuery::of(&partition, 1, 16)).expect("read");
            if due.is_empty() {
                return keys;
            }
            let chosen: Vec<u64> = due.iter().map(|row| row.seq).collect();
            let request = LeaseRequest { partition: &partition, owner, now: 1, until: 9, chosen: &chosen };
            let rows = store.lease(&request).expect("leased");
            assert!(rows.iter().all(|row| row.lease.owner.as_ref() == Some(owner)));
            keys.extend(rows.into_iter().map(|row| row.effect.key));
        }
    });
    assert_eq!(leased.iter().map(Vec::len).sum::<usize>(), 300);
    assert_eq!(leased.iter().flatten().collect::<BTreeSet<_>>().len(), 300);
    let running = store.effects_running(&samples::partition()).expect("read");
    assert!(running.len() == 300 && running.iter().all(|row| row.state == EffectState::Running && row.attempts == 1));
}

#[test]
fn a_block_and_a_claim_of_another_mode_are_no_obstacle() {
    let settings = address();
    let mut store = opened(&settings);
    let mut changes = of("user:A", "evt_1");
    let block = ClaimRow { holder: None, until: None, blocked_until: Some(9) };
    changes.claims.insert("shop/test//name:a".into(), Some(block.clone()));
    store.apply(&changes).expect("applied");
    let keys = ["shop/test//name:a".to_owned(), "shop/live//name:a".to_owned()];
    assert_eq!(store.claims(&keys), Ok(vec![Some(block), None]));
    let (claims, placed) = store.place(&question(&samples::partition(), &keys)).expect("read");
    assert_eq!((claims.len(), placed), (2, None), "a block has no holder");
}

#[test]
fn handles_that_open_a_new_database_at_once_agree_on_its_schema() {
    let settings = address();
    race(&settings, |number, store, barrier| {
        barrier.wait();
        store.apply(&of(&format!("user:{number}"), "evt_1")).expect("applied");
    });
    assert_eq!(opened(&settings).scopes(None).expect("read").len(), 2);
}

#[test]
fn a_database_of_a_newer_program_is_refused_by_its_version() {
    let settings = address();
    let unmade = PostgresStore::open_reader(&settings).err();
    assert!(matches!(unmade, Some(OpenError::TooOld { found: 0, .. })), "{unmade:?}");
    drop(opened(&settings));
    sql(&settings, "UPDATE schema_version SET version = 99");
    for refused in [PostgresStore::open(&settings).err(), PostgresStore::open_reader(&settings).err()] {
        let refused = refused.expect("a newer schema");
        assert_eq!(refused.to_string(), "schema version 99 is newer than the newest supported version 4");
    }
}
