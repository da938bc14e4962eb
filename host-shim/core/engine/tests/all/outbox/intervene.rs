//! Tests of operators who act on effects that have not ended.

use super::events::{T0, lines, user};
use super::{ask, calls, effect, outbox, result, retryable, run};
use extension_contract::{Actor, ActorKind, EffectFailureClass};
use host_engine::outbox::{InterveneError, Intervention, OpenEffect, Outbox};
use host_provider_api::scripted::ScriptedAnswer;
use host_provider_api::{CallOutcome, Reply};
use host_store::EffectState;
use serde_json::{Value, json};

const MAIL: &str = "toys/test/user:a/m@1";

fn root() -> Actor {
    Actor { kind: ActorKind::Admin, subject: "root".into(), roles: Vec::new() }
}

fn open(outbox: &Outbox, key: &str) -> OpenEffect {
    OpenEffect { scope: outbox.processor().scope(user("a")), key: key.into(), generation: 1 }
}

/// Returns an outbox with a mail whose first attempt failed, and that is tried again a second later.
fn waiting() -> (Outbox, host_provider_api::scripted::Scripted) {
    let (mut outbox, scripted) = outbox();
    scripted.script("m", vec![retryable(), ScriptedAnswer::Ok(json!({"id": "m-1"}))]);
    ask(&mut outbox, "c1", json!([{"kind": "mail.send", "key": "m"}]));
    run(&mut outbox, T0);
    assert_eq!(calls(&scripted), ["m#1"]);
    (outbox, scripted)
}

#[test]
fn a_retry_begins_at_once() {
    let (mut outbox, scripted) = waiting();
    run(&mut outbox, T0);
    assert_eq!(calls(&scripted), ["m#1"], "it waits");
    let mail = open(&outbox, "m");
    assert_eq!(outbox.intervene(&mail, Intervention::Retry, root(), T0).unwrap(), []);
    assert_eq!(run(&mut outbox, T0), [format!("{MAIL}: applied")]);
    assert_eq!(calls(&scripted), ["m#1", "m#2"]);
}

#[test]
fn an_adopted_effect_succeeds_with_the_operators_outputs_and_is_not_called_again() {
    let (mut outbox, scripted) = waiting();
    let mail = open(&outbox, "m");
    let adopt = Intervention::Adopt(json!({"id": "by-hand"}));
    let reports = outbox.intervene(&mail, adopt.clone(), root(), T0 + 5).unwrap();
    assert_eq!(lines(&reports), [format!("{MAIL}: applied")]);
    let answer = result(&outbox, MAIL).answer.unwrap();
    assert_eq!(serde_json::from_str::<Value>(&answer).unwrap(), json!({"id": "by-hand"}));
    let row = outbox.processor().inbox_after(0, 10).unwrap().pop().unwrap();
    assert_eq!((row.event.id.as_str(), row.event.actor.subject.as_str()), (MAIL, "root"), "the event says who did it");
    assert_eq!(effect(&outbox, "m")[0].state, EffectState::Finished);
    run(&mut outbox, T0 + 60_000);
    assert_eq!(calls(&scripted), ["m#1"]);
    let again = outbox.intervene(&mail, adopt, root(), T0 + 60_000).unwrap_err();
    assert!(matches!(&again, InterveneError::NotOpen { key, generation: 1, .. } if key == "m"), "{again}");
}

#[test]
fn an_abandoned_effect_fails_for_good() {
    let (mut outbox, scripted) = waiting();
    let mail = open(&outbox, "m");
    outbox.intervene(&mail, Intervention::Abandon("the customer left".into()), root(), T0 + 5).unwrap();
    let failure = result(&outbox, MAIL).answer.unwrap_err();
    assert_eq!((failure.class, failure.code.as_str()), (EffectFailureClass::Final, "abandoned"));
    assert_eq!(failure.message, "the customer left");
    run(&mut outbox, T0 + 60_000);
    assert_eq!(calls(&scripted), ["m#1"]);
}

#[test]
fn the_answer_to_a_call_that_an_operator_has_ended_is_late() {
    let (mut outbox, _) = outbox();
    ask(&mut outbox, "c1", json!([{"kind": "mail.send", "key": "m"}]));
    let begun = outbox.begin(T0).unwrap();
    assert_eq!(effect(&outbox, "m")[0].state, EffectState::Running);
    let mail = open(&outbox, "m");
    outbox.intervene(&mail, Intervention::Abandon("enough".into()), root(), T0 + 5).unwrap();
    let call = begun.calls.into_iter().next().unwrap();
    let reply = Reply::Answer(CallOutcome::Done(json!({"id": "m-1"})));
    let reports = outbox.finish(vec![(call, reply)], T0 + 9).unwrap();
    assert_eq!(lines(&reports), [format!("{MAIL}/late: applied")]);
}

#[test]
fn timers_and_unknown_effects_are_refused() {
    let (mut outbox, _) = outbox();
    ask(&mut outbox, "c1", json!([{"kind": "timer.at", "key": "t", "not_before": T0 + 1000}]));
    let timer = open(&outbox, "t");
    let refused = outbox.intervene(&timer, Intervention::Retry, root(), T0).unwrap_err();
    assert_eq!(refused, InterveneError::HostsOwn { kind: "timer.at".into() });
    let nothing = open(&outbox, "nothing");
    assert!(matches!(outbox.intervene(&nothing, Intervention::Retry, root(), T0), Err(InterveneError::NotOpen { .. })));
}
