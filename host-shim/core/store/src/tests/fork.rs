//! Tests of forks of the store in memory.

use crate::changes::Changes;
use crate::memory::MemoryStore;
use crate::not_state::NotState;
use crate::rows::{EffectState, InboxState};
use crate::state::state_hash;
use crate::store::{Read, Store};
use crate::testing::samples;
use extension_contract::{Row, RowKey};

/// Returns a change of every part of a store.
fn touch(n: u32) -> Changes {
    let scope = samples::scope("user:A");
    let mut changes = samples::changes(&scope, &format!("evt_{n}"));
    let mut subscription = samples::subscription("sub");
    subscription.version = u64::from(n);
    subscription.values.snapshot.at = i64::from(n);
    changes.rows = vec![
        samples::write(Row::Subscription(subscription)),
        samples::write(Row::Record(samples::record("things", &format!("r{n}"), "{}"))),
    ];
    changes.facts.insert(format!("fact_{n}"));
    changes.claims.insert("shop/test//subdomain:a".into(), n.is_multiple_of(2).then(|| samples::claim(&scope.account)));
    let effect = samples::effect("mail.send", &format!("k{n}"));
    changes.effects = vec![samples::insert(samples::queued(&scope, effect, 1000))];
    if n > 0 {
        changes.effects.push(samples::update("k0", EffectState::Running, n, 1000));
    }
    changes.inbox = samples::accepted(samples::new_event(&format!("evt_{n}"))).inbox;
    changes
}

fn query_results(store: &MemoryStore) -> String {
    let scope = samples::scope("user:A");
    let partition = samples::partition();
    format!(
        "{:?} {:?} {:?} {:?} {:?} {:?} {:?}",
        state_hash(&[store], &NotState::default()),
        store.load(&scope, &[RowKey::Subscription("sub".into())]),
        store.known(&scope, &["fact_1".into(), "fact_2".into()]),
        store.effects_open_after(&partition, 0, usize::MAX),
        store.inbox_after(None, 0, 10),
        store.parked_count(&partition),
        store.account(&scope),
    )
}

#[test]
fn a_fork_and_its_origin_are_independent() {
    let mut origin = MemoryStore::new();
    origin.apply(&touch(0)).expect("applied");
    let mut fork = origin.fork();
    let before = query_results(&origin);
    assert_eq!(query_results(&fork), before);
    fork.apply(&touch(1)).expect("applied");
    fork.apply(&Changes {
        inbox: Some(samples::moved(1, samples::progress(InboxState::Parked { since: 1 }))),
        ..Changes::default()
    })
    .expect("applied");
    let forked = query_results(&fork);
    assert_ne!(forked, before);
    assert_eq!(query_results(&origin), before, "writes of a fork do not change its origin");
    origin.apply(&touch(2)).expect("applied");
    assert_eq!(query_results(&fork), forked, "writes of the origin do not change its fork");
    assert_ne!(query_results(&origin), before);
}

#[test]
fn a_fork_of_an_open_group_keeps_the_changes_of_the_group() {
    let mut origin = MemoryStore::new();
    origin.apply(&touch(0)).expect("applied");
    let before = query_results(&origin);
    origin.begin().expect("no group is open");
    origin.apply(&touch(1)).expect("applied");
    let mut fork = origin.fork();
    let inside = query_results(&fork);
    origin.rollback().expect("a group is open");
    assert_eq!((query_results(&origin), query_results(&fork)), (before, inside.clone()));
    assert!(fork.rollback().is_err(), "no group is open in it");
    fork.begin().expect("no group is open");
    fork.apply(&touch(2)).expect("applied");
    fork.rollback().expect("a group is open");
    assert_eq!(query_results(&fork), inside);
}
