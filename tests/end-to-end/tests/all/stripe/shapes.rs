//! Plays one story also in two API versions without base bodies: 2018-11-08 and 2025-09-30.clover.

use super::story_bytes;
use end_to_end::world::{Setup, World};
use serde_json::{Map, Value, json};

const STORY: &str = "s79-start-and-renewal.yml";

/// Plays the events of the story, each changed by `reshape`.
fn played(version: &str, reshape: fn(&mut Value)) -> World {
    let case = story_bytes::cases(&story_bytes::scenario(STORY)).into_iter().find(|case| case.version == version);
    let case = case.expect("a case of this version");
    let mut world = World::start(Setup::default());
    for (prepared, clock) in case.deliveries.iter().zip(&case.clocks) {
        world.advance_to(*clock).expect("the store has no fault");
        let Some(prepared) = prepared else { continue };
        let mut event: Value = serde_json::from_slice(&prepared.bytes).expect("JSON");
        if event.get("data").is_some_and(|data| data.get("object").is_some()) {
            // The scenario finds the account by a given claim; here the metadata names the account.
            if event["data"]["object"]["object"] == "subscription" {
                event["data"]["object"]["metadata"]["user_id"] = json!("A");
            }
            reshape(&mut event);
        }
        world.deliver(event.to_string().as_bytes()).expect("the store has no fault");
        world.settle().expect("the store has no fault");
    }
    world
}

fn effects(world: &World) -> Vec<String> {
    let mut found: Vec<String> =
        world.reports.iter().flat_map(|report| &report.effects).map(|effect| effect.key.clone()).collect();
    found.sort();
    found
}

/// Changes an event to version 2018-11-08: it has plans instead of prices, and a subscription repeats its only plan and
/// quantity at the top level.
fn as_in_2018(event: &mut Value) {
    event["api_version"] = json!("2018-11-08");
    for place in ["/data/object/items/data", "/data/object/lines/data"] {
        for entry in event.pointer_mut(place).and_then(Value::as_array_mut).into_iter().flatten() {
            let Some(price) = entry.as_object_mut().and_then(|entry| entry.remove("price")) else { continue };
            entry["plan"] =
                json!({"id": price["id"], "object": "plan", "amount": price["unit_amount"], "interval": "month"});
        }
    }
    let object = &mut event["data"]["object"];
    if object["object"] == "subscription" {
        let item = object["items"]["data"][0].clone();
        object["plan"] = item["plan"].clone();
        object["quantity"] = item["quantity"].clone();
        object["start"] = object["start_date"].take();
    }
}

/// Changes an event to version 2025-09-30.clover, which uses flexible billing and otherwise equals basil. Also adds an
/// unknown field.
fn as_in_clover(event: &mut Value) {
    event["api_version"] = json!("2025-09-30.clover");
    let object = &mut event["data"]["object"];
    if object["object"] == "subscription" {
        object["billing_mode"] = json!({"type": "flexible", "flexible": {"proration_discounts": "included"}});
    }
    if let Some(object) = object.as_object_mut() {
        object.insert("of_tomorrow".to_owned(), Value::Object(Map::new()));
    }
}

// covers: S79, D-108, Q-89
#[test]
fn one_story_in_four_shapes_ends_in_one_state_with_the_same_effects() {
    let old = played("2020-08-27", |_| ());
    assert!(effects(&old).iter().any(|key| key == "mail:receipt:account:in_2"), "a story played to its end");
    for (name, other) in [
        ("basil", played("2025-03-31.basil", |_| ())),
        ("2018", played("2020-08-27", as_in_2018)),
        ("clover", played("2025-03-31.basil", as_in_clover)),
    ] {
        assert_eq!(end_to_end::compare::difference(&old.document(), &other.document()), None, "{name}");
        assert_eq!(effects(&old), effects(&other), "{name}");
    }
}
