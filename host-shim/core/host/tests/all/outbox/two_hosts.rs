//! Tests of two hosts on one store: only one carries out an effect, and a result under a lost lease ends nothing.

use super::events::{T0, command, lines};
use super::{ask, calls, effect, over};
use host::outbox::{LEASE_MS, Outbox};
use host_provider_api::scripted::Scripted;
use host_provider_api::{Call, CallOutcome, Reply};
use host_store::testing::Faults;
use host_store::{EffectState, MemoryStore, SqliteStore};
use serde_json::json;
use std::collections::BTreeSet;
use std::thread;

/// Number of effects of the race.
const EFFECTS: usize = 300;

/// Returns two hosts on one store. Only one may have an open group at a time.
fn two_hosts(scripted: &Scripted) -> (Outbox, Outbox) {
    let store = Faults::new(Box::new(MemoryStore::new()));
    (over(store.open(), scripted), over(store.open(), scripted))
}

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
    second.recover(T0 + 1).unwrap();
    assert_eq!(first.finish(reply, T0 + 2).unwrap(), [], "the second host has the lease");
    assert_eq!(effect(&first, "m")[0].state, EffectState::Running);
    let begun = second.begin(T0 + 3).unwrap();
    let reply = make(&second, begun.calls);
    assert_eq!(second.finish(reply, T0 + 4).unwrap().len(), 1);
    assert_eq!(effect(&first, "m")[0].state, EffectState::Finished);
    assert_eq!(calls(&scripted), ["m#1", "m#1"], "under one key");
}

#[test]
fn a_failed_attempt_under_a_lost_lease_is_not_repeated() {
    let scripted = Scripted::new();
    let (mut first, mut second) = two_hosts(&scripted);
    ask(&mut first, "c1", json!([{"kind": "mail.send", "key": "m"}]));
    let of_first = first.begin(T0).unwrap().calls.remove(0);
    second.recover(T0).unwrap();
    let of_second = second.begin(T0).unwrap().calls.remove(0);
    let failure = CallOutcome::Retry { after_ms: None, code: "busy".into(), message: "busy".into() };
    first.finish(vec![(of_first, Reply::Answer(failure))], T0).unwrap();
    assert_eq!(effect(&first, "m")[0].state, EffectState::Running, "the second host still makes the call");
    second.finish(vec![(of_second, Reply::Answer(CallOutcome::Done(json!({}))))], T0).unwrap();
    assert_eq!(effect(&first, "m")[0].state, EffectState::Finished);
    assert_eq!(lines(&first.advance_to(T0 + LEASE_MS).unwrap()), [""; 0]);
    assert_eq!(calls(&scripted), [""; 0], "no third call");
}

#[test]
fn each_effect_is_begun_by_one_of_two_hosts() {
    let scripted = Scripted::new();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let open = || over(Box::new(SqliteStore::open(&path).unwrap()), &scripted);
    let mut first = open();
    for number in 0..EFFECTS {
        let asked = json!({"ask": [{"kind": "mail.send", "key": format!("m{number}")}]});
        first.accept(command(&format!("c{number}"), "a", T0, asked), Vec::new()).unwrap();
    }
    let begin_all = |mut outbox: Outbox| {
        let mut keys = Vec::new();
        loop {
            let begun = outbox.begin(T0).unwrap();
            keys.extend(begun.calls.into_iter().map(|call| call.key));
            // After a begin without an effect, the other host may just have taken the effects that this host had read.
            let processor = outbox.processor();
            if processor.store().effects_due(processor.partition(), T0, true, 1).unwrap().is_empty() {
                return keys;
            }
        }
    };
    let second = open();
    let keys: Vec<String> = thread::scope(|scope| {
        let hosts = [first, second].map(|outbox| scope.spawn(|| begin_all(outbox)));
        hosts.into_iter().flat_map(|host| host.join().unwrap()).collect()
    });
    assert_eq!(keys.len(), EFFECTS, "no effect is begun twice");
    assert_eq!(keys.iter().collect::<BTreeSet<_>>().len(), EFFECTS);
}
