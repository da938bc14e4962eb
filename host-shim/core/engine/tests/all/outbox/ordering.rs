//! Tests of several effects: ordering keys, cancellation, generations, loops.

use super::events::{T0, command, things};
use super::{advance, ask, calls, effect, outbox, retryable, run};
use host_engine::outbox::OutboxError;
use host_provider_api::scripted::ScriptedAnswer;
use host_provider_api::{Call, CallOutcome, Provider};
use host_store::EffectState;
use serde_json::{Value, json};
use std::sync::Arc;

#[test]
fn effects_with_the_same_ordering_key_run_one_by_one() {
    let (mut outbox, scripted) = outbox();
    scripted.script("m1", vec![retryable(), ScriptedAnswer::Ok(Value::Null)]);
    let mail = |key, ordering: Option<&str>| json!({"kind": "mail.send", "key": key, "ordering_key": ordering});
    let effects =
        json!([mail("m1", Some("box")), mail("m2", Some("box")), mail("m3", None), mail("m4", Some("other"))]);
    ask(&mut outbox, "c1", effects);
    run(&mut outbox, T0);
    assert_eq!(calls(&scripted), ["m1#1", "m3#1", "m4#1"]);
    advance(&mut outbox, T0 + 10_000);
    assert_eq!(calls(&scripted)[3..], ["m1#2", "m2#1"]);
}

#[test]
fn a_late_answer_blocks_its_ordering_key() {
    let (mut outbox, scripted) = outbox();
    scripted.script("m1", vec![ScriptedAnswer::Late { after_ms: 50, then: Box::new(ScriptedAnswer::Ok(Value::Null)) }]);
    let mail = |key| json!({"kind": "mail.send", "key": key, "ordering_key": "box"});
    ask(&mut outbox, "c1", json!([mail("m1"), mail("m2")]));
    assert_eq!(advance(&mut outbox, T0 + 49), [""; 0]);
    let expected = ["toys/test/user:a/m1@1: applied", "toys/test/user:a/m2@1: applied"];
    assert_eq!(advance(&mut outbox, T0 + 50), expected);
}

#[test]
fn a_cancelled_effect_is_not_called_unless_it_has_started() {
    let (mut outbox, scripted) = outbox();
    scripted.script("m1", vec![ScriptedAnswer::Late { after_ms: 50, then: Box::new(ScriptedAnswer::Ok(Value::Null)) }]);
    let mail = |key, at| json!({"kind": "mail.send", "key": key, "not_before": at});
    ask(&mut outbox, "c1", json!([mail("m1", T0), mail("m2", T0 + 10), mail("m3", T0 + 10)]));
    run(&mut outbox, T0);
    outbox.accept(command("c2", "a", T0, json!({"cancel": ["m1", "m2"]})), Vec::new()).unwrap();
    advance(&mut outbox, T0 + 100);
    assert_eq!(calls(&scripted), ["m1#1", "m3#1"]);
    let states: Vec<_> = ["m1", "m2"].iter().map(|key| effect(&outbox, key)[0].state).collect();
    assert_eq!(states, [EffectState::Finished, EffectState::Cancelled]);
}

#[test]
fn a_cancellation_wakes_the_events_that_wait_for_the_effect() {
    let (mut outbox, _) = outbox();
    ask(&mut outbox, "c1", json!([{"kind": "mail.send", "key": "m", "not_before": T0 + 10}]));
    outbox.accept(command("c2", "a", T0, json!({"needs_effect": "m"})), Vec::new()).unwrap();
    let reports = outbox.accept(command("c3", "a", T0, json!({"cancel": ["m"]})), Vec::new()).unwrap();
    let lines = super::events::lines(&reports);
    assert_eq!(lines, ["c3: applied", "later c2: deferred(effect(m))"], "the event runs again and is decided again");
}

#[test]
fn an_extension_can_read_which_effects_have_begun() {
    let (mut outbox, scripted) = outbox();
    scripted.script("running", vec![ScriptedAnswer::Never]);
    scripted.script("retried", vec![retryable()]);
    let mail = |key, at| json!({"kind": "mail.send", "key": key, "not_before": at});
    let keys = ["running", "retried", "done", "queued", "cancelled"];
    let late = T0 + 1_000_000;
    let effects = [(keys[0], T0), (keys[1], T0), (keys[2], T0), (keys[3], late), (keys[4], late)];
    ask(&mut outbox, "c1", effects.map(|(key, at)| mail(key, at)).into());
    run(&mut outbox, T0);
    outbox.accept(command("c2", "a", T0, json!({"cancel": keys})), Vec::new()).unwrap();
    let asking = json!({"begun": ["running", "retried", "done", "cancelled", "never-asked"]});
    outbox.accept(command("c3", "a", T0, asking), Vec::new()).unwrap();
    let expected = ["cancelled=false", "done=true", "never-asked=false", "retried=true", "running=true"];
    assert_eq!(things(outbox.processor().store(), "a", "begun/"), expected);
}

#[test]
fn a_newer_generation_replaces_an_effect_that_has_not_started() {
    let (mut outbox, scripted) = outbox();
    let change = |generation, state: &str| json!([{"kind": "database.change", "key": "db", "generation": generation, "payload": {"state": state}}]);
    ask(&mut outbox, "c0", json!([{"kind": "database.ensure", "key": "db"}]));
    run(&mut outbox, T0);
    ask(&mut outbox, "c1", change(2, "suspended"));
    ask(&mut outbox, "c2", change(3, "running"));
    run(&mut outbox, T0);
    let generations: Vec<u32> = scripted.journal().iter().map(|entry| entry.call.generation).collect();
    assert_eq!(generations, [1, 3]);
    let resources = scripted.inventory();
    assert_eq!((&*resources[0].state, resources[0].generation), ("running", 3));
}

#[test]
fn a_provider_refuses_a_superseded_generation() {
    let (mut outbox, scripted) = outbox();
    scripted.script("db", vec![retryable(), ScriptedAnswer::Ok(Value::Null)]);
    ask(&mut outbox, "c1", json!([{"kind": "database.ensure", "key": "db"}]));
    run(&mut outbox, T0);
    ask(&mut outbox, "c2", json!([{"kind": "database.destroy", "key": "db", "generation": 2}]));
    run(&mut outbox, T0);
    advance(&mut outbox, T0 + 10_000);
    let old = super::result(&outbox, "toys/test/user:a/db@1").answer.unwrap_err();
    assert_eq!(old.code, "superseded");
    assert!(scripted.inventory().is_empty());
}

#[test]
fn endless_effects_are_an_error_that_names_the_last_effect() {
    let (mut outbox, _) = outbox();
    let story = (2..=30).rev().fold(
        json!({}),
        |story, n| json!({"ask": [{"kind": "timer.at", "key": format!("t{n}"), "not_before": T0, "payload": story}]}),
    );
    ask(&mut outbox, "c1", json!([{"kind": "timer.at", "key": "t1", "not_before": T0, "payload": story}]));
    outbox.set_effects_max(20);
    match outbox.run_until_quiet(T0).unwrap_err() {
        OutboxError::Loop { executed, now, kind, key, scope } => {
            let expected = (21, T0, "timer.at", "t21", "toys/test/user:a");
            assert_eq!((executed, now, &*kind, &*key, &*scope), expected);
        }
        other => panic!("{other:?}"),
    }
}

/// A provider that does not simulate.
struct Real;
impl Provider for Real {
    fn call(&self, _: &Call) -> CallOutcome {
        CallOutcome::Done(json!({}))
    }
}

#[test]
fn simulated_effects_run_in_an_open_group_and_roll_back_with_it() {
    let (mut outbox, scripted) = outbox();
    outbox.processor_mut().begin_group().unwrap();
    ask(&mut outbox, "c1", json!([{"kind": "mail.send", "key": "m"}]));
    assert_eq!(run(&mut outbox, T0), ["toys/test/user:a/m@1: applied"]);
    outbox.processor_mut().rollback_group().unwrap();
    assert_eq!((calls(&scripted), effect(&outbox, "m")), (vec!["m#1".to_owned()], Vec::new()));
}

#[test]
fn a_real_provider_is_not_called_in_an_open_group() {
    let (mut outbox, _) = outbox();
    outbox.registry_mut().register(&["mail"], Arc::new(Real));
    outbox.processor_mut().begin_group().unwrap();
    ask(&mut outbox, "c1", json!([{"kind": "mail.send", "key": "m"}]));
    assert_eq!(outbox.run_until_quiet(T0).unwrap_err(), OutboxError::GroupOpen);
    outbox.processor_mut().commit_group().unwrap();
    assert_eq!(run(&mut outbox, T0), ["toys/test/user:a/m@1: applied"]);
}
