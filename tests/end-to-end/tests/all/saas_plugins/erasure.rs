//! Tests that the erasure removes all personal data, page by page, and no other data.

use super::tokens::{gives, subscribed};
use end_to_end::world::{START_MS, World};
use serde_json::{Value, json};

const DAY_MS: i64 = 86_400_000;
/// Number of requested tokens: more than two pages of a hundred lines.
const ASKED: usize = 230;

fn records(world: &World, collection: &str) -> Vec<Value> {
    let document = world.document();
    let accounts = document["accounts"].as_array().expect("accounts");
    let own = accounts.iter().find(|account| account["account"] == "user:A").expect("A has rows");
    own["records"][collection].as_array().cloned().unwrap_or_default()
}

/// Returns the number of lines of the audit trail, and the number of lines with an IP address.
fn lines(world: &World) -> (usize, usize) {
    let lines = records(world, "access_log");
    (lines.len(), lines.iter().filter(|line| line["value"].get("ip").is_some()).count())
}

//
#[test]
fn the_audit_trail_keeps_actor_and_action_and_loses_ip_addresses() {
    let mut world = subscribed();
    for number in 0..ASKED {
        let id = format!("issue_{number}");
        let payload = json!({"product": "prod_sample_monitor", "ip": "192.0.2.7"});
        let outcome = gives(&mut world, &id, "token.issue", "A", "user:A", payload);
        assert_eq!(outcome, "requirement-unmet(product_not_included)");
    }
    assert_eq!(lines(&world), (ASKED, ASKED));
    let before = records(&world, "access_log");
    assert_eq!(gives(&mut world, "close", "account.close", "host", "user:A", json!({})), "applied");
    world.advance_to(START_MS + 30 * DAY_MS - 1).expect("the store has no fault");
    assert_eq!(lines(&world), (ASKED, ASKED), "not before the deadline");
    world.advance_to(START_MS + 30 * DAY_MS).expect("the store has no fault");
    assert_eq!(lines(&world), (ASKED, 0));
    for (before, after) in before.iter().zip(records(&world, "access_log")) {
        let mut expected = before["value"].clone();
        expected.as_object_mut().expect("a line").remove("ip");
        assert_eq!(after["value"], expected);
    }
    let closed = records(&world, "account").into_iter().find(|row| row["id"] == "closed").expect("the closing record");
    assert_eq!(closed["value"]["erased"], "all");
}
