//! Tests functions, and the databases, buckets and host names that they use.

use crate::local::Machine;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::IntoResponse;
use host_provider_api::{CallOutcome, conformance};
use host_providers::local::{AwayAnswer, AwayPages};
use serde_json::json;
use std::sync::Arc;

fn refusal(answer: &CallOutcome) -> &str {
    match answer {
        CallOutcome::Refused { code, .. } => code,
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn every_resource_conforms() {
    let machine = Machine::new();
    for (resource, payload) in [
        ("bucket", json!({"name": "solobase-acme"})),
        ("function", json!({"name": "solobase-acme"})),
        ("cdn", json!({"host": "acme.solobase.cloud", "origin": "http://solobase-acme.localhost:1"})),
        ("domain", json!({"domain": "shop.example"})),
    ] {
        let checked = conformance::check(&*machine.local, resource, &payload);
        assert_eq!(checked, Ok(()), "{resource}");
    }
    assert_eq!(machine.local_held(), Vec::<String>::new());
}

#[test]
fn a_database_is_created_once_and_keeps_its_secret() {
    let machine = Machine::new();
    let ensure = || machine.done("u1", "inst_a/database/ensure", "database.ensure", 1, json!({"name": "a"}));
    let made = ensure();
    assert_eq!(ensure(), made);
    let reference = made["secret_ref"].as_str().expect("a reference");
    assert!(reference.starts_with("secret:"), "{reference}");
    let kept = || machine.vault.list().expect("a list").into_iter().filter(|it| it.reference == reference).count();
    assert_eq!(kept(), 1);
    let old = machine.call("u1", "inst_a/database/change", "database.change", 0, json!({"state": "suspended"}));
    assert_eq!(refusal(&old), "superseded");
    machine.done("u1", "inst_a/database/destroy", "database.destroy", 2, json!({}));
    machine.done("u1", "inst_a/database/destroy", "database.destroy", 2, json!({}));
    let seen = machine.done("u1", "inst_a/database/observe", "database.observe", 2, json!({}));
    assert_eq!((seen, kept()), (json!({"exists": false}), 0), "its secret goes with it");
    assert_eq!(machine.local_held(), Vec::<String>::new());
}

#[test]
fn an_instance_has_a_page_a_health_endpoint_and_its_own_database() {
    let machine = Machine::new();
    let (acme, other) = (machine.instance("u1", "acme"), machine.instance("u2", "other"));
    let (status, page) = machine.http("GET", &acme, "/", "");
    assert!(status == 200 && page.contains("<h1>acme</h1>") && page.contains("hobby"), "{status} {page}");
    assert!(!page.contains("secret:") && !page.contains("sqlite:"), "{page}");
    let (status, health) = machine.http("GET", &acme, "/health", "");
    assert!(status == 200 && health.contains(r#""status":"ok""#), "{status} {health}");
    assert_eq!(machine.http("PUT", &acme, "/notes/note", "of acme").0, 200);
    assert_eq!(machine.http("GET", &acme, "/notes/note", ""), (200, "of acme".to_owned()));
    assert_eq!(machine.http("GET", &other, "/notes/note", "").0, 404, "it has its own database");
    let odd = machine.instance("u3", "inst_odd");
    assert!(odd.starts_with("inst-odd.localhost:") && machine.http("GET", &odd, "/health", "").0 == 200, "{odd}");
    assert_eq!(machine.http("GET", "nobody.localhost", "/", "").0, 404);
    assert_eq!(machine.http("GET", "acme.example", "/", "").0, 421, "a foreign host");
    assert_eq!(machine.http("PUT", &acme, "/notes/..%2f", "x").0, 400);
    assert_eq!(machine.http("PUT", &acme, "/notes/large", &"x".repeat(65 * 1024)).0, 413);
}

#[test]
fn a_function_can_not_use_another_accounts_database_or_name() {
    let machine = Machine::new();
    machine.instance("u1", "acme");
    let database = machine.done("u1", "inst_acme/database/ensure", "database.ensure", 1, json!({}));
    let own = machine.done("u2", "inst_b/database/ensure", "database.ensure", 1, json!({}));
    let ensure = |user: &str, payload| {
        let answer = machine.call(user, "inst_b/compute/ensure", "function.ensure", 1, payload);
        refusal(&answer).to_owned()
    };
    let theirs = json!({"name": "b", "database": database["endpoint"], "database_secret": database["secret_ref"]});
    assert_eq!(ensure("u2", theirs), "no-database");
    let wrong = json!({"name": "b", "database": own["endpoint"], "database_secret": database["secret_ref"]});
    assert_eq!(ensure("u2", wrong), "secret-unknown");
    assert_eq!(ensure("u2", json!({"name": "b", "database": own["endpoint"]})), "no-secret");
    let second = machine.done("u2", "inst_c/database/ensure", "database.ensure", 1, json!({}));
    let unfitting = json!({"name": "b", "database": own["endpoint"], "database_secret": second["secret_ref"]});
    assert_eq!(ensure("u2", unfitting), "wrong-secret");
    assert_eq!(ensure("u2", json!({"name": "acme"})), "name-taken");
    assert_eq!(ensure("u2", json!({"name": "Acme!"})), "bad-name");
    // The instance of `u2` has the same id as the instance of `u1`.
    let same_id = machine.call("u2", "inst_acme/compute/ensure", "function.ensure", 1, json!({"name": "acme"}));
    assert_eq!(refusal(&same_id), "name-taken");
    let bucket = |user: &str| {
        machine.call(user, &format!("inst_{user}/bucket/ensure"), "bucket.ensure", 1, json!({"name": "solobase-acme"}))
    };
    assert!(matches!(bucket("u1"), CallOutcome::Done(_)));
    assert_eq!(refusal(&bucket("u2")), "name-taken");
}

#[test]
fn a_running_function_can_not_be_given_another_accounts_database() {
    let machine = Machine::new();
    let (acme, other) = (machine.instance("u1", "acme"), machine.instance("u2", "other"));
    machine.http("PUT", &acme, "/notes/note", "of acme");
    let theirs = machine.done("u1", "inst_acme/database/ensure", "database.ensure", 1, json!({}));
    let payload = json!({"name": "other", "database": theirs["endpoint"], "database_secret": theirs["secret_ref"]});
    for verb in ["ensure", "change"] {
        let key = format!("inst_other/compute/{verb}");
        let answer = machine.call("u2", &key, &format!("function.{verb}"), 2, payload.clone());
        assert_eq!(refusal(&answer), "no-database", "{verb}");
    }
    // The server does not open such a database even if a function's record contains it.
    let records = std::fs::read_dir(machine.folder().join("resources")).expect("the resources");
    let mut changed = 0;
    for path in records.map(|record| record.expect("a folder").path().join("resource.json")) {
        let text = std::fs::read_to_string(&path).expect("a record");
        let mut record: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        if record["outputs"]["label"] == "other" {
            record["settings"]["database"] = theirs["endpoint"].clone();
            std::fs::write(path, record.to_string()).expect("written");
            changed += 1;
        }
    }
    assert_eq!((changed, machine.http("GET", &other, "/notes/note", "").0), (1, 404));
}

/// Pages that answer with the scope, the instance and the address.
struct Pages;

impl AwayPages for Pages {
    fn answer(&self, scope: &str, instance: &str, request: Parts) -> AwayAnswer {
        let text = format!("{scope} {instance} {}", request.uri);
        Box::pin(async move { (StatusCode::SERVICE_UNAVAILABLE, text).into_response() })
    }
}

#[test]
fn the_pages_of_the_business_answer_for_a_suspended_function_and_for_one_that_is_gone() {
    let machine = Machine::new();
    let acme = machine.instance("u1", "acme");
    machine.local.away().set(Some(Arc::new(Pages)));
    assert_eq!(machine.http("GET", &acme, "/health", "").0, 200, "it runs");
    let away = (503, "solobase/test/user:u1 inst_acme /a?b=c".to_owned());
    machine.done("u1", "inst_acme/compute/change", "function.change", 2, json!({"state": "suspended"}));
    assert_eq!(machine.http("GET", &acme, "/a?b=c", ""), away);
    machine.done("u1", "inst_acme/compute/destroy", "function.destroy", 3, json!({}));
    assert_eq!(machine.http("GET", &acme, "/a?b=c", ""), away);
    let unknown = machine.http("GET", "nobody.localhost", "/", "");
    assert_eq!(unknown, (404, "there is no function with this name".to_owned()));
    machine.local.away().set(None);
    assert_eq!(machine.http("GET", &acme, "/a", ""), unknown, "without the server of the business");
}

#[test]
fn a_suspended_function_reports_it_and_resumes_with_its_data() {
    let machine = Machine::new();
    let acme = machine.instance("u1", "acme");
    machine.http("PUT", &acme, "/notes/note", "canary");
    let change = |generation, state: &str| {
        machine.done("u1", "inst_acme/compute/change", "function.change", generation, json!({"state": state}))
    };
    change(2, "suspended");
    let (status, page) = machine.http("GET", &acme, "/notes/note", "");
    assert!(status == 503 && page.contains("suspended") && !page.contains("canary"), "{status} {page}");
    change(3, "running");
    assert_eq!(machine.http("GET", &acme, "/notes/note", ""), (200, "canary".to_owned()));
}

#[test]
fn writes_beyond_the_plan_are_refused() {
    let machine = Machine::new();
    let acme = machine.instance("u1", "acme");
    let change = |generation, writes: &str| {
        machine.done("u1", "inst_acme/database/change", "database.change", generation, json!({"writes": writes}))
    };
    change(2, "refused");
    assert_eq!(machine.http("PUT", &acme, "/notes/note", "x").0, 507);
    change(3, "allowed");
    assert_eq!(machine.http("PUT", &acme, "/notes/note", "x").0, 200);
    let quota = |generation, gb: u64| {
        machine.done("u1", "inst_acme/database/change", "database.change", generation, json!({"quota_gb": gb}))
    };
    quota(4, 0);
    assert_eq!(machine.http("PUT", &acme, "/notes/note", "y").0, 507);
    assert_eq!(machine.http("GET", &acme, "/notes/note", ""), (200, "x".to_owned()));
    quota(5, 1);
    assert_eq!(machine.http("PUT", &acme, "/notes/note", "y").0, 200);
}

#[test]
fn an_alias_leads_to_the_same_function() {
    let machine = Machine::new();
    let acme = machine.instance("u1", "solobase-acme");
    let payload = json!({"host": "acme.solobase.cloud", "origin": format!("http://{acme}")});
    let made = machine.done("u1", "inst_solobase-acme/cdn/ensure", "cdn.ensure", 1, payload);
    let domain = made["domain"].as_str().expect("a domain");
    assert!(domain.starts_with("acme.localhost:"), "{domain}");
    assert!(machine.http("GET", domain, "/", "").1.contains("<h1>solobase-acme</h1>"));
    let answers = |url: &str| {
        let call = machine.call("u1", "inst_solobase-acme/address/run", "probe.answer", 1, json!({"url": url}));
        matches!(call, CallOutcome::Done(_))
    };
    assert!(answers("https://acme.solobase.cloud/health") && !answers("https://other.solobase.cloud/health"));
    // An alias of another account does not lead to the function.
    let payload = json!({"host": "shop.example", "origin": format!("http://{acme}")});
    let made = machine.done("u2", "inst_shop/cdn/ensure", "cdn.ensure", 1, payload);
    let domain = made["domain"].as_str().expect("a domain");
    assert!(domain.starts_with("shop.localhost:"), "{domain}");
    assert_eq!(machine.http("GET", domain, "/", "").0, 404);
}

#[test]
fn everything_survives_a_restart() {
    let machine = Machine::new();
    let acme = machine.instance("u1", "acme");
    machine.http("PUT", &acme, "/notes/note", "kept");
    let before = (machine.local_held(), machine.local.address());
    let machine = machine.restarted();
    assert_eq!((machine.local_held(), machine.local.address()), before);
    assert_eq!(machine.http("GET", &acme, "/notes/note", ""), (200, "kept".to_owned()), "at the same address");
}

#[test]
fn a_database_is_seeded_with_the_payload() {
    let machine = Machine::new();
    let acme = machine.instance("u1", "acme");
    let database = machine.done("u1", "inst_acme/database/ensure", "database.ensure", 1, json!({}));
    let step = |key: &str, kind: &str, secret: &serde_json::Value| {
        let payload = json!({"database": database["endpoint"], "secret": secret, "admin": "a@example.com"});
        machine.call("u1", &format!("inst_acme/{key}"), kind, 1, payload)
    };
    for kind in ["migrate", "seed", "seed"] {
        let answer = step(kind, &format!("database.{kind}"), &database["secret_ref"]);
        assert_eq!(answer, CallOutcome::Done(json!({})), "{kind}");
    }
    assert_eq!(machine.http("GET", &acme, "/notes/admin", ""), (200, "a@example.com".to_owned()));
    assert_eq!(refusal(&step("seed", "database.seed", &json!("secret:vault/none"))), "secret-unknown");
}

#[test]
fn a_database_that_a_person_names_is_stood_in_for_by_a_file_of_this_machine() {
    let machine = Machine::new();
    let secret = machine.vault.put("solobase/test/user:u1", "url", "postgres://me:pw@db.example/one").expect("kept");
    let secret = secret.reference;
    let named = json!({"endpoint": "db.example", "secret_ref": secret});
    let adopt = |key: &str, outputs: serde_json::Value| {
        let key = format!("{key}/database/observe");
        machine.call("u1", &key, "database.observe", 1, json!({"adopt": true, "outputs": outputs}))
    };
    let unknown = json!({"endpoint": "db.example", "secret_ref": "secret:vault/none"});
    assert_eq!(refusal(&adopt("inst_one", unknown)), "secret-unknown");
    assert_eq!(refusal(&adopt("inst_one", json!({"endpoint": "db.example"}))), "bad-payload");
    let other = machine.vault.put("solobase/test/user:u1", "other", "mysql://me:pw@db.example/one").expect("kept");
    let other = json!({"endpoint": "db.example", "secret_ref": other.reference});
    assert_eq!(refusal(&adopt("inst_one", other)), "bad-secret");
    let seen = CallOutcome::Done(json!({"exists": true, "state": "running", "outputs": named}));
    assert_eq!(adopt("inst_one", named.clone()), seen);
    let CallOutcome::Done(again) = adopt("inst_one", named.clone()) else { panic!("asked again after a lost answer") };
    assert_eq!((&again["exists"], &again["outputs"]), (&json!(true), &named));
    assert_eq!(refusal(&adopt("inst_two", named.clone())), "name-taken", "each has a database of its own");
    let step = |kind: &str, user: &str| {
        let payload = json!({"database": "db.example", "secret": secret, "admin": "a@example.com"});
        machine.call(user, "inst_one/step", &format!("database.{kind}"), 1, payload)
    };
    for kind in ["migrate", "seed"] {
        assert_eq!(step(kind, "u1"), CallOutcome::Done(json!({})), "{kind}");
    }
    assert_eq!(refusal(&step("seed", "u2")), "no-database", "another account has nothing of it");
    assert_eq!(machine.local_held(), ["database:inst_one/database running"]);
    machine.done("u1", "inst_one/database/destroy", "database.destroy", 2, json!({}));
    assert_eq!(machine.local_held(), Vec::<String>::new());
    let kept = machine.vault.list().expect("a list").into_iter().filter(|it| it.reference == secret).count();
    assert_eq!(kept, 1, "the secret is the person's");
}

impl Machine {
    fn local_held(&self) -> Vec<String> {
        use host_provider_api::Provider;
        let mut held: Vec<_> = self
            .local
            .held()
            .expect("an answer")
            .expect("a list")
            .into_iter()
            .map(|it| format!("{}:{} {}", it.id.resource, it.id.id, it.state))
            .collect();
        held.sort();
        held
    }
}
