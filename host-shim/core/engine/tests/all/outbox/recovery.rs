//! Tests of restarts.

use super::events::{T0, command, webhook};
use super::{ask, calls, effect, outbox, over, retryable, run};
use extension_contract::Event;
use host_engine::outbox::{Outbox, OutboxError};
use host_provider_api::scripted::{Resource, Scripted, ScriptedAnswer};
use host_store::EffectState;
use host_store::testing::{Faults, Moment, Then};
use host_store::{MemoryStore, NotState, state_document};
use serde_json::{Value, json};
use std::collections::BTreeSet;

#[test]
fn a_running_effect_is_repeated_under_the_same_key_and_attempt() {
    let (mut outbox, scripted) = outbox();
    scripted.script("m", vec![ScriptedAnswer::Never, ScriptedAnswer::Ok(Value::Null)]);
    ask(&mut outbox, "c1", json!([{"kind": "mail.send", "key": "m"}]));
    run(&mut outbox, T0);
    // The process ends; its outstanding calls are lost.
    let mut outbox = over(outbox.into_parts().0.into_parts().0, &scripted);
    assert_eq!(run(&mut outbox, T0 + 1), [""; 0], "a running effect is not due");
    outbox.recover(T0 + 1).unwrap();
    assert_eq!(run(&mut outbox, T0 + 1), ["toys/test/user:a/m@1: applied"]);
    assert_eq!(calls(&scripted), ["m#1", "m#1"]);
    let leases: Vec<u64> = scripted.journal().iter().map(|entry| entry.call.lease).collect();
    assert_eq!(leases, [1, 2], "the old process has lost its lease");
    outbox.recover(T0 + 2).unwrap();
    assert_eq!(run(&mut outbox, T0 + 2), [""; 0]);
}

#[test]
fn an_effect_in_progress_is_polled_at_its_time_after_a_restart() {
    let (mut outbox, scripted) = outbox();
    scripted.script("m", vec![late(50)]);
    ask(&mut outbox, "c1", json!([{"kind": "mail.send", "key": "m"}]));
    run(&mut outbox, T0);
    let mut outbox = over(outbox.into_parts().0.into_parts().0, &scripted);
    outbox.recover(T0 + 1).unwrap();
    assert_eq!(run(&mut outbox, T0 + 49), [""; 0]);
    assert_eq!(run(&mut outbox, T0 + 50), ["toys/test/user:a/m@1: applied"]);
    assert_eq!(calls(&scripted), ["m#1"]);
}

#[test]
fn a_running_effect_past_its_deadline_ends_at_the_restart_without_a_call() {
    for (answer, deadline) in [(ScriptedAnswer::Never, T0 + 10), (late(1_000), T0 + 10)] {
        let (mut outbox, scripted) = outbox();
        scripted.script("m", vec![answer]);
        ask(&mut outbox, "c1", json!([{"kind": "mail.send", "key": "m", "deadline": deadline}]));
        run(&mut outbox, T0);
        let mut outbox = over(outbox.into_parts().0.into_parts().0, &scripted);
        outbox.recover(T0 + 20).unwrap();
        assert_eq!(run(&mut outbox, T0 + 20), ["toys/test/user:a/m@1: applied"]);
        let failure = super::result(&outbox, "toys/test/user:a/m@1").answer.unwrap_err();
        assert_eq!((failure.code.as_str(), calls(&scripted)), ("deadline", vec!["m#1".to_owned()]));
    }
}

#[test]
fn a_running_destroy_is_repeated_and_succeeds() {
    let (mut outbox, scripted) = outbox();
    ask(&mut outbox, "c0", json!([{"kind": "database.ensure", "key": "db"}]));
    run(&mut outbox, T0);
    ask(&mut outbox, "c1", json!([{"kind": "database.destroy", "key": "db", "generation": 2}]));
    let calls = outbox.begin(T0).unwrap().calls;
    let _lost_with_the_process = outbox.registry().call(&calls[0]);
    assert_eq!(effect(&outbox, "db")[1].state, EffectState::Running);
    let mut outbox = over(outbox.into_parts().0.into_parts().0, &scripted);
    outbox.recover(T0 + 1).unwrap();
    assert_eq!(run(&mut outbox, T0 + 1), ["toys/test/user:a/db@2: applied"]);
    assert!(result_is_ok(&outbox, "toys/test/user:a/db@2") && scripted.inventory().is_empty());
}

fn result_is_ok(outbox: &Outbox, event_id: &str) -> bool {
    super::result(outbox, event_id).answer.is_ok()
}

#[test]
fn recover_ignores_calls_of_this_process() {
    let (mut outbox, scripted) = outbox();
    scripted.script("m", vec![late(50)]);
    ask(&mut outbox, "c1", json!([{"kind": "mail.send", "key": "m"}]));
    run(&mut outbox, T0);
    outbox.recover(T0 + 1).unwrap();
    assert_eq!((run(&mut outbox, T0 + 1), effect(&outbox, "m")[0].lease.number), (Vec::new(), 1));
    assert_eq!(calls(&scripted), ["m#1"]);
}

#[test]
fn recover_restores_a_new_simulation_from_the_inbox() {
    let (mut outbox, _) = outbox();
    let database = |key: &str| json!({"kind": "database.ensure", "key": key, "payload": {"name": key}});
    ask(&mut outbox, "c1", json!([database("db1"), database("db2")]));
    run(&mut outbox, T0);
    ask(&mut outbox, "c2", json!([{"kind": "database.destroy", "key": "db2", "generation": 2}]));
    run(&mut outbox, T0);
    let scripted = Scripted::new();
    let mut outbox = over(outbox.into_parts().0.into_parts().0, &scripted);
    outbox.recover(T0 + 1).unwrap();
    let names: Vec<_> = scripted.inventory().into_iter().map(|resource| resource.outputs["name"].clone()).collect();
    assert_eq!(names, ["db1"]);
    let payload = json!({"state": "suspended"});
    ask(&mut outbox, "c3", json!([{"kind": "database.change", "key": "db1", "generation": 2, "payload": payload}]));
    run(&mut outbox, T0 + 1);
    assert!(result_is_ok(&outbox, "toys/test/user:a/db1@2"));
}

fn late(after_ms: i64) -> ScriptedAnswer {
    ScriptedAnswer::Late { after_ms, then: Box::new(ScriptedAnswer::Ok(Value::Null)) }
}

/// Events with claims, facts, waits, effects with all kinds of results, timers and messages.
fn story() -> Vec<Event> {
    let db = json!({"kind": "database.ensure", "key": "db", "ordering_key": "db", "then": {"note": ["made"]}});
    let suspend = json!({"kind": "database.change", "key": "db2", "ordering_key": "db", "payload": {"state": "x"}});
    vec![
        webhook("e1", T0, json!({"keys": ["customer:1"], "note": ["paid:1"]})),
        command("c1", "a", T0 + 1, json!({"needs_fact": "made", "take": ["name:x"]})),
        command(
            "c2",
            "a",
            T0 + 2,
            json!({"take": ["customer:1"], "ask": [
                db,
                suspend,
                {"kind": "mail.send", "key": "late"},
                {"kind": "mail.send", "key": "bounces"},
                {"kind": "account.send", "key": "msg", "to": "user:b", "payload": {"note": ["told"]}},
                {"kind": "timer.at", "key": "t", "not_before": T0 + 50_000,
                 "payload": {"ask": [{"kind": "database.destroy", "key": "db", "generation": 2}]}},
            ]}),
        ),
        command("c3", "b", T0 + 3, json!({"take": ["name:y"], "needs_fact": "told", "fail": 1})),
    ]
}

fn scripted() -> Scripted {
    let scripted = Scripted::new();
    scripted.script("db", vec![retryable(), ScriptedAnswer::Lost, ScriptedAnswer::Ok(Value::Null)]);
    scripted.script("late", vec![late(500)]);
    scripted.script("bounces", vec![ScriptedAnswer::failed("bounced", "no such box")]);
    scripted
}

type PlayStep = Box<dyn Fn(&mut Outbox) -> Result<(), OutboxError>>;

/// Plays the story. After a failure of the store: restarts (if the store is dead), recovers and repeats the step.
fn play(faults: &Faults, then: Then) -> (Value, Vec<Resource>, BTreeSet<String>) {
    let scripted = scripted();
    let mut outbox = over(faults.open(), &scripted);
    let mut steps: Vec<PlayStep> = Vec::new();
    for event in story() {
        steps.push(Box::new(move |outbox| {
            outbox.accept(event.clone(), Vec::new())?;
            outbox.run_until_quiet(event.received_at).map(drop)
        }));
    }
    for until in [T0 + 30_000, T0 + 200_000] {
        steps.push(Box::new(move |outbox| outbox.advance_to(until).map(drop)));
    }
    for step in steps {
        if let Err(error) = step(&mut outbox) {
            assert!(matches!(error, OutboxError::Store(_)), "{error}");
            let clock = outbox.clock();
            if then == Then::Dead {
                outbox = over(faults.open(), &scripted);
            }
            outbox.recover(clock).unwrap();
            step(&mut outbox).unwrap();
        }
    }
    let keys = scripted.journal().into_iter().map(|entry| entry.call.key).collect();
    let mut state = state_document(&[outbox.processor().store()], &NotState::default()).unwrap();
    leave_out_attempts(&mut state);
    (state, scripted.inventory(), keys)
}

fn leave_out_attempts(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.remove("attempts");
            members.values_mut().for_each(leave_out_attempts);
        }
        Value::Array(items) => items.iter_mut().for_each(leave_out_attempts),
        _ => {}
    }
}

#[test]
fn a_crash_at_any_write_loses_nothing_and_calls_no_effect_under_a_second_key() {
    let counting = Faults::new(Box::new(MemoryStore::new()));
    let expected = play(&counting, Then::Dead);
    assert!(expected.0.to_string().contains("told"), "the story is played to its end: {}", expected.0);
    assert!(counting.writes() > 40, "{} writes", counting.writes());
    for write in 1..=counting.writes() {
        for moment in [Moment::Before, Moment::After] {
            for then in [Then::Dead, Then::Alive] {
                let faults = Faults::new(Box::new(MemoryStore::new()));
                faults.fail_at(write, moment, then);
                let found = play(&faults, then);
                assert!(faults.struck());
                assert_eq!(found, expected, "fault at write {write} {moment:?} {then:?}");
            }
        }
    }
}

#[test]
fn a_poll_during_which_the_host_died_is_made_again_at_once() {
    let (mut outbox, scripted) = outbox();
    scripted.script("m", vec![late(50)]);
    ask(&mut outbox, "c1", json!([{"kind": "mail.send", "key": "m"}]));
    run(&mut outbox, T0);
    assert_eq!(outbox.begin(T0 + 50).unwrap().calls.len(), 1, "the poll");
    assert!(effect(&outbox, "m")[0].lease.until > Some(T0 + 50), "it is under a lease");
    let mut outbox = over(outbox.into_parts().0.into_parts().0, &scripted);
    outbox.recover(T0 + 60).unwrap();
    assert_eq!(run(&mut outbox, T0 + 60), ["toys/test/user:a/m@1: applied"]);
}
