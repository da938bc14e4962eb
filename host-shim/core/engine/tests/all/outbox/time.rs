//! Tests of the advance of time.

use super::events::{DAY, T0, command, lines, webhook};
use super::{advance, ask, outbox, retryable};
use host_provider_api::scripted::ScriptedAnswer;
use serde_json::{Value, json};

#[test]
fn effects_timers_and_retries_run_at_their_times_in_order() {
    let (mut outbox, scripted) = outbox();
    scripted.script("m", vec![retryable(), ScriptedAnswer::Ok(Value::Null)]);
    scripted
        .script("late", vec![ScriptedAnswer::Late { after_ms: 300, then: Box::new(ScriptedAnswer::Ok(Value::Null)) }]);
    ask(
        &mut outbox,
        "c1",
        json!([
            {"kind": "timer.at", "key": "t2", "not_before": T0 + 2_000},
            {"kind": "timer.at", "key": "t1", "not_before": T0 + 500,
             "payload": {"ask": [{"kind": "timer.at", "key": "t1b", "not_before": T0 + 700}]}},
            {"kind": "mail.send", "key": "m"},
            {"kind": "mail.send", "key": "late"},
        ]),
    );
    outbox.accept(command("c2", "a", T0, json!({"fail": 1})), Vec::new()).unwrap();
    let reports = outbox.advance_to(T0 + DAY).unwrap();
    let at = |seq| outbox.processor().store().inbox(seq).unwrap().unwrap().event.received_at - T0;
    let times: Vec<(String, i64)> = lines(&reports).into_iter().zip(reports.iter().map(|it| at(it.seq))).collect();
    let expected = [
        ("toys/test/user:a/late@1: applied", 300),
        ("toys/test/user:a/t1@1: applied", 500),
        ("toys/test/user:a/t1b@1: applied", 700),
        ("later c2: applied", 0),
        ("toys/test/user:a/m@1: applied", 1_000),
        ("toys/test/user:a/t2@1: applied", 2_000),
    ];
    assert_eq!(times, expected.map(|(line, at)| (line.to_owned(), at)));
    assert_eq!((outbox.clock(), outbox.next_time().unwrap()), (T0 + DAY, None));
}

#[test]
fn time_does_not_go_back() {
    let (mut outbox, _) = outbox();
    advance(&mut outbox, T0 + 10);
    ask(&mut outbox, "c1", json!([{"kind": "mail.send", "key": "m"}]));
    assert_eq!(advance(&mut outbox, T0), ["toys/test/user:a/m@1: applied"]);
    assert_eq!(outbox.clock(), T0 + 10);
}

#[test]
fn advance_to_gives_up_events_that_wait_too_long() {
    let (mut outbox, _) = outbox();
    outbox.accept(webhook("e1", T0, json!({"keys": ["customer:1"], "mark": "ours"})), Vec::new()).unwrap();
    assert_eq!(advance(&mut outbox, T0 + 30 * DAY), [""; 0]);
    assert_eq!(advance(&mut outbox, T0 + 31 * DAY), ["later e1: rejected(unclaimed)"]);
}
