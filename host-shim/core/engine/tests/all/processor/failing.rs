//! Tests of failures: retries, dead letters, redrives and rollbacks.

use super::events::{T0, command, lines, things, webhook};
use super::toy::{Moment, ToyRunner};
use super::{accept, business, processor, retry};
use extension_contract::{Failure, ImportError};
use host_engine::processor::{ATTEMPTS_MAX, Disposition, Processor, RETRY_DELAYS_MS};
use host_store::testing::Faults;
use host_store::{InboxState, MemoryStore};
use host_wasm_runner::runner::RunError;
use serde_json::json;

#[test]
fn a_failure_stores_only_the_inbox_row_and_is_retried_with_backoff() {
    let mut processor = processor();
    let doing = json!({"fail": 2, "note": ["f"], "take": ["customer:1"],
        "ask": [{"kind": "mail.send", "key": "m"}]});
    let reports = processor.accept(command("c1", "a", T0, doing), Vec::new()).unwrap();
    assert_eq!(lines(&reports), ["c1: failed(internal: told to fail)"]);
    assert_eq!((reports[0].effects.len(), reports[0].alert), (0, false));
    assert_eq!(things(processor.store(), "a", ""), [""; 0]);
    assert!(processor.store().effects_open_after(processor.partition(), 0, usize::MAX).unwrap().is_empty());
    assert_eq!(processor.next_retry(T0).unwrap(), Some(T0 + RETRY_DELAYS_MS[0]));

    assert_eq!(retry(&mut processor, T0 + RETRY_DELAYS_MS[0] - 1), [""; 0], "not before its time");
    let second = T0 + RETRY_DELAYS_MS[0];
    assert_eq!(retry(&mut processor, second), ["later c1: failed(internal: told to fail)"]);
    let third = processor.retry_due(second + RETRY_DELAYS_MS[1]).unwrap();
    assert_eq!(lines(&third), ["later c1: applied"]);
    assert_eq!(third[0].effects[0].key, "m");
    assert_eq!(things(processor.store(), "a", "fact/"), ["f"]);
}

#[test]
fn an_event_that_always_fails_is_a_dead_letter_until_an_operator_redrives_it() {
    let mut processor = processor();
    let fails = |times| command("c1", "a", T0, json!({"fail": times}));
    let mut now = T0;
    let mut last = processor.accept(fails(ATTEMPTS_MAX), Vec::new()).unwrap();
    for delay in RETRY_DELAYS_MS {
        assert!(!last[0].alert);
        now += delay;
        last = processor.retry_due(now).unwrap();
    }
    assert!(last[0].alert && matches!(last[0].result, Disposition::Failed(_)));
    assert_eq!(processor.next_retry(now).unwrap(), None);
    let dead = processor.dead().unwrap();
    assert_eq!((dead.len(), dead[0].failures, &dead[0].state), (1, ATTEMPTS_MAX, &InboxState::Dead));
    assert_eq!(dead[0].error.as_deref(), Some("internal: told to fail"));
    assert_eq!(accept(&mut processor, vec![fails(0)]), ["c1: duplicate(c1)"], "the id is known");

    // A redriven event may fail as often as a new event.
    assert_eq!(lines(&processor.redrive(1, now).unwrap()), ["later c1: failed(internal: told to fail)"]);
    assert_eq!(
        processor.failed().unwrap()[0].state,
        InboxState::Pending { not_before: now + RETRY_DELAYS_MS[0], waits_since: None }
    );
}

/// S23
#[test]
fn a_redrive_runs_a_rejected_event_but_not_an_applied_one() {
    let mut processor = processor();
    let events = vec![
        command("c1", "a", T0, json!({"take": ["name:x"]})),
        command("c2", "b", T0, json!({"take": ["name:x"]})),
        command("c3", "a", T0, json!({"release": ["name:x"]})),
    ];
    assert_eq!(accept(&mut processor, events)[1], "c2: rejected(name-taken(name:x))");
    assert_eq!(lines(&processor.redrive(1, T0).unwrap()), ["c1: duplicate(c1)"]);
    assert_eq!(lines(&processor.redrive(2, T0).unwrap()), ["later c2: applied"]);
    assert_eq!(processor.redrive(99, T0).unwrap(), []);
}

#[test]
fn a_trap_stores_no_changes_and_the_next_event_of_the_account_works() {
    let mut processor = processor();
    let trap = json!({"trap": true, "note": ["f"], "take": ["name:x"]});
    let reports = processor.accept(command("c1", "a", T0, trap), Vec::new()).unwrap();
    assert_eq!(reports[0].result, Disposition::Failed(RunError::Trap("unreachable".into())));
    let next = command("c2", "a", T0, json!({"note": ["f"], "take": ["name:x"]}));
    assert_eq!(accept(&mut processor, vec![next]), ["c2: applied"]);
    assert_eq!(things(processor.store(), "a", "ran/"), ["c2"]);
}

#[test]
fn a_store_error_that_the_extension_ignores_still_rolls_back() {
    let faults = Faults::new(Box::new(MemoryStore::new()));
    let failing = faults.clone();
    // Reads fail during the call whose error the extension ignores.
    let meanwhile = move |moment| failing.fail_reads(moment == Moment::Opened);
    let runner = ToyRunner::with(1, Box::new(meanwhile));
    let mut processor = Processor::new(faults.open(), Box::new(runner), business()).unwrap();
    let doing = || json!({"note": ["f"], "calls": 1, "outcome": "applied"});
    let unavailable = ImportError::Unavailable("fault at a read".into());
    let expected = Disposition::Failed(RunError::Failure(Failure::Store(unavailable)));
    let reports = processor.accept(command("c1", "a", T0, doing()), Vec::new()).unwrap();
    assert_eq!(reports[0].result, expected);
    assert_eq!(things(processor.store(), "a", ""), [""; 0]);
    assert_eq!(processor.store().known(&processor.scope(super::events::user("a")), &["f".into()]).unwrap(), [false]);
}

#[test]
fn log_entries_are_reported_for_applied_and_failed_events() {
    let mut processor = processor();
    for (id, fail) in [("c1", 0), ("c2", 1)] {
        let logging = command(id, "a", T0, json!({"log": "here", "fail": fail}));
        let reports = processor.accept(logging, Vec::new()).unwrap();
        assert_eq!(reports[0].logs[0].message, "here", "{:?}", reports[0].result);
    }
}

#[test]
fn a_pending_event_does_not_block_its_account() {
    let mut processor = processor();
    let lines = accept(
        &mut processor,
        vec![
            command("c1", "a", T0, json!({"fail": 1, "note": ["f"]})),
            command("c2", "a", T0, json!({"note": ["g"]})),
            webhook("e1", T0, json!({"account": "user:a"})),
        ],
    );
    assert_eq!(lines[1..], ["c2: applied", "e1: applied"]);
    assert_eq!(retry(&mut processor, T0 + 1_000), ["later c1: applied"]);
}

#[test]
fn a_group_is_durable_after_its_commit_and_lost_after_a_rollback() {
    let mut processor = processor();
    processor.begin_group().unwrap();
    let events = (0..3).map(|n| command(&format!("c{n}"), "a", T0, json!({}))).collect();
    assert_eq!(accept(&mut processor, events).len(), 3);
    assert_eq!(things(processor.store(), "a", "ran/").len(), 3, "reads in the group see its writes");
    processor.rollback_group().unwrap();
    assert_eq!(things(processor.store(), "a", "ran/").len(), 0);
    assert_eq!(processor.inbox_after(0, 10).unwrap(), []);

    processor.begin_group().unwrap();
    let failing = command("c0", "a", T0, json!({"trap": true}));
    let lines = accept(&mut processor, vec![failing, command("c1", "a", T0, json!({}))]);
    processor.commit_group().unwrap();
    assert_eq!(lines, ["c0: failed(trap: unreachable)", "c1: applied"]);
    assert_eq!(things(processor.store(), "a", "ran/"), ["c1"]);
    assert_eq!(processor.inbox_after(0, 10).unwrap().len(), 2);
}
