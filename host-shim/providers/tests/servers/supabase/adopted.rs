//! Adoption of projects that a person created.

use crate::supabase::bench::{Bench, ORGANIZATION, call, change, ensure, inputs, with};
use counterparts::Project;
use host_provider_api::Call;
use host_providers::supabase::Mark;
use serde_json::{Value, json};

const REFERENCE: &str = "byhandbyhandbyhandby";
const SCOPE: &str = "stages/test/user:o1";

fn secret(bench: &Bench) -> String {
    bench.vault.put(SCOPE, "told", "by-hand").unwrap().reference
}

fn adopt(generation: u32, reference: &str, secret: &str) -> Call {
    let outputs = json!({"endpoint": format!("db.{reference}.supabase.co"), "secret_ref": secret});
    call("observe", generation, with(inputs(), json!({"adopt": true, "outputs": outputs})))
}

fn by_hand(bench: &Bench) -> String {
    bench.double.put(Project::ready(REFERENCE, ORGANIZATION, "Acme by hand"));
    secret(bench)
}

#[test]
fn later_calls_find_an_adopted_project_and_omit_its_password() {
    let bench = Bench::start();
    let secret = by_hand(&bench);
    let seen = bench.done(&adopt(1, REFERENCE, &secret));
    assert_eq!((&seen["exists"], &seen["state"]), (&json!(true), &json!("running")));
    let outputs = &seen["outputs"];
    assert_eq!((&outputs["id"], &outputs["secret_ref"]), (&json!(REFERENCE), &json!(secret)));
    let mark = Mark::read(&bench.only().name).expect("a mark");
    assert_eq!((mark.shown.as_str(), mark.is_adopted, mark.generation), ("orchestra-acme", true, 1));
    assert_eq!(bench.done(&adopt(1, REFERENCE, &secret)), seen);
    // Other calls find the project. Their outputs have no `secret_ref`.
    let changed = bench.done(&change(2, "suspended"));
    assert_eq!((&changed["id"], changed.get("secret_ref")), (&json!(REFERENCE), None));
    bench.done(&change(3, "running"));
    assert_eq!(bench.done(&Call { generation: 4, ..ensure() })["id"], REFERENCE);
    bench.done(&call("destroy", 5, inputs()));
    assert!(bench.double.projects().is_empty());
}

#[test]
fn an_adopted_project_may_have_tables_later() {
    let bench = Bench::start();
    let secret = by_hand(&bench);
    let seen = bench.done(&adopt(1, REFERENCE, &secret));
    bench.double.change(REFERENCE, |project| project.tables = 9);
    assert_eq!(bench.done(&adopt(2, REFERENCE, &secret)), seen);
}

// covers: ORC-33
#[test]
fn only_an_existing_running_project_without_tables_is_adopted() {
    let bench = Bench::start();
    let secret = by_hand(&bench);
    bench.double.change(REFERENCE, |project| project.tables = 1);
    assert_eq!(bench.refused(&adopt(1, REFERENCE, &secret)), "not-empty");
    bench.double.change(REFERENCE, |project| (project.tables, project.status) = (0, "INACTIVE".to_owned()));
    assert_eq!(bench.refused(&adopt(1, REFERENCE, &secret)), "not-running");
    assert_eq!(bench.refused(&adopt(1, "nowherenowherenowher", &secret)), "not-found");
    assert_eq!(bench.refused(&adopt(1, REFERENCE, "secret:unknown")), "secret-unknown");
    let elsewhere = json!({"endpoint": "10.0.0.1:5432", "secret_ref": secret});
    let elsewhere = call("observe", 1, with(inputs(), json!({"adopt": true, "outputs": elsewhere})));
    assert_eq!(bench.refused(&elsewhere), "bad-payload");
    assert_eq!(bench.only().name, "Acme by hand", "nothing was changed");
}

#[test]
fn a_project_of_another_resource_or_organization_is_not_adopted() {
    let bench = Bench::start();
    let secret = secret(&bench);
    let other = bench.done(&Call { key: "orch_other/database/ensure".to_owned(), ..ensure() });
    assert_eq!(bench.refused(&adopt(1, other["id"].as_str().unwrap(), &secret)), "name-taken");
    bench.double.put(Project::ready(REFERENCE, "org-2", "theirs"));
    assert_eq!(bench.refused(&adopt(1, REFERENCE, &secret)), "name-taken");
}

#[test]
fn a_project_with_only_the_requested_name_is_not_ours() {
    let bench = Bench::start();
    bench.double.put(Project::ready(REFERENCE, ORGANIZATION, "orchestra-acme"));
    assert_eq!(bench.done(&call("observe", 1, inputs())), json!({"exists": false}));
    assert_ne!(bench.done(&ensure())["id"], json!(REFERENCE));
    assert_eq!(bench.done(&call("destroy", 2, inputs())), Value::Object(serde_json::Map::new()));
    assert_eq!(bench.only().reference, REFERENCE);
}
