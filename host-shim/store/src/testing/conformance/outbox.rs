//! The outbox: what may begin, in which order.

use super::Open;
use crate::changes::EffectChange;
use crate::rows::{EffectRow, EffectState, Lease, TIMER};
use crate::store::Store;
use crate::testing::samples;
use products_contract::{Account, Effect, RetryPolicy, StoreError, Timestamp};

fn queue(store: &mut dyn Store, account: &str, key: &str, ordering_key: Option<&str>, due_at: Timestamp) {
    let mut effect = samples::effect("mail.send", key);
    effect.ordering_key = ordering_key.map(str::to_owned);
    queue_effect(store, account, effect, due_at);
}

fn queue_effect(store: &mut dyn Store, account: &str, effect: Effect, due_at: Timestamp) {
    let scope = samples::scope(account);
    let mut changes = samples::changes(&scope, "evt_1");
    changes.effects.push(samples::insert(samples::queued(&scope, effect, due_at)));
    store.apply(&changes).expect("applied");
}

fn update(store: &mut dyn Store, account: &str, key: &str, state: EffectState, due_at: Timestamp) {
    let mut changes = samples::changes(&samples::scope(account), "");
    changes.effects.push(EffectChange::Update {
        key: key.into(),
        generation: 1,
        state,
        attempts: 1,
        due_at,
        lease: Lease::default(),
    });
    store.apply(&changes).expect("applied");
}

fn keys(rows: Result<Vec<EffectRow>, StoreError>) -> Vec<String> {
    rows.expect("read").into_iter().map(|row| row.effect.key).collect()
}

/// Every member of an effect and of its row.
pub fn effects_come_back_as_they_were_asked_for(open: Open<'_>) {
    let mut store = open();
    let scope = samples::scope("user:A");
    let mut row = samples::queued(&scope, samples::effect("account.send", "k"), 2000);
    row.effect = Effect {
        to: Some(Account::Organization("O".into())),
        payload: "{\"a\": 1}".into(),
        reply_to: Some("caller".into()),
        ordering_key: Some("order".into()),
        not_before: Some(2000),
        deadline: Some(9000),
        retry: Some(RetryPolicy { max_attempts: 3, first_delay_ms: 100, max_delay_ms: 1000 }),
        ..row.effect
    };
    let mut second = samples::queued(&scope, samples::effect("account.send", "k"), 2000);
    second.effect.generation = 2;
    second.state = EffectState::Cancelled;
    row.lease = Lease { number: 7, until: Some(4000), token: Some("job-1".into()) };
    let mut changes = samples::changes(&scope, "evt_1");
    changes.effects = vec![samples::insert(row.clone()), samples::insert(second.clone())];
    store.apply(&changes).expect("applied");
    row.seq = 1;
    second.seq = 2;
    assert_eq!(store.effect(&scope, "k"), Ok(vec![row.clone(), second.clone()]));
    row.lease = Lease { number: 8, until: None, token: None };
    let mut changes = samples::changes(&scope, "evt_2");
    changes.effects.push(EffectChange::Update {
        key: "k".into(),
        generation: 1,
        state: row.state,
        attempts: row.attempts,
        due_at: row.due_at,
        lease: row.lease.clone(),
    });
    store.apply(&changes).expect("applied");
    assert_eq!(store.effect(&scope, "k"), Ok(vec![row, second]));
    assert_eq!(store.effect(&scope, "other"), Ok(Vec::new()));
    assert_eq!(store.effect(&samples::scope("user:B"), "k"), Ok(Vec::new()));
}

/// By due time, then in order of the requests, of all accounts together.
pub fn effects_are_due_in_order_of_time(open: Open<'_>) {
    let mut store = open();
    queue(&mut *store, "user:A", "late", None, 3000);
    queue(&mut *store, "user:B", "first", None, 1000);
    queue(&mut *store, "user:A", "second", None, 1000);
    queue(&mut *store, "user:B", "third", None, 2000);
    assert_eq!(keys(store.effects_due(2000, true, 10)), ["first", "second", "third"]);
    assert_eq!(keys(store.effects_due(2000, true, 2)), ["first", "second"]);
    assert!(keys(store.effects_due(999, true, 10)).is_empty());
    assert_eq!(store.next_due(1000), Ok(Some(2000)));
    assert_eq!(store.next_due(3000), Ok(None));
    update(&mut *store, "user:B", "first", EffectState::Queued, 2500);
    assert_eq!(keys(store.effects_due(3000, true, 10)), ["second", "third", "first", "late"]);
    update(&mut *store, "user:A", "second", EffectState::Running, 1000);
    update(&mut *store, "user:B", "third", EffectState::Cancelled, 2000);
    assert_eq!(keys(store.effects_due(3000, true, 10)), ["first", "late"]);
    assert_eq!(store.effects_due(3000, true, 1).expect("read")[0].scope, samples::scope("user:B"));
}

/// Timers are due like any effect, or left out.
pub fn timers_can_be_left_out(open: Open<'_>) {
    let mut store = open();
    queue_effect(&mut *store, "user:A", samples::effect(TIMER, "timer"), 1000);
    queue(&mut *store, "user:A", "mail", None, 2000);
    queue_effect(&mut *store, "user:A", samples::effect(TIMER, "later"), 1500);
    assert_eq!(keys(store.effects_due(2000, true, 10)), ["timer", "later", "mail"]);
    assert_eq!(keys(store.effects_due(2000, true, 2)), ["timer", "later"]);
    assert_eq!(keys(store.effects_due(2000, false, 10)), ["mail"]);
    assert_eq!(store.next_due(1000), Ok(Some(1500)));
}

/// The first open one of an ordering key, even if a later one is due and the first is not; per account.
pub fn one_effect_of_an_ordering_key_is_due_at_a_time(open: Open<'_>) {
    let mut store = open();
    queue(&mut *store, "user:A", "a1", Some("db"), 2000);
    queue(&mut *store, "user:A", "a2", Some("db"), 1000);
    queue(&mut *store, "user:A", "other", Some("cdn"), 1000);
    queue(&mut *store, "user:B", "b1", Some("db"), 1000);
    assert_eq!(keys(store.effects_due(1000, true, 10)), ["other", "b1"]);
    assert_eq!(store.next_due(1000), Ok(Some(2000)));
    assert_eq!(keys(store.effects_due(2000, true, 10)), ["other", "b1", "a1"]);
    update(&mut *store, "user:A", "a1", EffectState::Running, 2000);
    assert_eq!(keys(store.effects_due(9000, true, 10)), ["other", "b1"]);
    update(&mut *store, "user:A", "a1", EffectState::Queued, 5000);
    assert_eq!(keys(store.effects_due(4000, true, 10)), ["other", "b1"]);
    assert_eq!(store.next_due(4000), Ok(Some(5000)));
    update(&mut *store, "user:A", "a1", EffectState::Finished, 5000);
    assert_eq!(keys(store.effects_due(1000, true, 10)), ["a2", "other", "b1"]);
    update(&mut *store, "user:A", "a2", EffectState::Cancelled, 1000);
    queue(&mut *store, "user:A", "a3", Some("db"), 1000);
    assert_eq!(keys(store.effects_due(1000, true, 10)), ["other", "b1", "a3"]);
}

/// Queued and running ones, by account and in all; running ones for a host that starts.
pub fn open_effects_are_listed_until_they_end(open: Open<'_>) {
    let mut store = open();
    queue(&mut *store, "user:A", "a1", None, 5000);
    queue(&mut *store, "user:B", "b1", None, 1000);
    queue(&mut *store, "user:A", "a2", Some("db"), 1000);
    queue(&mut *store, "user:A", "a3", None, 1000);
    update(&mut *store, "user:A", "a2", EffectState::Running, 1000);
    update(&mut *store, "user:A", "a3", EffectState::Finished, 1000);
    assert_eq!(keys(store.effects_open(None)), ["a1", "b1", "a2"]);
    assert_eq!(keys(store.effects_open(Some(&samples::scope("user:A")))), ["a1", "a2"]);
    assert!(keys(store.effects_open(Some(&samples::scope("user:C")))).is_empty());
    assert_eq!(keys(store.effects_running()), ["a2"]);
    update(&mut *store, "user:A", "a2", EffectState::Queued, 1000);
    assert!(keys(store.effects_running()).is_empty());
    update(&mut *store, "user:A", "a1", EffectState::Cancelled, 1000);
    assert_eq!(keys(store.effects_open(None)), ["b1", "a2"]);
}

/// A key and generation is there once; what is not there can't be updated; either refuses the whole change.
pub fn an_effect_is_inserted_once_and_updated_if_it_is_there(open: Open<'_>) {
    let mut store = open();
    let scope = samples::scope("user:A");
    queue(&mut *store, "user:A", "k", None, 1000);
    queue(&mut *store, "user:B", "k", None, 1000);
    let mut twice = samples::changes(&scope, "evt_2");
    twice.facts.insert("paid:in_1".into());
    for key in ["new", "k"] {
        twice.effects.push(samples::insert(samples::queued(&scope, samples::effect("mail.send", key), 1000)));
    }
    assert_eq!(store.apply(&twice), Err(StoreError::Taken("effect.generation".into())));
    let mut missing = samples::changes(&scope, "evt_2");
    missing.facts.insert("paid:in_1".into());
    for generation in [1, 2] {
        let state = EffectState::Running;
        missing.effects.push(EffectChange::Update {
            key: "k".into(),
            generation,
            state,
            attempts: 1,
            due_at: 0,
            lease: Lease::default(),
        });
    }
    assert!(matches!(store.apply(&missing), Err(StoreError::Unavailable(_))));
    assert_eq!(store.fact(&scope, "paid:in_1"), Ok(None));
    assert_eq!(store.effect(&scope, "new"), Ok(Vec::new()));
    assert_eq!(store.effect(&scope, "k").expect("read")[0].state, EffectState::Queued);
    // The numbers have no gap after a refusal: the next request is the third.
    queue(&mut *store, "user:A", "third", None, 1000);
    assert_eq!(store.effect(&scope, "third").expect("read")[0].seq, 3);
}
