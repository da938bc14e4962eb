//! Restarts.

use super::events::{T0, command, lines, webhook};
use super::{ask, calls, effect, executor, over, retryable, run};
use host_executor::{Executor, ExecutorError};
use host_providers::Answer;
use host_providers::scripted::{Resource, Scripted};
use host_store::EffectState;
use host_store::testing::{Faults, Moment, Then};
use host_store::{MemoryStore, state_document};
use products_contract::Event;
use serde_json::{Value, json};
use std::collections::BTreeSet;

#[test]
fn what_was_running_is_repeated_under_the_same_key_and_attempt() {
    let (mut executor, scripted) = executor();
    scripted.script("m", vec![Answer::Late { after_ms: 50, then: Box::new(Answer::Never) }, Answer::Ok(Value::Null)]);
    ask(&mut executor, "c1", json!([{"kind": "mail.send", "key": "m"}]));
    run(&mut executor, T0);
    // The process ends; what it waited for is forgotten.
    let mut executor = over(executor.into_parts().0.into_parts().0, &scripted);
    assert_eq!(run(&mut executor, T0 + 1), [""; 0], "a running effect is not due");
    assert_eq!(lines(&executor.recover(T0 + 1).unwrap()), ["toys/test/user:a/m@1: applied"]);
    assert_eq!(calls(&scripted), ["m#1", "m#1"]);
    assert_eq!(executor.recover(T0 + 2).unwrap(), []);
}

#[test]
fn a_resource_that_is_seen_to_be_gone_is_not_destroyed_again() {
    let (mut executor, scripted) = executor();
    ask(&mut executor, "c0", json!([{"kind": "database.ensure", "key": "db"}]));
    run(&mut executor, T0);
    scripted.script("db", vec![Answer::Late { after_ms: 50, then: Box::new(Answer::Ok(Value::Null)) }]);
    ask(&mut executor, "c1", json!([{"kind": "database.destroy", "key": "db", "generation": 2}]));
    run(&mut executor, T0);
    assert_eq!(effect(&executor, "db")[1].state, EffectState::Running);
    let mut executor = over(executor.into_parts().0.into_parts().0, &scripted);
    assert_eq!(lines(&executor.recover(T0 + 1).unwrap()), ["toys/test/user:a/db@2: applied"]);
    let verbs: Vec<String> = scripted.journal().iter().map(|entry| entry.call.verb().to_owned()).collect();
    assert_eq!(verbs, ["ensure", "destroy", "observe"]);
}

#[test]
fn what_this_process_waits_for_is_left_alone() {
    let (mut executor, scripted) = executor();
    scripted.script("m", vec![Answer::Late { after_ms: 50, then: Box::new(Answer::Ok(Value::Null)) }]);
    ask(&mut executor, "c1", json!([{"kind": "mail.send", "key": "m"}]));
    run(&mut executor, T0);
    assert_eq!(executor.recover(T0 + 1).unwrap(), []);
    assert_eq!(calls(&scripted), ["m#1"]);
}

/// Everything that a story makes happen: claims, facts, waiting, effects of all fates, timers, messages.
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
    scripted.script("db", vec![retryable(), Answer::Lost, Answer::Ok(Value::Null)]);
    scripted.script("late", vec![Answer::Late { after_ms: 500, then: Box::new(Answer::Ok(Value::Null)) }]);
    scripted.script("bounces", vec![Answer::failed("bounced", "no such box")]);
    scripted
}

type Step = Box<dyn Fn(&mut Executor) -> Result<(), ExecutorError>>;

/// Play the story; after a failure of the store start again, if it is dead, recover, and deliver the event again.
fn play(faults: &Faults, then: Then) -> (Value, Vec<Resource>, BTreeSet<String>) {
    let scripted = scripted();
    let mut executor = over(faults.open(), &scripted);
    let mut steps: Vec<Step> = Vec::new();
    for event in story() {
        steps.push(Box::new(move |executor| {
            executor.accept(event.clone(), Vec::new())?;
            executor.run_until_quiet(event.received_at).map(drop)
        }));
    }
    for until in [T0 + 30_000, T0 + 200_000] {
        steps.push(Box::new(move |executor| executor.advance_to(until).map(drop)));
    }
    for step in steps {
        if let Err(error) = step(&mut executor) {
            assert!(matches!(error, ExecutorError::Store(_)), "{error}");
            let clock = executor.clock();
            if then == Then::Dead {
                executor = over(faults.open(), &scripted);
            }
            executor.recover(clock).unwrap();
            step(&mut executor).unwrap();
        }
    }
    let keys = scripted.journal().into_iter().map(|entry| entry.call.key).collect();
    let mut state = state_document(&[executor.processor().store()]).unwrap();
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
fn a_crash_at_any_write_loses_nothing_and_asks_for_nothing_under_a_second_key() {
    let counting = Faults::new(Box::new(MemoryStore::new()));
    let expected = play(&counting, Then::Dead);
    assert!(expected.0.to_string().contains("told"), "the story goes to its end: {}", expected.0);
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
