//! Several effects: ordering keys, cancelling, generations, loops.

use super::events::{T0, command};
use super::{advance, ask, calls, effect, executor, retryable, run};
use host_executor::ExecutorError;
use host_providers::Answer;
use host_store::EffectState;
use serde_json::{Value, json};

#[test]
fn effects_with_one_ordering_key_run_one_by_one_and_others_beside_them() {
    let (mut executor, scripted) = executor();
    scripted.script("m1", vec![retryable(), Answer::Ok(Value::Null)]);
    let mail = |key, ordering: Option<&str>| json!({"kind": "mail.send", "key": key, "ordering_key": ordering});
    let effects =
        json!([mail("m1", Some("box")), mail("m2", Some("box")), mail("m3", None), mail("m4", Some("other"))]);
    ask(&mut executor, "c1", effects);
    run(&mut executor, T0);
    assert_eq!(calls(&scripted), ["m1#1", "m3#1", "m4#1"]);
    advance(&mut executor, T0 + 10_000);
    assert_eq!(calls(&scripted)[3..], ["m1#2", "m2#1"]);
}

#[test]
fn a_late_answer_holds_up_its_ordering_key() {
    let (mut executor, scripted) = executor();
    scripted.script("m1", vec![Answer::Late { after_ms: 50, then: Box::new(Answer::Ok(Value::Null)) }]);
    let mail = |key| json!({"kind": "mail.send", "key": key, "ordering_key": "box"});
    ask(&mut executor, "c1", json!([mail("m1"), mail("m2")]));
    assert_eq!(advance(&mut executor, T0 + 49), [""; 0]);
    let expected = ["toys/test/user:a/m1@1: applied", "toys/test/user:a/m2@1: applied"];
    assert_eq!(advance(&mut executor, T0 + 50), expected);
}

#[test]
fn a_cancelled_effect_is_not_called_and_one_that_began_brings_its_result() {
    let (mut executor, scripted) = executor();
    scripted.script("m1", vec![Answer::Late { after_ms: 50, then: Box::new(Answer::Ok(Value::Null)) }]);
    let mail = |key, at| json!({"kind": "mail.send", "key": key, "not_before": at});
    ask(&mut executor, "c1", json!([mail("m1", T0), mail("m2", T0 + 10), mail("m3", T0 + 10)]));
    run(&mut executor, T0);
    executor.accept(command("c2", "a", T0, json!({"cancel": ["m1", "m2"]})), Vec::new()).unwrap();
    advance(&mut executor, T0 + 100);
    assert_eq!(calls(&scripted), ["m1#1", "m3#1"]);
    let states: Vec<_> = ["m1", "m2"].iter().map(|key| effect(&executor, key)[0].state).collect();
    assert_eq!(states, [EffectState::Finished, EffectState::Cancelled]);
}

#[test]
fn cancelling_wakes_what_waits_for_the_effect() {
    let (mut executor, _) = executor();
    ask(&mut executor, "c1", json!([{"kind": "mail.send", "key": "m", "not_before": T0 + 10}]));
    executor.accept(command("c2", "a", T0, json!({"needs_effect": "m"})), Vec::new()).unwrap();
    let reports = executor.accept(command("c3", "a", T0, json!({"cancel": ["m"]})), Vec::new()).unwrap();
    let lines = super::events::lines(&reports);
    assert_eq!(lines, ["c3: applied", "later c2: deferred(effect(m))"], "it runs again and decides anew");
}

#[test]
fn a_newer_generation_replaces_what_has_not_begun() {
    let (mut executor, scripted) = executor();
    let change = |generation, state: &str| json!([{"kind": "database.change", "key": "db", "generation": generation, "payload": {"state": state}}]);
    ask(&mut executor, "c0", json!([{"kind": "database.ensure", "key": "db"}]));
    run(&mut executor, T0);
    ask(&mut executor, "c1", change(2, "suspended"));
    ask(&mut executor, "c2", change(3, "running"));
    run(&mut executor, T0);
    let generations: Vec<u32> = scripted.journal().iter().map(|entry| entry.call.generation).collect();
    assert_eq!(generations, [1, 3]);
    let resources = scripted.inventory();
    assert_eq!((&*resources[0].state, resources[0].generation), ("running", 3));
}

#[test]
fn an_older_generation_that_comes_late_is_refused_by_the_provider() {
    let (mut executor, scripted) = executor();
    scripted.script("db", vec![retryable(), Answer::Ok(Value::Null)]);
    ask(&mut executor, "c1", json!([{"kind": "database.ensure", "key": "db"}]));
    run(&mut executor, T0);
    ask(&mut executor, "c2", json!([{"kind": "database.destroy", "key": "db", "generation": 2}]));
    run(&mut executor, T0);
    advance(&mut executor, T0 + 10_000);
    let old = super::result(&executor, "toys/test/user:a/db@1").answer.unwrap_err();
    assert_eq!(old.code, "superseded");
    assert!(scripted.inventory().is_empty());
}

#[test]
fn effects_that_ask_for_effects_without_end_are_an_error_that_names_one() {
    let (mut executor, _) = executor();
    let story = (2..=30).rev().fold(
        json!({}),
        |story, n| json!({"ask": [{"kind": "timer.at", "key": format!("t{n}"), "not_before": T0, "payload": story}]}),
    );
    ask(&mut executor, "c1", json!([{"kind": "timer.at", "key": "t1", "not_before": T0, "payload": story}]));
    executor.set_effects_max(20);
    match executor.run_until_quiet(T0).unwrap_err() {
        ExecutorError::Loop { executed, now, kind, key, scope } => {
            let expected = (21, T0, "timer.at", "t21", "toys/test/user:a");
            assert_eq!((executed, now, &*kind, &*key, &*scope), expected);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn nothing_runs_in_an_open_group() {
    let (mut executor, _) = executor();
    executor.processor_mut().begin_group().unwrap();
    ask(&mut executor, "c1", json!([{"kind": "mail.send", "key": "m"}]));
    assert_eq!(executor.run_until_quiet(T0).unwrap_err(), ExecutorError::GroupOpen);
    executor.processor_mut().commit_group().unwrap();
    assert_eq!(run(&mut executor, T0), ["toys/test/user:a/m@1: applied"]);
}
