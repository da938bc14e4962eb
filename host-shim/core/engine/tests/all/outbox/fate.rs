//! Tests of the end of one effect: success, failure, retry, deadline.

use super::events::{T0, command, lines, things};
use super::{advance, ask, calls, effect, outbox, result, retryable, run};
use extension_contract::{EffectFailureClass, JSON_BYTES_MAX};
use host_provider_api::Registry;
use host_provider_api::scripted::{ScriptedAnswer, derived_outputs};
use host_store::EffectState;
use serde_json::{Value, json};

const M: &str = "toys/test/user:a/m@1";

fn failure(outbox: &host_engine::outbox::Outbox, event_id: &str) -> (EffectFailureClass, String, u32) {
    let report = result(outbox, event_id);
    let failure = report.answer.expect_err("a failure");
    (failure.class, failure.code, report.attempts)
}

#[test]
fn a_success_comes_back_as_an_event_of_the_account() {
    let (mut outbox, scripted) = outbox();
    ask(&mut outbox, "c1", json!([{"kind": "database.ensure", "key": "db", "payload": {"name": "acme"}}]));
    assert!(scripted.journal().is_empty(), "no effect runs before the commit");
    let reports = outbox.run_until_quiet(T0 + 5).unwrap();
    assert_eq!(lines(&reports), ["toys/test/user:a/db@1: applied"]);
    assert_eq!((&*reports[0].source, &*reports[0].kind), ("effects", "database.ensure"));
    let call = &scripted.journal()[0].call;
    assert_eq!((&*call.scope, &*call.key, call.generation, call.attempt), ("toys/test/user:a", "db", 1, 1));
    let report = result(&outbox, "toys/test/user:a/db@1");
    let outputs: Value = serde_json::from_str(&report.answer.unwrap()).unwrap();
    assert_eq!(outputs, derived_outputs(call));
    assert_eq!(outputs["name"], "acme");
    let row = outbox.processor().store().inbox(reports[0].seq).unwrap().unwrap();
    assert_eq!((row.event.received_at, row.event.reply_to), (T0 + 5, None));
    assert_eq!(effect(&outbox, "db")[0].state, EffectState::Finished);
    assert_eq!(run(&mut outbox, T0 + 6), [""; 0]);
}

#[test]
fn a_caller_that_waits_for_an_effect_gets_its_reply_with_the_result() {
    let (mut outbox, _) = outbox();
    let then = json!({"reply": {"answer": "{\"url\":\"u\"}"}});
    ask(&mut outbox, "c1", json!([{"kind": "mail.send", "key": "m", "reply_to": "caller-1", "then": then}]));
    let reports = outbox.run_until_quiet(T0).unwrap();
    assert_eq!(reports[0].reply_to.as_deref(), Some("caller-1"));
    assert_eq!(reports[0].reply, Some(extension_contract::Reply::Answer("{\"url\":\"u\"}".into())));
}

#[test]
fn the_context_of_an_effect_returns_with_its_result_and_is_not_compared() {
    let (mut outbox, scripted) = outbox();
    scripted.script("m", vec![retryable(), ScriptedAnswer::failed("bounced", "")]);
    let mail = |context: Value| json!([{"kind": "mail.send", "key": "m", "context": context}]);
    ask(&mut outbox, "c1", mail(json!({"row": "inst_1"})));
    // A second request of the same effect does nothing, also with another context.
    ask(&mut outbox, "c2", mail(json!({"row": "inst_2"})));
    advance(&mut outbox, T0 + 10_000);
    assert_eq!(result(&outbox, M).context, r#"{"row":"inst_1"}"#);
    let called: Vec<String> = scripted.journal().iter().map(|entry| format!("{:?}", entry.call)).collect();
    assert_eq!(called.len(), 2);
    assert!(called.iter().all(|call| !call.contains("inst_")), "{called:?}");
}

#[test]
fn a_transient_failure_is_retried_with_the_declared_delays() {
    let (mut outbox, scripted) = outbox();
    scripted.script("m", vec![retryable(), retryable(), ScriptedAnswer::Ok(Value::Null)]);
    ask(&mut outbox, "c1", json!([{"kind": "mail.send", "key": "m"}]));
    assert_eq!(run(&mut outbox, T0), [""; 0]);
    assert_eq!(run(&mut outbox, T0 + 999), [""; 0]);
    assert_eq!(outbox.next_time().unwrap(), Some(T0 + 1_000));
    assert_eq!(run(&mut outbox, T0 + 1_000), [""; 0]);
    assert_eq!(outbox.next_time().unwrap(), Some(T0 + 3_000));
    assert_eq!(run(&mut outbox, T0 + 3_000), [format!("{M}: applied")]);
    assert_eq!(calls(&scripted), ["m#1", "m#2", "m#3"]);
    assert_eq!(result(&outbox, M).attempts, 3);
}

#[test]
fn a_transient_failure_ends_the_effect_after_the_last_attempt() {
    let (mut outbox, scripted) = outbox();
    scripted.script("m", vec![retryable()]);
    ask(&mut outbox, "c1", json!([{"kind": "mail.send", "key": "m"}]));
    advance(&mut outbox, T0 + 60_000);
    assert_eq!(failure(&outbox, M), (EffectFailureClass::Transient, "throttled".into(), 3));
}

#[test]
fn an_effects_own_policy_has_precedence_over_the_declared_policy() {
    let (mut outbox, scripted) = outbox();
    scripted.script("m", vec![retryable()]);
    let retry = json!({"delays_ms": []});
    ask(&mut outbox, "c1", json!([{"kind": "mail.send", "key": "m", "retry": retry}]));
    run(&mut outbox, T0);
    assert_eq!(failure(&outbox, M), (EffectFailureClass::Transient, "throttled".into(), 1));
}

#[test]
fn a_final_failure_ends_the_effect_at_once() {
    let (mut outbox, scripted) = outbox();
    scripted.script("m", vec![ScriptedAnswer::failed("bounced", "no such box")]);
    ask(&mut outbox, "c1", json!([{"kind": "mail.send", "key": "m"}]));
    assert_eq!(run(&mut outbox, T0), [format!("{M}: applied")]);
    assert_eq!(failure(&outbox, M), (EffectFailureClass::Final, "bounced".into(), 1));
}

#[test]
fn an_effect_without_a_provider_is_a_final_failure() {
    let (mut outbox, _) = outbox();
    *outbox.registry_mut() = Registry::new();
    ask(&mut outbox, "c1", json!([{"kind": "mail.send", "key": "m"}]));
    run(&mut outbox, T0);
    assert_eq!(failure(&outbox, M), (EffectFailureClass::Final, "no-provider".into(), 1));
}

#[test]
fn an_answer_that_is_too_large_is_a_failure() {
    let (mut outbox, scripted) = outbox();
    scripted.script("m", vec![ScriptedAnswer::Ok(json!("x".repeat(JSON_BYTES_MAX)))]);
    ask(&mut outbox, "c1", json!([{"kind": "mail.send", "key": "m"}]));
    run(&mut outbox, T0);
    assert_eq!(failure(&outbox, M).1, "answer-too-large");
}

#[test]
fn a_late_answer_arrives_at_its_time() {
    let (mut outbox, scripted) = outbox();
    scripted
        .script("m", vec![ScriptedAnswer::Late { after_ms: 5_000, then: Box::new(ScriptedAnswer::Ok(Value::Null)) }]);
    ask(&mut outbox, "c1", json!([{"kind": "mail.send", "key": "m"}]));
    assert_eq!(run(&mut outbox, T0), [""; 0]);
    assert_eq!(effect(&outbox, "m")[0].state, EffectState::Running);
    assert_eq!(outbox.next_time().unwrap(), Some(T0 + 5_000));
    assert_eq!(advance(&mut outbox, T0 + 4_999), [""; 0]);
    assert_eq!(advance(&mut outbox, T0 + 5_000), [format!("{M}: applied")]);
    assert_eq!(calls(&scripted), ["m#1"]);
}

#[test]
fn a_success_after_the_deadline_becomes_a_separate_event() {
    let (mut outbox, scripted) = outbox();
    scripted
        .script("db", vec![ScriptedAnswer::Late { after_ms: 5_000, then: Box::new(ScriptedAnswer::Ok(Value::Null)) }]);
    ask(&mut outbox, "c1", json!([{"kind": "database.ensure", "key": "db", "deadline": T0 + 2_000}]));
    let lines = advance(&mut outbox, T0 + 10_000);
    assert_eq!(lines, ["toys/test/user:a/db@1: applied", "toys/test/user:a/db@1/late: applied"]);
    assert_eq!(failure(&outbox, "toys/test/user:a/db@1"), (EffectFailureClass::TimedOut, "deadline".into(), 1));
    assert!(result(&outbox, "toys/test/user:a/db@1/late").answer.is_ok());
    assert_eq!(scripted.inventory().len(), 1, "the resource exists, as only the late answer reports");
}

#[test]
fn a_failure_after_the_deadline_is_ignored() {
    let (mut outbox, scripted) = outbox();
    scripted.script(
        "m",
        vec![ScriptedAnswer::Late { after_ms: 5_000, then: Box::new(ScriptedAnswer::failed("bounced", "")) }],
    );
    ask(&mut outbox, "c1", json!([{"kind": "mail.send", "key": "m", "deadline": T0 + 2_000}]));
    assert_eq!(advance(&mut outbox, T0 + 10_000), [format!("{M}: applied")]);
}

#[test]
fn a_lost_answer_counts_as_an_attempt_and_is_retried_under_the_same_key() {
    let (mut outbox, scripted) = outbox();
    scripted.script("db", vec![ScriptedAnswer::Lost, ScriptedAnswer::Ok(Value::Null)]);
    ask(&mut outbox, "c1", json!([{"kind": "database.ensure", "key": "db"}]));
    assert_eq!(advance(&mut outbox, T0 + 10_000), ["toys/test/user:a/db@1: applied"]);
    assert_eq!(calls(&scripted), ["db#1", "db#2"]);
    assert_eq!(scripted.inventory().len(), 1);
}

#[test]
fn an_effect_whose_answers_are_all_lost_times_out() {
    let (mut outbox, scripted) = outbox();
    scripted.script("m", vec![ScriptedAnswer::Lost]);
    ask(&mut outbox, "c1", json!([{"kind": "mail.send", "key": "m"}]));
    advance(&mut outbox, T0 + 60_000);
    assert_eq!(failure(&outbox, M), (EffectFailureClass::TimedOut, "lost-answer".into(), 3));
}

#[test]
fn the_deadline_ends_retries() {
    let (mut outbox, scripted) = outbox();
    scripted.script("m", vec![retryable()]);
    ask(&mut outbox, "c1", json!([{"kind": "mail.send", "key": "m", "deadline": T0 + 1_500}]));
    assert_eq!(advance(&mut outbox, T0 + 1_499), [""; 0]);
    assert_eq!(advance(&mut outbox, T0 + 1_500), [format!("{M}: applied")]);
    assert_eq!(failure(&outbox, M), (EffectFailureClass::TimedOut, "deadline".into(), 2));
}

#[test]
fn an_effect_whose_deadline_passed_before_its_start_is_not_called() {
    let (mut outbox, scripted) = outbox();
    let times = json!([{"kind": "mail.send", "key": "m", "deadline": T0 + 5, "not_before": T0 + 9}]);
    ask(&mut outbox, "c1", times);
    advance(&mut outbox, T0 + 10);
    assert_eq!(failure(&outbox, M), (EffectFailureClass::TimedOut, "deadline".into(), 0));
    assert!(scripted.journal().is_empty());
}

#[test]
fn a_retrieve_without_an_answer_stays_open_with_the_events_that_wait_for_it() {
    let (mut outbox, _) = outbox();
    ask(&mut outbox, "c1", json!([{"kind": "stripe.retrieve", "key": "get"}]));
    outbox.accept(command("c2", "a", T0, json!({"needs_effect": "get"})), Vec::new()).unwrap();
    assert_eq!(advance(&mut outbox, T0 + 1_000_000), [""; 0]);
    assert_eq!(effect(&outbox, "get")[0].state, EffectState::Running);
}

#[test]
fn the_result_of_a_retrieve_has_the_providers_time_and_wakes_waiting_events() {
    let (mut outbox, scripted) = outbox();
    let answer = json!({"date_ms": T0 + 77, "api_version": "2025-03-31.basil", "object": {"id": "sub_1"}});
    scripted.script("get", vec![ScriptedAnswer::Ok(answer)]);
    let payload = json!({"id": "sub_1", "connected_account": "acct_9"});
    ask(&mut outbox, "c1", json!([{"kind": "stripe.retrieve", "key": "get", "payload": payload}]));
    outbox.accept(command("c2", "a", T0, json!({"needs_effect": "get"})), Vec::new()).unwrap();
    let reports = outbox.run_until_quiet(T0 + 100).unwrap();
    assert_eq!(lines(&reports), ["toys/test/user:a/get@1: applied", "later c2: applied"]);
    let row = outbox.processor().store().inbox(reports[0].seq).unwrap().unwrap();
    let facts = row.event.payment.unwrap();
    assert_eq!((facts.time, facts.api_version.as_deref()), (Some(T0 + 77), Some("2025-03-31.basil")));
    assert_eq!(facts.connected_account.as_deref(), Some("acct_9"));
}

#[test]
fn a_result_that_fails_in_the_extension_is_stored_and_retried() {
    let (mut outbox, scripted) = outbox();
    ask(&mut outbox, "c1", json!([{"kind": "mail.send", "key": "m", "then": {"fail": 1}}]));
    outbox.accept(command("c2", "a", T0, json!({"needs_effect": "m"})), Vec::new()).unwrap();
    assert_eq!(run(&mut outbox, T0), [format!("{M}: failed(internal: told to fail)")]);
    assert_eq!(effect(&outbox, "m")[0].state, EffectState::Finished, "the result is in the inbox");
    let lines = advance(&mut outbox, T0 + 2_000);
    assert_eq!(lines, [format!("later {M}: applied"), "later c2: applied".into()]);
    assert_eq!(calls(&scripted), ["m#1"]);
}

#[test]
fn each_account_has_its_own_keys() {
    let (mut outbox, scripted) = outbox();
    let ask = || json!({"ask": [{"kind": "database.ensure", "key": "db"}]});
    outbox.accept(command("c1", "a", T0, ask()), Vec::new()).unwrap();
    outbox.accept(command("c2", "b", T0, ask()), Vec::new()).unwrap();
    assert_eq!(run(&mut outbox, T0), ["toys/test/user:a/db@1: applied", "toys/test/user:b/db@1: applied"]);
    assert_eq!(scripted.inventory().len(), 2);
    assert_eq!(things(outbox.processor().store(), "b", "effect/"), ["db"]);
}
