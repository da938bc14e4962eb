//! Instances in every state, with every event, through the real rules: a store that a released component wrote must be
//! read, and its instances must live on in the same way. The released component, which had flags in place of a state, is
//! the oracle.

use crate::released::{released, versions};
use end_to_end::moves::{Kind, Move};
use end_to_end::people::story;
use end_to_end::play;
use end_to_end::story::VERSIONS;
use end_to_end::world::{Setup, World, root};
use extension_contract::{Outcome, RowKey, StoredRow};
use host::processor::{Disposition, Report};
use host::read;
use host_replay::runners::Runners;
use host_scenario::business::BusinessFolder;
use host_store::{Applied, Changes, RowWrite, Scope};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

const INSTANCE: &str = "inst_acme";

/// The rows of instances as a released component could have written them: a name, the status, members of the record, and
/// the state of the database.
fn rows() -> Vec<(&'static str, &'static str, Value, &'static str)> {
    let failed = json!({"step": "database/ensure", "code": "throttled", "at": 1_767_225_000_000_i64});
    let held = 1_767_225_000_000_i64;
    vec![
        ("provisioning", "provisioning", json!({}), "making"),
        ("waiting for its plan", "provisioning", json!({"begun": false, "reached_world": false}), "none"),
        ("asked for, but not begun", "provisioning", json!({"reached_world": false}), "making"),
        ("provisioning again", "provisioning", json!({"failed": failed, "credit_due": true}), "making"),
        ("held while provisioning", "provisioning", json!({"held_at": held}), "making"),
        ("running", "running", json!({}), "present"),
        ("running after a failed archive", "running", json!({"archive_paused": true}), "present"),
        ("held", "suspended", json!({"held_at": held}), "present"),
        ("suspended", "suspended", json!({}), "present"),
        ("suspended after a failed archive", "suspended", json!({"archive_paused": true, "held_at": held}), "present"),
        ("archived from running", "archiving", json!({"before": "running"}), "backing_up"),
        ("archived from suspended", "archiving", json!({"before": "suspended"}), "backing_up"),
        (
            "archived after a failed restore",
            "archiving",
            json!({"before": "archived", "archive_paused": true}),
            "freeing",
        ),
        ("archived", "archived", json!({"held_at": held}), "gone"),
        ("archived and paused", "archived", json!({"archive_paused": true}), "gone"),
        ("archived as idle", "archived", json!({"active_at": held, "held_at": held}), "gone"),
        ("restoring", "restoring", json!({"before": "archived"}), "restoring"),
        ("lapsing", "deleting", json!({}), "freeing"),
        ("deleting", "deleting", json!({"ended_by_owner": true}), "freeing"),
        ("deleting after a backup", "deleting", json!({"ended_by_owner": true, "final_backup": true}), "backing_up"),
        ("failed", "error", json!({"failed": failed}), "freeing"),
        ("failed and freed", "error", json!({"failed": failed}), "none"),
        ("failed for long", "error", json!({"failed": failed, "credit_due": true}), "none"),
        ("failed and stuck", "error", json!({"failed": failed}), "stuck"),
        ("to begin again", "error", json!({"failed": failed, "retry_wanted": true}), "freeing"),
        ("reported as failed", "error", json!({}), "present"),
        (
            "refused",
            "error",
            json!({"refused": true, "holds_names": false, "begun": false, "reached_world": false}),
            "none",
        ),
        ("lapsed", "terminated", json!({"holds_names": false}), "none"),
        (
            "lapsed before it began",
            "terminated",
            json!({"holds_names": false, "begun": false, "reached_world": false}),
            "none",
        ),
        ("ended", "terminated", json!({"holds_names": false, "ended_by_owner": true}), "none"),
        (
            "another service's",
            "running",
            json!({"foreign": true, "holds_names": false, "begun": false, "reached_world": false}),
            "none",
        ),
        (
            "another service's, failed",
            "error",
            json!({"foreign": true, "holds_names": false, "begun": false, "reached_world": false}),
            "none",
        ),
        (
            "another service's, deleted",
            "deleting",
            json!({"foreign": true, "ended_by_owner": true, "holds_names": false, "begun": false,
                "reached_world": false}),
            "none",
        ),
    ]
}

/// The events: a name, and what the host receives.
fn events() -> Vec<(&'static str, Value)> {
    let command = |kind: &str, by: &str, payload: Value| {
        let subject = if by == "user" { "A" } else { by };
        json!({"command": kind, "account": "user:A", "timestamp": 1_767_225_600,
            "actor": {"kind": by, "id": subject}, "payload": payload})
    };
    let report =
        |status: &str| command("product.update", "service", json!({"id": INSTANCE, "metadata": {"status": status}}));
    // The name `other` is free.
    let product = |event: &str, subdomain: &str, status: &str| {
        json!({"event": event, "timestamp": 1_767_225_600, "actor": {"kind": "service", "id": "platform"},
            "data": {"id": INSTANCE, "product_type": "instance", "name": "Acme", "user_id": "A",
                "metadata": {"subdomain": subdomain, "status": status}}})
    };
    let id = json!({"id": INSTANCE});
    vec![
        ("keep", command("instance.keep", "user", id.clone())),
        ("suspend", command("instance.suspend", "admin", id.clone())),
        ("resume", command("instance.resume", "admin", id.clone())),
        ("retry", command("instance.retry", "admin", id)),
        ("delete", command("instance.delete", "user", json!({"id": INSTANCE, "confirm": "acme"}))),
        ("reported running", report("running")),
        ("reported error", report("error")),
        ("reported suspended", report("suspended")),
        ("created again", product("product.created", "other", "provisioning")),
        ("updated to suspended", product("product.updated", "acme", "suspended")),
        ("deleted at the platform", product("product.deleted", "acme", "running")),
    ]
}

fn scope(world: &World) -> Scope {
    world.processor().scope("user:A".parse().expect("an account"))
}

/// Solobase, in the language of the released component.
fn business(version: &str) -> &'static BusinessFolder {
    let folder = root().join("tests/released").join(version).join("solobase");
    Box::leak(Box::new(BusinessFolder::load(&folder).expect("a readable business")))
}

/// A customer with a plan and a running instance.
fn customer(runners: Runners, version: &str) -> World {
    let parts = story("A", &[Move::plain(Kind::Buy, 0, 0)]).parts_in(VERSIONS[1]);
    let mut world = World::start(Setup { runners, business: business(version), ..Setup::default() });
    play::whole(&mut world, &parts);
    let body = json!({
        "id": "create", "command": "product.create", "account": "user:A", "timestamp": 1_767_225_600,
        "actor": {"kind": "user", "id": "A"},
        "payload": {"product_type": "instance", "name": "Acme", "metadata": {"subdomain": "acme"}},
    });
    let reports = world.deliver(body.to_string().as_bytes()).expect("the store has no fault");
    world.settle().expect("the store has no fault");
    let applied = |report: &Report| matches!(report.result, Disposition::Outcome(Outcome::Applied));
    assert!(reports.iter().all(applied), "{reports:?}");
    world
}

fn keys() -> [RowKey; 2] {
    let record = extension_contract::RecordKey { collection: "instances".to_owned(), id: INSTANCE.to_owned() };
    [RowKey::Product(INSTANCE.to_owned()), RowKey::Record(record)]
}

/// The metadata of the product, and the record.
fn read_rows(world: &World) -> (Map<String, Value>, Map<String, Value>) {
    let scope = scope(world);
    let product = read::product(world.store(), &scope, INSTANCE).expect("readable rows").expect("a product");
    let record = read::record(world.store(), &scope, "instances", INSTANCE).expect("readable rows");
    let object = |text: &str| serde_json::from_str(text).expect("an object");
    (object(&product.values.metadata), record.map(|record| object(&record.value)).unwrap_or_default())
}

/// Writes an instance's rows as the released component would have written them.
fn write_rows(world: &mut World, status: &str, members: &Value, database: &str) {
    let (mut metadata, mut record) = read_rows(world);
    metadata.insert("status".to_owned(), json!(status));
    record.extend(members.as_object().expect("members").clone());
    let resources = record["resources"].as_object_mut().expect("resources");
    match database {
        "none" => resources.clear(),
        "gone" => {
            let backup = json!({"state": "absent", "generation": 2, "backup": {"id": "bak_1", "verified": true}});
            resources.insert("database".to_owned(), backup);
            resources.remove("compute@lambda");
        }
        state => resources["database"]["state"] = json!(state),
    }
    if record["resources"] == json!({}) {
        record.remove("resources");
    }
    let scope = scope(world);
    let mut store = world.faults().open();
    let stored = store.load(&scope, &keys()).expect("readable rows");
    let rows = stored.into_iter().flatten().map(|StoredRow { row, data_version }| {
        let (row, fingerprint) = match row {
            extension_contract::Row::Product(mut row) => {
                row.values.metadata = Value::Object(metadata.clone()).to_string();
                (extension_contract::Row::Product(row), None)
            }
            extension_contract::Row::Record(mut row) => {
                row.value = Value::Object(record.clone()).to_string();
                (extension_contract::Row::Record(row), Some("new".to_owned()))
            }
            other => panic!("{other:?} is not a row of an instance"),
        };
        RowWrite { key: row.key(), row: Some(row), data_version, live: false, references: Vec::new(), fingerprint }
    });
    let changes =
        Changes { scope: Some(scope), event_id: "written".to_owned(), rows: rows.collect(), ..Changes::default() };
    assert!(matches!(store.apply(&changes), Ok(Applied::Done { .. })));
}

/// Returns the result of an event, its reply, the requested effects, the product, and the members of the record that both
/// versions have.
fn observed(world: &mut World, id: &str, event: &Value) -> Value {
    let mut body = event.clone();
    body["id"] = json!(id);
    let reports = world.deliver(body.to_string().as_bytes()).expect("the store has no fault");
    let results: Vec<String> =
        reports.iter().map(|report| format!("{:?} {:?} {:?}", report.result, report.reply, report.effects)).collect();
    let (metadata, mut record) = read_rows(world);
    for member in OF_VERSION_2.iter().chain(&SINCE_VERSION_3) {
        record.remove(*member);
    }
    json!({"results": results, "metadata": metadata, "record": record})
}

const OF_VERSION_2: [&str; 12] = [
    "begun",
    "reached_world",
    "failed",
    "before",
    "final_backup",
    "retry_wanted",
    "credit_due",
    "refused",
    "ended_by_owner",
    "foreign",
    "holds_names",
    "archive_paused",
];
const SINCE_VERSION_3: [&str; 5] = ["state", "effects", "lost_since", "names", "archive"];

/// Returns whether a decision was changed on purpose since version 0.2.0: since then, an instance that is being deleted
/// cannot be resumed.
fn is_changed_since(version: &str, event: &str, before: &World) -> bool {
    let (metadata, record) = read_rows(before);
    let is_over = metadata["status"] == "deleting" || metadata["status"] == "terminated";
    version == "0.2.0" && event == "resume" && is_over && record.contains_key("held_at")
}

/// Delivers an event to both hosts, and returns how they differ afterwards.
fn difference(before: &mut World, after: &mut World, id: &str, event: &Value) -> Option<String> {
    let (expected, found) = (observed(before, id, event), observed(after, id, event));
    end_to_end::compare::difference(&expected, &found)
}

#[test]
fn instances_of_a_released_component_live_on_in_the_same_way_in_every_state() {
    let built = host_native::runners();
    for version in versions() {
        let old = released(&version);
        let base = customer(old.clone(), &version);
        let (metadata, record) = read_rows(&base);
        assert_eq!(metadata["status"], "running");
        assert!(record.contains_key("begun") && !record.contains_key("state"), "{version}: a record with flags");
        let (mut states, mut differing) = (BTreeSet::new(), Vec::new());
        for (name, status, members, database) in rows() {
            let mut written = base.fork(old.clone());
            write_rows(&mut written, status, &members, database);
            for (first, event) in events() {
                if is_changed_since(&version, first, &written) {
                    continue;
                }
                let (mut before, mut after) = (written.fork(old.clone()), written.fork(built.clone()));
                if let Some(text) = difference(&mut before, &mut after, "first", &event) {
                    differing.push(format!("{name}: {first}: {text}"));
                    continue;
                }
                let (_, record) = read_rows(&after);
                states.extend(record.get("state").map(|state| state["is"].to_string()));
                // A second event shows what the first one left behind.
                for (second, event) in events() {
                    if is_changed_since(&version, second, &before) {
                        continue;
                    }
                    let (mut before, mut after) = (before.fork(old.clone()), after.fork(built.clone()));
                    if let Some(text) = difference(&mut before, &mut after, "second", &event) {
                        differing.push(format!("{name}: {first}, then {second}: {text}"));
                    }
                }
            }
        }
        assert!(differing.is_empty(), "{version}: {} differ: {}", differing.len(), differing.join("\n"));
        // All states except `plain`, which a type with resources never has.
        assert_eq!(states.len(), 17, "{states:?}");
    }
}
