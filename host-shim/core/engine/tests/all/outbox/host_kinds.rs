//! Tests of timers and messages, which the host carries out.

use super::events::{T0, command, lines, things};
use super::{advance, ask, outbox, run};
use extension_contract::{Account, Payload};
use host_store::EffectState;
use serde_json::json;

#[test]
fn a_timer_fires_once_at_its_time_with_its_payload() {
    let (mut outbox, scripted) = outbox();
    ask(
        &mut outbox,
        "c1",
        json!([{"kind": "timer.at", "key": "grace", "not_before": T0 + 100, "payload": {"note": ["rang"]}}]),
    );
    assert_eq!(run(&mut outbox, T0 + 99), [""; 0]);
    let reports = outbox.advance_to(T0 + 500).unwrap();
    assert_eq!(lines(&reports), ["toys/test/user:a/grace@1: applied"]);
    assert_eq!((&*reports[0].source, &*reports[0].kind), ("timer", "timer.at"));
    let row = outbox.processor().store().inbox(reports[0].seq).unwrap().unwrap();
    assert_eq!(row.event.received_at, T0 + 100, "it fires at its own time");
    assert!(matches!(row.event.payload, Payload::Timer(delivery) if delivery.key == "grace"));
    assert_eq!(things(outbox.processor().store(), "a", "fact/"), ["rang"]);
    assert_eq!(advance(&mut outbox, T0 + 1_000), [""; 0]);
    assert!(scripted.journal().is_empty());
}

#[test]
fn disabled_timers_stay_open_and_block_no_other_effects() {
    let (mut outbox, _) = outbox();
    outbox.set_fire_timers(false);
    ask(
        &mut outbox,
        "c1",
        json!([{"kind": "timer.at", "key": "t", "not_before": T0}, {"kind": "mail.send", "key": "m"}]),
    );
    assert_eq!(run(&mut outbox, T0 + 10), ["toys/test/user:a/m@1: applied"]);
    assert_eq!(super::effect(&outbox, "t")[0].state, EffectState::Queued);
}

#[test]
fn a_cancelled_timer_does_not_fire() {
    let (mut outbox, _) = outbox();
    ask(&mut outbox, "c1", json!([{"kind": "timer.at", "key": "t", "not_before": T0 + 10}]));
    outbox.accept(command("c2", "a", T0, json!({"cancel": ["t"]})), Vec::new()).unwrap();
    assert_eq!(advance(&mut outbox, T0 + 20), [""; 0]);
}

#[test]
fn a_timer_cancelled_by_a_timer_of_the_same_time_does_not_fire() {
    let (mut outbox, _) = outbox();
    ask(
        &mut outbox,
        "c1",
        json!([
            {"kind": "timer.at", "key": "t1", "not_before": T0 + 10, "payload": {"cancel": ["t2"]}},
            {"kind": "timer.at", "key": "t2", "not_before": T0 + 10},
        ]),
    );
    assert_eq!(advance(&mut outbox, T0 + 20), ["toys/test/user:a/t1@1: applied"]);
}

#[test]
fn a_rescheduled_timer_fires_at_the_new_time_only() {
    let (mut outbox, _) = outbox();
    let timer = |generation, at| json!([{"kind": "timer.at", "key": "t", "generation": generation, "not_before": at}]);
    ask(&mut outbox, "c1", timer(1, T0 + 10));
    ask(&mut outbox, "c2", timer(2, T0 + 30));
    assert_eq!(advance(&mut outbox, T0 + 29), [""; 0]);
    assert_eq!(advance(&mut outbox, T0 + 30), ["toys/test/user:a/t@2: applied"]);
}

#[test]
fn a_message_arrives_once_at_its_receiver_and_the_sender_gets_no_result() {
    let (mut outbox, _) = outbox();
    let message = json!([{"kind": "account.send", "key": "due", "to": "user:b", "payload": {"note": ["owed"]},
        "reply_to": "caller-1"}]);
    ask(&mut outbox, "c1", message);
    let reports = outbox.run_until_quiet(T0).unwrap();
    assert_eq!(lines(&reports), ["toys/test/user:a/due@1: applied"]);
    assert_eq!((&*reports[0].source, &reports[0].account), ("message", &Some(Account::User("b".into()))));
    assert_eq!(reports[0].reply_to.as_deref(), Some("caller-1"));
    let row = outbox.processor().store().inbox(reports[0].seq).unwrap().unwrap();
    assert!(matches!(row.event.payload, Payload::Message(it) if it.sender == Account::User("a".into())));
    assert_eq!(things(outbox.processor().store(), "b", "fact/"), ["owed"]);
    assert_eq!(things(outbox.processor().store(), "a", "fact/"), [""; 0]);
    assert_eq!(run(&mut outbox, T0), [""; 0]);
}
