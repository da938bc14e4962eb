//! Tests of parked and deferred events.

use super::events::{DAY, T0, command, lines, things, webhook};
use super::{accept, processor};
use extension_contract::{Outcome, PaymentFacts, Refusal};
use host_engine::processor::{Disposition, Processor, WAIT_MAX_MS};
use host_store::InboxState;
use serde_json::json;

#[test]
fn parked_events_run_in_order_of_arrival_when_their_claim_is_taken() {
    let mut processor = processor();
    let parked = |id, at, keys: &[&str]| webhook(id, at, json!({"keys": keys}));
    let lines = accept(
        &mut processor,
        vec![
            parked("e2", T0 + 5, &["customer:1"]),
            parked("e1", T0 + 1, &["session:1", "customer:1"]),
            parked("e3", T0 + 2, &["customer:2"]),
            command("c1", "a", T0 + 9, json!({"take": ["customer:1", "session:1"]})),
            parked("e4", T0 + 9, &["customer:1"]),
        ],
    );
    let expected = [
        "e2: deferred(claim(customer:1))",
        "e1: deferred(claim(session:1,customer:1))",
        "e3: deferred(claim(customer:2))",
        "c1: applied",
        "later e2: applied",
        "later e1: applied",
        "e4: applied",
    ];
    assert_eq!(lines, expected);
    assert_eq!(things(processor.store(), "a", "ran/"), ["c1", "e1", "e2", "e4"]);
    assert_eq!(processor.store().parked_count(processor.partition()).unwrap(), 1);
}

#[test]
fn a_woken_event_can_wake_others() {
    let mut processor = processor();
    let lines = accept(
        &mut processor,
        vec![
            webhook("e2", T0, json!({"keys": ["intent:1"]})),
            webhook("e1", T0, json!({"keys": ["customer:1"], "take": ["intent:1"]})),
            command("c1", "a", T0, json!({"take": ["customer:1"]})),
        ],
    );
    assert_eq!(lines[2..], ["c1: applied", "later e1: applied", "later e2: applied"]);
}

#[test]
fn a_woken_event_is_placed_again_at_each_attempt() {
    let mut processor = processor();
    let lines = accept(
        &mut processor,
        vec![
            webhook("e1", T0, json!({"keys": ["customer:1", "intent:1"], "fail": 1})),
            command("c1", "a", T0, json!({"take": ["customer:1"]})),
            command("c2", "b", T0, json!({"take": ["intent:1"]})),
        ],
    );
    assert_eq!(lines[2..], ["later e1: failed(internal: told to fail)", "c2: applied"]);
    let retried = super::retry(&mut processor, T0 + 1_000);
    assert_eq!(retried, ["later e1: rejected(inconsistent(customer:1 and intent:1 belong to two accounts))"]);
}

#[test]
fn an_event_that_waits_for_a_fact_runs_when_its_account_records_the_fact() {
    let mut processor = processor();
    let lines = accept(
        &mut processor,
        vec![
            command("c1", "a", T0, json!({"needs_fact": "paid:1", "note": ["refund:1"]})),
            command("c2", "b", T0, json!({"note": ["paid:1"]})),
            command("c3", "a", T0, json!({"note": ["paid:1"]})),
        ],
    );
    assert_eq!(lines, ["c1: deferred(fact(paid:1))", "c2: applied", "c3: applied", "later c1: applied"]);
    assert_eq!(things(processor.store(), "a", "fact/"), ["paid:1", "refund:1"]);
}

#[test]
fn a_woken_event_of_another_account_runs_in_a_commit_of_its_own() {
    let mut processor = processor();
    let waits = json!({"outcome": {"deferred": {"claim": ["name:x"]}}});
    let lines = accept(
        &mut processor,
        vec![
            command("c1", "b", T0, waits.clone()),
            command("c2", "a", T0, waits),
            command("c3", "a", T0 + 1, json!({"take": ["name:x"]})),
        ],
    );
    assert_eq!(lines[2..], ["c3: applied", "later c2: deferred(claim(name:x))"], "its own event runs at once");
    assert_eq!(processor.counters().woken_postponed, 1);
    assert_eq!(processor.next_retry(T0).unwrap(), Some(T0 + 1), "the other event is due at once");
    assert_eq!(super::retry(&mut processor, T0 + 1), ["later c1: deferred(claim(name:x))"]);
}

#[test]
fn a_postponed_event_that_waits_on_is_given_up_30_days_after_its_first_run() {
    let mut processor = processor();
    let waits = json!({"outcome": {"deferred": {"claim": ["name:x"]}}});
    let take = json!({"take": ["name:x"]});
    accept(&mut processor, vec![command("c1", "b", T0, waits), command("c2", "a", T0 + 1_000, take)]);
    let since = |processor: &Processor| processor.store().inbox(1).unwrap().unwrap().state;
    let pending = InboxState::Pending { not_before: T0 + 1_000, waits_since: Some(T0) };
    assert_eq!(since(&processor), pending, "it is to run in a commit of its own");
    super::retry(&mut processor, T0 + 1_000);
    assert_eq!(since(&processor), InboxState::Deferred { since: T0 });
    assert_eq!(processor.expire(T0 + WAIT_MAX_MS).unwrap(), []);
    assert_eq!(lines(&processor.expire(T0 + WAIT_MAX_MS + 1).unwrap()).len(), 1);
}

#[test]
fn an_event_that_waits_for_its_own_fact_does_not_run_for_ever() {
    let mut processor = processor();
    let doing = json!({"note": ["f"], "outcome": {"deferred": {"fact": "f"}}});
    let lines = accept(&mut processor, vec![command("c1", "a", T0, doing)]);
    assert_eq!(lines, ["c1: deferred(fact(f))"]);
}

#[test]
fn a_deferred_event_must_not_take_claims() {
    let mut processor = processor();
    let doing = json!({"take": ["name:x"], "outcome": {"deferred": {"claim": ["name:x"]}}});
    let lines = accept(&mut processor, vec![command("c1", "a", T0, doing)]);
    let problem = "the decision can't be kept: it takes claims although it rejects or defers";
    assert_eq!(lines, [format!("c1: failed({problem})")]);
    assert_eq!(processor.store().claims(&["toys/test//name:x".into()]).unwrap(), [None]);
}

#[test]
fn two_events_that_wait_for_each_other_stay_deferred() {
    let mut processor = processor();
    let lines = accept(
        &mut processor,
        vec![
            command("c1", "a", T0, json!({"needs_fact": "g", "note": ["f"]})),
            command("c2", "a", T0, json!({"needs_fact": "f", "note": ["g"]})),
            command("c3", "a", T0, json!({"note": ["h"]})),
        ],
    );
    assert_eq!(lines, ["c1: deferred(fact(g))", "c2: deferred(fact(f))", "c3: applied"]);
}

#[test]
fn a_woken_event_that_fails_is_retried_and_does_not_stop_the_others() {
    let mut processor = processor();
    let lines = accept(
        &mut processor,
        vec![
            webhook("e1", T0, json!({"keys": ["customer:1"], "fail": 1, "mark": "ours"})),
            webhook("e2", T0, json!({"keys": ["customer:1"]})),
            command("c1", "a", T0, json!({"take": ["customer:1"]})),
        ],
    );
    assert_eq!(lines[2..], ["c1: applied", "later e1: failed(internal: told to fail)", "later e2: applied"]);
    assert_eq!(super::retry(&mut processor, T0 + 1_000), ["later e1: applied"]);
}

#[test]
fn after_thirty_days_a_parked_event_is_given_up_and_an_event_with_our_mark_is_reported() {
    let mut processor = processor();
    let park = |id, at, mark| webhook(id, at, json!({"keys": [id], "mark": mark}));
    accept(&mut processor, vec![park("e1", T0, "ours"), park("e2", T0, "unknown"), park("e3", T0 + DAY, "ours")]);
    assert_eq!(processor.expire(T0 + WAIT_MAX_MS).unwrap(), [], "not yet");
    let reports = processor.expire(T0 + WAIT_MAX_MS + 1).unwrap();
    assert_eq!(lines(&reports), ["later e1: rejected(unclaimed)", "later e2: ignored(not-ours)"]);
    assert_eq!((reports[0].alert, reports[1].alert), (true, false));
    let late = accept(&mut processor, vec![command("c1", "a", T0, json!({"take": ["e1", "e3"]}))]);
    assert_eq!(late, ["c1: applied", "later e3: applied"], "a given-up event is not woken");
}

#[test]
fn after_thirty_days_a_deferred_event_is_reported() {
    let mut processor = processor();
    accept(&mut processor, vec![command("c1", "a", T0, json!({"needs_fact": "f"}))]);
    assert_eq!(processor.expire(T0 + WAIT_MAX_MS).unwrap(), []);
    let reports = processor.expire(T0 + WAIT_MAX_MS + 1).unwrap();
    let refusal = Refusal::NotFound("fact(f)".into());
    assert_eq!(reports[0].result, Disposition::Outcome(Outcome::Rejected(refusal)));
    assert_eq!(accept(&mut processor, vec![command("c2", "a", T0, json!({"note": ["f"]}))]), ["c2: applied"]);
}

#[test]
fn parking_is_limited_and_events_without_our_mark_are_evicted_first() {
    let mut processor = processor();
    processor.set_parked_max(2);
    let park = |id, mark| webhook(id, T0, json!({"keys": [id], "mark": mark}));
    let lines = accept(
        &mut processor,
        vec![
            park("e1", "ours"),
            park("e2", "unknown"),
            park("e3", "ours"),
            park("e4", "ours"),
            command("c1", "a", T0, json!({"take": ["e1", "e2", "e3", "e4"]})),
        ],
    );
    let expected = [
        "e1: deferred(claim(e1))",
        "e2: deferred(claim(e2))",
        "e3: deferred(claim(e3))",
        "later e2: ignored(not-ours)",
        "e4: deferred(claim(e4))",
        "later e1: rejected(unclaimed)",
        "c1: applied",
        "later e3: applied",
        "later e4: applied",
    ];
    assert_eq!(lines, expected);
    assert_eq!(processor.counters().parked_evicted, 2);
}

/// A7
#[test]
fn the_limit_of_a_connected_account_evicts_only_its_own_events() {
    let mut processor = processor();
    processor.set_parked_connected_max(2);
    let park = |id: &str, mark: &str, connected: Option<&str>| {
        let mut event = webhook(id, T0, json!({"keys": [id], "mark": mark}));
        event.payment = Some(PaymentFacts { connected_account: connected.map(str::to_owned), ..Default::default() });
        event
    };
    let lines = accept(
        &mut processor,
        vec![
            park("ours1", "ours", None),
            park("ours2", "unknown", None),
            park("other", "unknown", Some("acct_8")),
            park("e1", "ours", Some("acct_9")),
            park("e2", "unknown", Some("acct_9")),
            park("e3", "unknown", Some("acct_9")),
            park("ours3", "unknown", None),
            park("e4", "unknown", Some("acct_9")),
        ],
    );
    let given_up: Vec<&String> = lines.iter().filter(|line| line.starts_with("later")).collect();
    assert_eq!(given_up, ["later e1: rejected(unclaimed)", "later e2: ignored(not-ours)"]);
    assert_eq!(processor.counters().parked_evicted, 2);
    assert_eq!(processor.store().parked_count(processor.partition()).unwrap(), 6);
}

/// H4
#[test]
fn a_redriven_event_starts_a_new_wait() {
    let mut processor = processor();
    accept(
        &mut processor,
        vec![
            webhook("e1", T0, json!({"keys": ["customer:1"], "mark": "ours"})),
            command("c1", "a", T0, json!({"needs_fact": "f"})),
        ],
    );
    let late = T0 + 31 * DAY;
    let given_up = ["later e1: rejected(unclaimed)", "later c1: rejected(not-found(fact(f)))"];
    assert_eq!(lines(&processor.expire(late).unwrap()), given_up);
    assert_eq!(lines(&processor.redrive(1, late).unwrap()), ["later e1: deferred(claim(customer:1))"]);
    assert_eq!(lines(&processor.redrive(2, late).unwrap()), ["later c1: deferred(fact(f))"]);
    assert_eq!(processor.expire(late + WAIT_MAX_MS).unwrap(), [], "its wait starts at the redrive");
    assert_eq!(lines(&processor.expire(late + WAIT_MAX_MS + 1).unwrap()), given_up);
}
