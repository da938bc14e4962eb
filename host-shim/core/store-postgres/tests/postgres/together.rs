//! Groups whose changes are applied together: they store the same as one by one, their own reads see them, and a change that cannot be
//! applied fails the whole group.

use crate::support::{address, question, sql};
use extension_contract::Row;
use host_store::testing::samples;
use host_store::{
    Applied, Changes, ClaimRow, InboxChange, InboxProgress, InboxState, MemoryStore, NewInbox, Read, Scope, Store,
    StoreError,
};
use host_store_conformance::random::{changes, query_results};
use host_store_postgres::{PostgresStore, Settings};
use proptest::collection::vec;
use proptest::prelude::*;

fn opened(settings: &Settings) -> PostgresStore {
    PostgresStore::open(settings).expect("opened")
}

/// Returns the change of a new event that is done and writes a record of an account, as if it had read the account at a revision.
fn of(account: &str, id: &str, revision: u64) -> Changes {
    let mut changes = samples::changes(&samples::scope(account), id);
    changes.rows.push(samples::write(Row::Record(samples::record("things", id, "{}"))));
    changes.expected.account_revision = Some(revision);
    changes.expected.catalog_revision = Some(0);
    changes.inbox = Some(done(id));
    changes
}

fn done(id: &str) -> InboxChange {
    InboxChange::New(Box::new(NewInbox { progress: samples::progress(InboxState::Done), ..samples::new_event(id) }))
}

fn begin(store: &mut PostgresStore, ids: &[&str]) {
    let events: Vec<(&str, &str)> = ids.iter().map(|id| ("stripe", *id)).collect();
    assert_eq!(store.begin_together(&samples::partition(), &events), Ok(true));
}

fn stored(seq: u64) -> Result<Applied, StoreError> {
    Ok(Applied::Done { seq: Some(seq) })
}

fn fails<T: std::fmt::Debug>(result: Result<T, StoreError>) {
    assert!(matches!(result, Err(StoreError::Unavailable(_))), "{result:?}");
}

/// Returns the numbers of stored events, rows and accounts.
fn counts(settings: &Settings) -> String {
    let count = "SELECT (SELECT count(*) FROM events), (SELECT count(*) FROM rows), (SELECT sum(revision) FROM scopes)";
    sql(settings, count).trim().to_owned()
}

#[test]
fn changes_wait_until_a_read_needs_them() {
    let settings = address();
    let (mut store, mut other) = (opened(&settings), opened(&settings));
    other.apply(&of("user:A", "evt_0", 0)).expect("applied");
    begin(&mut store, &["evt_1", "evt_2", "evt_0", "evt_3"]);
    let partition = samples::partition();
    assert_eq!(store.event(&partition, "stripe", "evt_1"), Ok(None));
    assert_eq!(store.apply(&of("user:A", "evt_1", 1)), stored(2));
    assert_eq!(store.apply(&of("user:B", "evt_2", 0)), stored(3));
    let known = store.event(&partition, "stripe", "evt_0").expect("read").map(|row| row.seq);
    assert_eq!(known, Some(1), "an event that was stored before");
    let opened = store.open(&samples::scope("user:A"), &[], &[]).expect("read");
    assert_eq!((opened.account_revision, opened.rows.len()), (2, 2));
    let again = store.event(&partition, "stripe", "evt_1").expect("read").map(|row| row.seq);
    assert_eq!(again, Some(2), "its own event");
    assert_eq!(store.apply(&of("user:A", "evt_3", 2)), stored(4));
    store.commit().expect("committed");
    assert_eq!(counts(&settings), "4|4|4");
    assert_eq!(other.inbox_newest(), Ok(4));
}

#[test]
fn a_change_that_cannot_be_applied_fails_the_group() {
    let settings = address();
    let mut store = opened(&settings);
    store.apply(&of("user:A", "evt_0", 0)).expect("applied");
    let mut with_fact = of("user:B", "evt_1", 0);
    with_fact.facts.insert("paid".into());
    store.apply(&with_fact).expect("applied");
    let outdated = of("user:A", "evt_2", 0);
    let mut other_catalog = of("user:A", "evt_2", 1);
    other_catalog.expected.catalog_revision = Some(7);
    let mut other_claim = of("user:A", "evt_2", 1);
    other_claim
        .expected
        .claims
        .push(("shop/test//name:a".into(), Some(samples::claim(&"user:A".parse().expect("one")))));
    let mut known_fact = of("user:B", "evt_2", 1);
    known_fact.facts.insert("paid".into());
    for changes in [outdated, other_catalog, other_claim, known_fact] {
        begin(&mut store, &["evt_3", "evt_2"]);
        store.apply(&of("user:C", "evt_3", 0)).expect("waits");
        store.apply(&changes).expect("waits");
        fails(store.settle());
        fails(store.account(&samples::scope("user:C")).map(|it| it.revision));
        fails(store.commit());
        store.rollback().expect("rolled back");
        assert_eq!(counts(&settings), "2|2|2");
    }
    begin(&mut store, &["evt_2"]);
    store.apply(&of("user:A", "evt_2", 1)).expect("waits");
    store.commit().expect("nothing is left of the failed groups");
}

#[test]
fn an_event_that_waits_for_what_a_change_brings_fails_the_group() {
    let settings = address();
    let mut store = opened(&settings);
    let waits_for = vec!["claim:shop/test//name:a".to_owned()];
    let progress = InboxProgress { waits_for, ..samples::progress(InboxState::Parked { since: 0 }) };
    let waiting = NewInbox { progress, ..samples::new_event("evt_0") };
    store.apply(&samples::accepted(waiting)).expect("applied");
    for (key, wakes) in [("claim:shop/test//name:a", true), ("claim:shop/test//name:b", false)] {
        begin(&mut store, &["evt_1"]);
        store.apply(&of("user:A", "evt_1", 0)).expect("waits");
        assert_eq!(store.woken_by(&[key.to_owned()]), Ok(Vec::new()));
        assert_eq!(store.settle().is_err(), wakes);
        store.rollback().expect("rolled back");
    }
}

#[test]
fn a_group_does_not_wait_while_it_holds_locks_and_fails_if_its_event_is_stored_meanwhile() {
    let settings = address();
    let (mut first, mut second) = (opened(&settings), opened(&settings));
    first.apply(&of("user:Z", "evt_0", 0)).expect("applied");
    begin(&mut first, &["evt_1", "evt_2"]);
    begin(&mut second, &["evt_1"]);
    second.apply(&of("user:B", "evt_1", 0)).expect("waits");
    second.commit().expect("committed");
    first.apply(&of("user:A", "evt_1", 0)).expect("waits");
    fails(first.settle());
    first.rollback().expect("rolled back");

    begin(&mut first, &["evt_3", "evt_4"]);
    begin(&mut second, &["evt_5"]);
    first.apply(&of("user:C", "evt_3", 0)).expect("waits");
    first.settle().expect("settled");
    second.apply(&of("user:D", "evt_5", 0)).expect("waits");
    second.settle().expect("settled");
    first.apply(&of("user:D", "evt_4", 0)).expect("waits");
    fails(first.settle());
    first.rollback().expect("rolled back");
    second.commit().expect("committed");
}

/// Claims, as changes of different accounts could exchange them.
#[test]
fn a_change_sees_the_claims_of_those_that_wait() {
    let settings = address();
    let mut store = opened(&settings);
    begin(&mut store, &["evt_1", "evt_2"]);
    let key = "shop/test//name:a".to_owned();
    let mut takes = of("user:A", "evt_1", 0);
    let row = samples::claim(&"user:A".parse().expect("an account"));
    takes.claims.insert(key.clone(), Some(row.clone()));
    takes.expected.claims.push((key.clone(), None));
    store.apply(&takes).expect("waits");
    let (claims, placed) = store.place(&question(&samples::partition(), std::slice::from_ref(&key))).expect("read");
    assert_eq!((claims, placed.map(|placed| placed.account)), (vec![Some(row.clone())], row.holder.clone()));
    let mut blocks = of("user:B", "evt_2", 0);
    let block = ClaimRow { holder: None, until: None, blocked_until: Some(9) };
    blocks.claims.insert(key.clone(), Some(block.clone()));
    blocks.expected.claims.push((key.clone(), Some(row)));
    store.apply(&blocks).expect("waits");
    assert_eq!(store.claims(&[key]), Ok(vec![Some(block)]));
    store.commit().expect("committed");
}

/// Returns a change of a new event with this id, as if it had read the state of a store.
fn as_decided(mut changes: Changes, id: &str, store: &MemoryStore) -> Changes {
    let progress = match changes.inbox {
        Some(InboxChange::New(new)) => new.progress,
        _ => samples::progress(InboxState::Done),
    };
    let scope = Scope { livemode: false, ..changes.scope.clone().expect("a scope") };
    changes.expected.inbox = None;
    changes.expected.account_revision = Some(store.account(&scope).expect("read").revision);
    changes.expected.catalog_revision = Some(store.account(&scope.catalog()).expect("read").revision);
    let keys: Vec<String> = changes.claims.keys().cloned().collect();
    changes.expected.claims = keys.iter().cloned().zip(store.claims(&keys).expect("read")).collect();
    for change in &mut changes.effects {
        if let host_store::EffectChange::Insert(row) = change {
            row.scope = scope.clone();
        }
    }
    changes.scope = Some(scope);
    changes.event_id = id.to_owned();
    changes.inbox = Some(InboxChange::New(Box::new(NewInbox { progress, ..samples::new_event(id) })));
    changes
}

fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(12)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn changes_applied_together_store_the_same_as_one_by_one(groups in vec(vec((changes(), any::<bool>()), 1..8), 1..5)) {
        let mut memory = MemoryStore::new();
        let mut postgres = opened(&address());
        let mut number = 0;
        for group in groups {
            let ids: Vec<String> = group.iter().map(|_| { number += 1; format!("evt_{number}") }).collect();
            let mut events: Vec<(&str, &str)> = Vec::new();
            let mut done = Vec::new();
            for (id, (changes, looks)) in ids.iter().zip(group) {
                let changes = as_decided(changes, id, &memory);
                let before = memory.inbox_newest().expect("read");
                // A refused change has no event.
                if let Ok(Applied::Done { seq }) = memory.apply(&changes) {
                    prop_assert_eq!(seq, Some(before + 1));
                    events.push(("stripe", id));
                    let seen = looks.then(|| query_results(&memory));
                    done.push((changes, seq, seen));
                }
            }
            prop_assert_eq!(postgres.begin_together(&samples::partition(), &events), Ok(true));
            for (changes, seq, seen) in done {
                prop_assert_eq!(postgres.apply(&changes), Ok(Applied::Done { seq }));
                if let Some(seen) = seen {
                    prop_assert_eq!(seen, query_results(&postgres));
                }
            }
            postgres.settle().expect("settled");
            postgres.commit().expect("committed");
            prop_assert_eq!(query_results(&memory), query_results(&postgres));
        }
    }
}
