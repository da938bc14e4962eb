//! Tests of two hosts on one store: only one carries out an effect, a host leaves the living leases of the other alone, and
//! a result under a lost lease ends nothing.

use super::events::{T0, command, lines};
use super::{ask, calls, effect, over};
use host_engine::outbox::{GRACE_MS, LEASE_MS, Outbox};
use host_engine::writer::TAKE_OVER_EVERY_MS;
use host_provider_api::scripted::Scripted;
use host_provider_api::{Call, CallOutcome, Reply};
use host_store::testing::Faults;
use host_store::{DueQuery, EffectState, MemoryStore, SqliteStore};
use serde_json::json;
use std::collections::BTreeSet;
use std::thread;

/// Number of effects of the race.
const EFFECTS: usize = 300;

/// Returns two hosts on one store. Only one may have an open group at a time.
fn two_hosts(scripted: &Scripted) -> (Outbox, Outbox) {
    let store = Faults::new(Box::new(MemoryStore::new()));
    let named = |name| {
        let mut outbox = over(store.open(), scripted);
        outbox.set_owner(name);
        outbox
    };
    (named("first"), named("second"))
}

/// The time from which another host may take an effect whose call began at `T0`.
const LOST: i64 = T0 + LEASE_MS + GRACE_MS;

/// Makes calls and returns them with their replies.
fn make(outbox: &Outbox, calls: Vec<Call>) -> Vec<(Call, Reply)> {
    let made = |call: Call| (call.clone(), outbox.registry().call(&call));
    calls.into_iter().map(made).collect()
}

#[test]
fn a_result_under_a_lost_lease_ends_nothing() {
    let scripted = Scripted::new();
    let (mut first, mut second) = two_hosts(&scripted);
    ask(&mut first, "c1", json!([{"kind": "mail.send", "key": "m"}]));
    let begun = first.begin(T0).unwrap();
    let reply = make(&first, begun.calls);
    second.recover(LOST).unwrap();
    assert_eq!(first.finish(reply, LOST).unwrap(), [], "the second host has the lease");
    assert_eq!(effect(&first, "m")[0].state, EffectState::Running);
    let begun = second.begin(LOST).unwrap();
    let reply = make(&second, begun.calls);
    assert_eq!(second.finish(reply, LOST).unwrap().len(), 1);
    assert_eq!(effect(&first, "m")[0].state, EffectState::Finished);
    assert_eq!(calls(&scripted), ["m#1", "m#1"], "under one key");
}

#[test]
fn a_failed_attempt_under_a_lost_lease_is_not_repeated() {
    let scripted = Scripted::new();
    let (mut first, mut second) = two_hosts(&scripted);
    ask(&mut first, "c1", json!([{"kind": "mail.send", "key": "m"}]));
    let of_first = first.begin(T0).unwrap().calls.remove(0);
    second.take_over(LOST).unwrap();
    let of_second = second.begin(LOST).unwrap().calls.remove(0);
    let failure = CallOutcome::Retry { after_ms: None, code: "busy".into(), message: "busy".into() };
    first.finish(vec![(of_first, Reply::Answer(failure))], LOST).unwrap();
    assert_eq!(effect(&first, "m")[0].state, EffectState::Running, "the second host still makes the call");
    second.finish(vec![(of_second, Reply::Answer(CallOutcome::Done(json!({}))))], LOST).unwrap();
    assert_eq!(effect(&first, "m")[0].state, EffectState::Finished);
    assert_eq!(lines(&first.advance_to(LOST + LEASE_MS).unwrap()), [""; 0]);
    assert_eq!(calls(&scripted), [""; 0], "no third call");
}

#[test]
fn a_starting_host_leaves_the_effects_of_a_living_host_alone() {
    let scripted = Scripted::new();
    let (mut first, mut second) = two_hosts(&scripted);
    ask(&mut first, "c1", json!([{"kind": "mail.send", "key": "m"}]));
    let begun = first.begin(T0).unwrap();
    assert_eq!(effect(&first, "m")[0].lease.owner.as_deref(), Some("first"));
    second.recover(T0 + 1).unwrap();
    assert_eq!(second.begin(T0 + 1).unwrap().moved, 0, "the first host makes the call");
    second.recover(LOST - 1).unwrap();
    assert_eq!(second.begin(LOST - 1).unwrap().moved, 0, "the first host may make its call again");
    let reply = make(&first, begun.calls);
    assert_eq!(first.finish(reply, LOST - 1).unwrap().len(), 1);
    assert_eq!(effect(&second, "m")[0].state, EffectState::Finished);
    assert_eq!(calls(&scripted), ["m#1"], "one call");
}

#[test]
fn an_effect_of_a_host_that_died_is_taken_over_six_minutes_after_its_call_began() {
    const MINUTE: i64 = 60_000;
    let scripted = Scripted::new();
    let (mut first, mut second) = two_hosts(&scripted);
    ask(&mut first, "c1", json!([{"kind": "mail.send", "key": "m"}]));
    let lost = first.begin(T0).unwrap().calls.remove(0);
    drop(first);
    second.take_over(T0 + 6 * MINUTE - 1).unwrap();
    assert_eq!(second.begin(T0 + 6 * MINUTE - 1).unwrap().moved, 0);
    second.take_over(T0 + 6 * MINUTE).unwrap();
    let again = second.begin(T0 + 6 * MINUTE).unwrap().calls.remove(0);
    assert_eq!((&again.key, again.generation, again.lease), (&lost.key, lost.generation, lost.lease + 1));
    // The documents promise seven minutes, since a host looks once a minute.
    assert_eq!(LEASE_MS + GRACE_MS + TAKE_OVER_EVERY_MS, 7 * MINUTE);
}

#[test]
fn a_repeated_call_and_a_poll_are_leased_in_the_store_at_the_call() {
    let scripted = Scripted::new();
    let (mut first, mut second) = two_hosts(&scripted);
    ask(&mut first, "c1", json!([{"kind": "mail.send", "key": "m"}]));
    first.begin(T0).unwrap();
    second.take_over(LOST).unwrap();
    let again = second.begin(LOST).unwrap().calls.remove(0);
    let (mut now, lease) = (LOST, effect(&second, "m").remove(0).lease);
    assert_eq!((lease.owner.as_deref(), lease.until), (Some("second"), Some(now + LEASE_MS)));
    // The first host comes back, and forgets what it has begun.
    let mut first = Outbox::new(first.into_parts().0, second.registry().clone());
    first.set_owner("first");
    first.recover(now + LEASE_MS).unwrap();
    assert_eq!(first.begin(now + LEASE_MS).unwrap().moved, 0, "the second host may still make the call");
    let works = CallOutcome::InProgress { after_ms: 1_000, token: "job".into() };
    second.finish(vec![(again, Reply::Answer(works))], now).unwrap();
    now += 1_000;
    assert_eq!(second.begin(now).unwrap().calls[0].token.as_deref(), Some("job"));
    first.take_over(now + LEASE_MS).unwrap();
    assert_eq!(first.begin(now + LEASE_MS).unwrap().moved, 0, "the second host may still poll");
}

#[test]
fn a_restarted_host_takes_its_own_effects_at_once() {
    let scripted = Scripted::new();
    let (mut first, second) = two_hosts(&scripted);
    ask(&mut first, "c1", json!([{"kind": "mail.send", "key": "m"}]));
    first.begin(T0).unwrap();
    let (processor, registry) = second.into_parts();
    let mut restarted = Outbox::new(processor, registry);
    restarted.set_owner("first");
    restarted.recover(T0 + 1).unwrap();
    assert_eq!(restarted.begin(T0 + 1).unwrap().calls.len(), 1);
}

#[test]
fn an_effect_that_its_provider_works_on_stays_with_its_host_until_a_poll_is_overdue() {
    let scripted = Scripted::new();
    let (mut first, mut second) = two_hosts(&scripted);
    ask(&mut first, "c1", json!([{"kind": "mail.send", "key": "m"}]));
    let call = first.begin(T0).unwrap().calls.remove(0);
    let hour = 3_600_000;
    let works = CallOutcome::InProgress { after_ms: hour, token: "job".into() };
    first.finish(vec![(call, Reply::Answer(works))], T0).unwrap();
    second.take_over(T0 + hour + GRACE_MS - 1).unwrap();
    assert_eq!(effect(&second, "m")[0].lease.owner.as_deref(), Some("first"));
    second.take_over(T0 + hour + GRACE_MS).unwrap();
    let lease = effect(&second, "m").remove(0).lease;
    assert_eq!((lease.owner.as_deref(), lease.token.as_deref()), (Some("second"), Some("job")));
    let poll = second.begin(T0 + hour + GRACE_MS).unwrap().calls.remove(0);
    assert_eq!(poll.token.as_deref(), Some("job"), "it is polled, not begun again");
}

#[test]
fn each_effect_is_begun_by_one_of_two_hosts() {
    let scripted = Scripted::new();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let open = |name| {
        let mut outbox = over(Box::new(SqliteStore::open(&path).unwrap()), &scripted);
        outbox.set_owner(name);
        outbox
    };
    let mut first = open("first");
    for number in 0..EFFECTS {
        let asked = json!({"ask": [{"kind": "mail.send", "key": format!("m{number}")}]});
        first.accept(command(&format!("c{number}"), "a", T0, asked), Vec::new()).unwrap();
    }
    let begin_all = |mut outbox: Outbox| {
        let mut keys = Vec::new();
        loop {
            let begun = outbox.begin(T0).unwrap();
            keys.extend(begun.calls.into_iter().map(|call| call.key));
            // After a begin without a call, the other host may just have taken the effects that were due.
            let processor = outbox.processor();
            if processor.store().effects_due(&DueQuery::of(processor.partition(), T0, 1)).unwrap().is_empty() {
                return keys;
            }
        }
    };
    let second = open("second");
    let keys: Vec<String> = thread::scope(|scope| {
        let hosts = [first, second].map(|outbox| scope.spawn(|| begin_all(outbox)));
        hosts.into_iter().flat_map(|host| host.join().unwrap()).collect()
    });
    assert_eq!(keys.len(), EFFECTS, "no effect is begun twice");
    assert_eq!(keys.iter().collect::<BTreeSet<_>>().len(), EFFECTS);
}
