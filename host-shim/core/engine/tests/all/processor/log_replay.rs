//! Tests of the log replay.

use super::events::{T0, command, webhook};
use super::{accept, processor};
use extension_contract::Event;
use host_engine::processor::{Difference, replay_log};
use serde_json::json;

fn story() -> Vec<Event> {
    vec![
        webhook("e1", T0, json!({"keys": ["customer:1"], "needs_fact": "f"})),
        command("c1", "a", T0 + 1, json!({"take": ["customer:1"], "ask": [{"kind": "mail.send", "key": "m"}]})),
        command("c2", "b", T0 + 2, json!({"take": ["customer:1"]})),
        command("c3", "a", T0 + 3, json!({"note": ["f"]})),
        webhook("e2", T0 + 4, json!({"keys": ["nobody"]})),
    ]
}

#[test]
fn a_replay_through_the_same_version_has_no_differences() {
    let mut recorded = processor();
    accept(&mut recorded, story());
    recorded.expire(T0 + 100 * super::events::DAY).unwrap();
    let mut fresh = processor();
    assert_eq!(replay_log(recorded.store(), &mut fresh).unwrap(), []);
    assert_eq!(fresh.inbox_after(0, 10).unwrap().len(), 5);
}

#[test]
fn a_replay_reports_the_differences_of_each_event() {
    let mut recorded = processor();
    accept(&mut recorded, story());
    // The version under test is the same, but another account owns the story's claim.
    let mut other = processor();
    accept(&mut other, vec![command("before", "b", T0, json!({"take": ["customer:1"]}))]);
    let differences = replay_log(recorded.store(), &mut other).unwrap();
    let fields: Vec<(&str, &str)> = differences.iter().map(|it| (&*it.event_id, it.field)).collect();
    let expected = [
        ("e1", "account"),
        ("e1", "outcome"),
        ("c1", "outcome"),
        ("c1", "claims"),
        ("c1", "effects"),
        ("c2", "outcome"),
        ("c2", "claims"),
    ];
    assert_eq!(fields, expected);
    let Difference { seq, recorded, replayed, .. } = &differences[2];
    assert_eq!((*seq, &**recorded, &**replayed), (2, "applied", "rejected(name-taken(customer:1))"));
}
