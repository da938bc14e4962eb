//! Tests of whose turn it is: the effects of an account that has many wait behind its own, and not before those of others, and a call
//! beyond the rate of its provider waits without a lease.

use super::events::{T0, command, lines, user};
use super::toy::ToyRunner;
use host_engine::outbox::{Begun, Outbox};
use host_engine::processor::{Business, Processor};
use host_provider_api::{Call, CallOutcome, Provider, Registry, Room};
use host_store::{EffectRow, EffectState, MemoryStore};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Number of effects of the account with many.
const MANY: usize = 1_500;
/// Milliseconds after which the provider says that it admits more calls.
const WAIT_MS: i64 = 700;

/// A provider that admits as many calls as the test says.
#[derive(Default)]
struct Rated(AtomicUsize);

impl Rated {
    fn admit(&self, calls: usize) {
        self.0.store(calls, Ordering::SeqCst);
    }
}

impl Provider for Rated {
    fn call(&self, _: &Call) -> CallOutcome {
        CallOutcome::Done(json!({}))
    }

    fn room(&self) -> Room {
        Room { at_once: 64, per_account: 64, begins: self.0.load(Ordering::SeqCst), wait_ms: WAIT_MS }
    }

    fn reserve(&self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Returns an outbox in which the account `a` has many effects that are due.
fn outbox() -> (Outbox, Arc<Rated>) {
    let business = Business { name: "toys".into(), ..Business::default() };
    let processor = Processor::new(Box::new(MemoryStore::new()), Box::new(ToyRunner::new(1)), business).unwrap();
    let rated = Arc::new(Rated::default());
    let mut outbox = Outbox::new(processor, Registry::with_default(rated.clone()));
    for batch in 0..MANY / 100 {
        let mails: Vec<Value> =
            (0..100).map(|number| json!({"kind": "mail.send", "key": format!("m{}", batch * 100 + number)})).collect();
        ask(&mut outbox, "a", &format!("c{batch}"), json!(mails));
    }
    (outbox, rated)
}

fn ask(outbox: &mut Outbox, account: &str, id: &str, effects: Value) {
    let reports = outbox.accept(command(id, account, T0, json!({"ask": effects})), Vec::new()).unwrap();
    assert_eq!(lines(&reports), [format!("{id}: applied")]);
}

fn keys(begun: &Begun) -> Vec<&str> {
    begun.calls.iter().map(|call| call.key.as_str()).collect()
}

fn effect(outbox: &Outbox, account: &str, key: &str) -> EffectRow {
    let processor = outbox.processor();
    processor.store().effect(&processor.scope(user(account)), key).unwrap().remove(0)
}

fn finish(outbox: &mut Outbox, begun: Begun) {
    let replies = begun.calls.into_iter().map(|call| (call, CallOutcome::Done(json!({})).into())).collect();
    outbox.finish(replies, T0).unwrap();
}

#[test]
fn the_effect_of_another_account_begins_in_the_next_turn_of_the_provider() {
    let (mut outbox, rated) = outbox();
    rated.admit(20);
    let begun = outbox.begin(T0).unwrap();
    assert_eq!(begun.calls.len(), 16, "as many of an account as are looked at together");
    finish(&mut outbox, begun);
    let begun = outbox.begin(T0).unwrap();
    assert_eq!(begun.calls.len(), 4, "what is left of the rate");
    finish(&mut outbox, begun);
    ask(
        &mut outbox,
        "b",
        "of b",
        json!([{"kind": "mail.send", "key": "of b"}, {"kind": "mail.send", "key": "second"}]),
    );
    ask(&mut outbox, "c", "of c", json!([{"kind": "mail.send", "key": "of c"}]));
    assert_eq!(outbox.begin(T0).unwrap().moved, 0, "the provider admits none");
    rated.admit(1);
    let begun = outbox.begin(T0).unwrap();
    assert_eq!(keys(&begun), ["of b"], "1480 effects are older");
    finish(&mut outbox, begun);
    rated.admit(3);
    assert_eq!(keys(&outbox.begin(T0).unwrap()), ["of c", "second", "m20"]);
}

#[test]
fn a_call_beyond_the_rate_has_no_lease_and_the_host_wakes_up_when_the_provider_admits_more() {
    let (mut outbox, rated) = outbox();
    rated.admit(1);
    assert_eq!(keys(&outbox.begin(T0).unwrap()), ["m0"]);
    assert_eq!(outbox.begin(T0).unwrap().moved, 0);
    let waiting = effect(&outbox, "a", "m1");
    assert_eq!((waiting.state, waiting.attempts, waiting.lease.until), (EffectState::Queued, 0, None));
    assert_eq!(outbox.next_time().unwrap(), Some(T0 + WAIT_MS));
    rated.admit(1);
    assert_eq!(keys(&outbox.begin(T0 + WAIT_MS).unwrap()), ["m1"]);
}

#[test]
fn polls_wait_in_turn_like_new_calls() {
    let (mut outbox, rated) = outbox();
    rated.admit(64);
    let mut works = Vec::new();
    while let begun @ Begun { moved: 1.., .. } = outbox.begin(T0).unwrap() {
        works.extend(begun.calls.into_iter().map(|call| {
            let token = call.key.clone();
            (call, CallOutcome::InProgress { after_ms: 1, token }.into())
        }));
    }
    assert_eq!(works.len(), 64);
    outbox.finish(works, T0).unwrap();
    ask(&mut outbox, "b", "of b", json!([{"kind": "mail.send", "key": "of b"}]));
    rated.admit(2);
    let begun = outbox.begin(T0 + 1).unwrap();
    let mut begun = keys(&begun);
    begun.sort_unstable();
    assert_eq!(begun, ["m0", "of b"], "64 polls of the other account are due");
}

#[test]
fn timers_do_not_wait_behind_calls() {
    let (mut outbox, _) = outbox();
    ask(&mut outbox, "b", "timer", json!([{"kind": "timer.at", "key": "t", "not_before": T0}]));
    let begun = outbox.begin(T0).unwrap();
    assert_eq!(lines(&begun.reports), ["toys/test/user:b/t@1: applied"]);
}
