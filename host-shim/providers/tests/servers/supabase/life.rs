//! The life of a database from creation to deletion.

use crate::supabase::bench::{Bench, ORGANIZATION, TOKEN, WithVault, call, change, config, ensure, inputs, with};
use counterparts::{Project, Supabase as Double};
use host_provider_api::{Call, CallOutcome, Secret, Secrets, conformance};
use host_providers::supabase::{Mark, Supabase};
use host_vault::Vault;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;

#[test]
fn supabase_conforms() {
    for polls in [0, 3] {
        let double = Double::start(TOKEN, ORGANIZATION);
        double.set_polls(polls);
        let provider = Supabase::new(config(format!("http://{}", double.address())));
        let provider = WithVault(provider, Arc::new(Vault::in_memory().unwrap()));
        assert_eq!(conformance::check(&provider, "database", &json!({"name": "acme"})), Ok(()));
        assert_eq!(conformance::check(&provider, "database", &json!({})), Ok(()), "the name is optional");
        assert!(double.projects().is_empty());
    }
}

// covers: ORC-13, ORC-15, D-64
#[test]
fn a_project_has_the_settings_of_the_payload_and_is_done_when_it_runs() {
    let bench = Bench::with(|config| {
        let instance_sizes = BTreeMap::from([("pro".to_owned(), "small".to_owned())]);
        host_providers::supabase::Config { instance_sizes, ..config }
    });
    bench.double.set_polls(3);
    let mut answer = bench.call(&ensure());
    let mut polls = 0;
    while let CallOutcome::InProgress { token, after_ms } = answer {
        assert_eq!(after_ms, 1 << polls.min(4), "delays grow");
        assert!(!token.contains(&bench.only().password));
        polls += 1;
        answer = bench.call(&Call { token: Some(token), ..ensure() });
    }
    let CallOutcome::Done(outputs) = answer else { panic!("{answer:?}") };
    assert_eq!(polls, 4);
    let made = bench.only();
    assert_eq!((made.region.as_str(), made.organization.as_str()), ("eu-west-2", ORGANIZATION));
    let mark = Mark::read(&made.name).expect("a name with a mark");
    assert_eq!((mark.shown.as_str(), mark.generation, mark.is_adopted), ("orchestra-acme", 1, false));
    let (reference, endpoint) = (&made.reference, format!("db.{}.supabase.co:5432", made.reference));
    let secret = outputs["secret_ref"].as_str().unwrap();
    assert_eq!(
        outputs,
        json!({"id": reference, "endpoint": endpoint, "name": mark.lasting(), "database": "postgres",
            "user": "postgres", "secret_ref": secret})
    );
    let plain = bench.vault.resolve("stages/test/user:o1", secret).expect("a password");
    assert_eq!(plain.expose(), made.password);
    assert!(made.password.len() >= 32);
}

#[test]
fn the_default_region_is_the_configured_one() {
    let bench = Bench::start();
    bench.done(&call("ensure", 1, json!({"name": "acme"})));
    assert_eq!(bench.only().region, "eu-central-1");
}

#[test]
fn a_repeated_call_finds_its_project_and_another_key_creates_a_second_project() {
    let bench = Bench::start();
    let first = bench.done(&ensure());
    assert_eq!(bench.done(&ensure()), first);
    assert_eq!(bench.done(&Call { lease: 2, attempt: 2, ..ensure() }), first);
    bench.only();
    let other = Call { key: "orch_other/database/ensure".to_owned(), ..ensure() };
    assert_ne!(bench.done(&other)["id"], first["id"], "two resources request the same name");
    assert_eq!(bench.double.projects().len(), 2);
}

#[test]
fn a_project_is_found_on_a_later_page() {
    let bench = Bench::start();
    for number in 0..230_u32 {
        let letters: String = format!("{number:020}").bytes().map(|byte| char::from(byte - b'0' + b'k')).collect();
        bench.double.put(Project::ready(&letters, ORGANIZATION, &format!("orchestra-{number}")));
    }
    let first = bench.done(&ensure());
    assert_eq!(bench.done(&ensure()), first);
    assert_eq!(bench.double.projects().len(), 231);
}

#[test]
fn the_oldest_of_two_projects_is_used() {
    let bench = Bench::start();
    let first = bench.done(&ensure());
    bench.double.put(Project::ready("zzzzzzzzzzzzzzzzzzzz", ORGANIZATION, &bench.only().name));
    assert_eq!(bench.done(&ensure()), first);
}

#[test]
fn a_project_is_suspended_and_resumed_with_one_request_each() {
    let bench = Bench::start();
    bench.double.set_polls(2);
    let made = bench.done(&ensure());
    for (generation, state, status) in [(2, "suspended", "INACTIVE"), (3, "running", "ACTIVE_HEALTHY")] {
        bench.proxy.clear();
        let outputs = bench.done(&change(generation, state));
        assert_eq!(outputs, with(made.clone(), json!({"state": state})));
        assert_eq!(bench.only().status, status);
        let requests = |verb: &str| bench.proxy.seen().iter().filter(|line| line.contains(verb)).count();
        assert_eq!(requests("/pause ") + requests("/restore "), 1);
        assert_eq!(bench.done(&change(generation, state)), outputs);
        assert_eq!(requests("/pause ") + requests("/restore "), 1);
        let seen = bench.done(&call("observe", generation, inputs()));
        assert_eq!((&seen["state"], &seen["outputs"]), (&json!(state), &made));
    }
}

#[test]
fn ensure_resumes_a_project_that_supabase_paused() {
    let bench = Bench::start();
    let made = bench.done(&ensure());
    bench.double.change(made["id"].as_str().unwrap(), |project| project.status = "INACTIVE".to_owned());
    assert_eq!(bench.done(&ensure()), made);
    assert_eq!(bench.only().status, "ACTIVE_HEALTHY");
}

#[test]
fn an_older_generation_is_superseded_across_processes() {
    let bench = Bench::start();
    bench.done(&ensure());
    bench.done(&change(4, "suspended"));
    // The generation is in the project's name.
    assert_eq!(Mark::read(&bench.only().name).unwrap().generation, 4);
    for old in [change(3, "running"), ensure(), call("destroy", 2, inputs())] {
        assert_eq!(bench.refused(&old), "superseded");
    }
    assert_eq!(bench.only().status, "INACTIVE");
}

#[test]
fn destroy_deletes_the_project_and_its_password_and_is_repeatable() {
    let bench = Bench::start();
    let made = bench.done(&ensure());
    assert_eq!(bench.done(&call("destroy", 2, inputs())), json!({}));
    assert!(bench.double.projects().is_empty());
    let secret = bench.vault.resolve("stages/test/user:o1", made["secret_ref"].as_str().unwrap());
    assert!(secret.is_err(), "the password is forgotten");
    assert_eq!(bench.done(&call("destroy", 2, inputs())), json!({}));
    assert_eq!(bench.done(&call("observe", 2, inputs())), json!({"exists": false}));
    assert_eq!(bench.refused(&change(3, "running")), "not-found");
}

#[test]
fn a_project_that_fails_to_initialize_is_replaced() {
    let bench = Bench::start();
    bench.double.fail_next();
    let answer = bench.ask(&ensure());
    assert!(matches!(&answer, CallOutcome::Retry { code, .. } if code == "never-came-up"), "{answer:?}");
    assert!(bench.double.projects().is_empty());
    bench.done(&ensure());
    assert_eq!(bench.only().status, "ACTIVE_HEALTHY");
}

#[test]
fn observe_waits_until_a_project_has_started() {
    let bench = Bench::start();
    bench.double.set_polls(5);
    assert!(matches!(bench.call(&ensure()), CallOutcome::InProgress { .. }));
    let seen = bench.done(&call("observe", 2, inputs()));
    assert_eq!((&seen["exists"], &seen["state"]), (&json!(true), &json!("running")));
    assert_eq!(Mark::read(&bench.only().name).unwrap().generation, 1, "an observation changes nothing");
}

#[test]
fn a_region_is_unchangeable_and_a_plan_change_has_no_effect() {
    let bench = Bench::start();
    let made = bench.done(&ensure());
    let moved = with(inputs(), json!({"region": "us-east-1", "state": "running"}));
    assert_eq!(bench.refused(&call("change", 2, moved.clone())), "unchangeable");
    bench.done(&call("change", 2, with(moved, json!({"state": "suspended"}))));
    bench.done(&change(3, "running"));
    let outputs = bench.done(&call("change", 3, with(inputs(), json!({"plan": "free"}))));
    assert_eq!(outputs, with(made, json!({"state": "running"})));
}

#[test]
fn each_provider_has_its_own_token() {
    let bench =
        Bench::with(|config| host_providers::supabase::Config { token: Some(Secret::new("sbp_wrong")), ..config });
    assert_eq!(bench.refused(&ensure()), "unauthorized");
    assert!(bench.double.projects().is_empty());
}
