//! Refusals and temporary errors of the API.

use crate::supabase::bench::{Bench, call, change, ensure, inputs, with};
use counterparts::{Fault, Project};
use host_provider_api::{Call, CallOutcome};
use host_providers::supabase::Config;
use serde_json::json;

#[test]
fn a_missing_token_is_refused_without_a_request() {
    let bench = Bench::with(|config| Config { token: None, ..config });
    assert_eq!(bench.refused(&ensure()), "not-configured");
    assert!(bench.proxy.seen().is_empty());
}

#[test]
fn a_project_limit_is_refused_until_it_is_raised() {
    let bench = Bench::start();
    bench.double.set_most(0);
    assert_eq!(bench.refused(&ensure()), "quota-exceeded");
    assert!(bench.double.projects().is_empty());
    bench.double.set_most(1);
    bench.done(&ensure());
    bench.done(&change(2, "suspended"));
    let other = Call { key: "orch_other/database/ensure".to_owned(), ..ensure() };
    bench.done(&other);
    assert_eq!(bench.refused(&change(3, "running")), "quota-exceeded", "a paused project does not count until it runs");
}

#[test]
fn each_status_is_refused_or_retried() {
    let bench = Bench::start();
    let ask = |fault: Fault| {
        bench.proxy.clear();
        bench.proxy.fail_nth(0, fault);
        bench.call(&ensure())
    };
    for (status, code) in
        [(400, "status-400"), (401, "unauthorized"), (402, "quota-exceeded"), (403, "status-403"), (404, "not-found")]
    {
        let answer = ask(Fault::Status(status, None));
        assert!(matches!(&answer, CallOutcome::Refused { code: found, .. } if found == code), "{status}: {answer:?}");
    }
    for status in [408, 409, 429, 500, 502, 503] {
        let answer = ask(Fault::Status(status, Some(9)));
        assert!(matches!(answer, CallOutcome::Retry { after_ms: Some(9_000), .. }), "{status}: {answer:?}");
        assert!(matches!(ask(Fault::Status(status, None)), CallOutcome::Retry { after_ms: None, .. }), "{status}");
    }
    assert!(matches!(ask(Fault::Status(307, None)), CallOutcome::Retry { .. }));
    assert!(bench.double.projects().is_empty());
}

#[test]
fn a_too_large_list_is_not_read() {
    let bench = Bench::start();
    bench.double.put(Project::ready(
        "zzzzzzzzzzzzzzzzzzzz",
        crate::supabase::bench::ORGANIZATION,
        &"x".repeat(200_000),
    ));
    let answer = bench.call(&ensure());
    assert!(matches!(&answer, CallOutcome::Retry { code, .. } if code == "answer-too-large"), "{answer:?}");
}

#[test]
fn a_token_repeated_by_the_api_is_not_reported() {
    // `Bench::call` searches every answer for tokens; the double repeats the header that it refuses.
    let bench =
        Bench::with(|config| Config { token: Some(host_provider_api::Secret::new("sbp_another_token")), ..config });
    let CallOutcome::Refused { code, message } = bench.call(&ensure()) else { panic!("refused") };
    assert_eq!(code, "unauthorized");
    assert!(!message.contains("another_token"), "{message}");
}

// covers: D-65
#[test]
fn a_foreign_or_missing_organization_is_refused() {
    let bench = Bench::with(|config| Config { organization: None, ..config });
    assert_eq!(bench.refused(&call("ensure", 1, json!({"name": "acme"}))), "bad-payload");
    for (organization, code) in [("org-2", "status-403"), ("a/../b", "bad-payload")] {
        let payload = with(inputs(), json!({"organization": organization}));
        assert_eq!(bench.refused(&call("ensure", 1, payload)), code);
    }
}

#[test]
fn verbs_that_the_api_lacks_are_unsupported() {
    let bench = Bench::start();
    for verb in ["backup", "restore", "migrate", "seed"] {
        assert_eq!(bench.refused(&call(verb, 1, inputs())), "unsupported");
    }
    assert_eq!(bench.refused(&Call { kind: "bucket.ensure".to_owned(), ..ensure() }), "unsupported");
    assert_eq!(bench.refused(&call("change", 1, json!({"state": "asleep"}))), "bad-payload");
    assert!(bench.proxy.seen().is_empty());
}
