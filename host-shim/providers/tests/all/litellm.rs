//! The provider on the spend log of a LiteLLM proxy, by its published API.

use counterparts::LiteLlm as Proxy;
use host_provider_api::{Call, CallOutcome, Provider, Secret};
use host_providers::litellm::{Config, Identify, LiteLlm};
use serde_json::{Value, json};

fn provider(proxy: &Proxy) -> LiteLlm {
    LiteLlm::new(Config::new(&proxy.url(), Secret::new(Proxy::KEY)))
}

fn pull(user: &str, page: u32, size: u32) -> Value {
    json!({
        "user": user, "from": "2026-01-01T23:00:00Z", "to": "2026-01-03T12:00:00.5Z", "page": page, "size": size,
        "quantities": ["input", "output"], "attributes": ["agent", "model"],
    })
}

fn ask(provider: &LiteLlm, payload: Value) -> CallOutcome {
    provider.call(&Call { kind: "usage.pull".to_owned(), payload, ..Call::default() })
}

fn done(outcome: CallOutcome) -> Value {
    match outcome {
        CallOutcome::Done(output) => output,
        other => panic!("{other:?}"),
    }
}

fn refused(outcome: CallOutcome) -> (String, String) {
    match outcome {
        CallOutcome::Refused { code, message, .. } => (code, message),
        other => panic!("{other:?}"),
    }
}

fn ids(page: &Value) -> Vec<&str> {
    page["requests"].as_array().expect("a list").iter().filter_map(|request| request["id"].as_str()).collect()
}

// covers: TES-29, TES-63
#[test]
fn a_page_has_the_requests_of_one_user_with_input_and_output_apart() {
    let proxy = Proxy::start();
    proxy.log(
        "r2",
        "ada",
        "2026-01-03T10:00:00.250Z",
        "large",
        (100, 20),
        &json!({"request_tags": ["team:a", "agent:agent_quill"]}),
    );
    proxy.log("r1", "ada", "2026-01-02T10:00:00Z", "small", (7, 0), &json!({"request_tags": "[\"agent:agent_lint\"]"}));
    proxy.log("before", "ada", "2026-01-01T22:59:59Z", "large", (1, 1), &json!({}));
    proxy.log("failed", "ada", "2026-01-02T11:00:00Z", "large", (0, 0), &json!({"status": "failure"}));
    proxy.log("other", "bob", "2026-01-02T12:00:00Z", "large", (5, 5), &json!({}));
    let page = done(ask(&provider(&proxy), pull("ada", 1, 50)));
    let expected = json!({
        "requests": [
            {"id": "r1", "at": "2026-01-02T10:00:00Z", "quantities": {"input": 7, "output": 0},
             "attributes": {"model": "small", "agent": "agent_lint"}},
            {"id": "r2", "at": "2026-01-03T10:00:00.25Z", "quantities": {"input": 100, "output": 20},
             "attributes": {"model": "large", "agent": "agent_quill"}},
        ],
        "more": false,
    });
    assert_eq!(page, expected);
    assert_eq!(
        proxy.queries(),
        [
            "user_id=ada&start_date=2026-01-01%2023%3A00%3A00&end_date=2026-01-03%2012%3A00%3A00&page=1&page_size=50&sort_by=startTime\
         &sort_order=asc&status_filter=success"
        ]
    );
}

#[test]
fn the_pages_have_each_request_once() {
    let proxy = Proxy::start();
    for number in 0..5 {
        proxy.log(&format!("r{number}"), "a b&c", &format!("2026-01-02T10:00:0{number}Z"), "large", (1, 1), &json!({}));
    }
    let provider = provider(&proxy);
    let pages: Vec<Value> = (1..=3).map(|page| done(ask(&provider, pull("a b&c", page, 2)))).collect();
    assert_eq!(pages.iter().flat_map(ids).collect::<Vec<_>>(), ["r0", "r1", "r2", "r3", "r4"]);
    assert_eq!(pages.iter().map(|page| &page["more"]).collect::<Vec<_>>(), [&json!(true), &json!(true), &json!(false)]);
}

#[test]
fn requests_for_end_users_are_found_by_their_column() {
    let proxy = Proxy::start();
    proxy.log("r1", "service", "2026-01-02T10:00:00Z", "large", (1, 2), &json!({"end_user": "ada", "model_group": ""}));
    let config = Config { identify: Identify::EndUser, ..Config::new(&proxy.url(), Secret::new(Proxy::KEY)) };
    let page = done(ask(&LiteLlm::new(config), pull("ada", 1, 50)));
    assert_eq!(page["requests"][0]["attributes"], json!({"model": "openai/large"}), "without a public name");
    assert!(proxy.queries()[0].starts_with("end_user=ada&"));
}

#[test]
fn the_use_of_another_user_is_never_counted() {
    let proxy = Proxy::start();
    proxy.log("r1", "ada", "2026-01-02T10:00:00Z", "large", (1, 2), &json!({}));
    proxy.log("r2", "bob", "2026-01-02T11:00:00Z", "large", (1, 2), &json!({}));
    proxy.leak();
    let (code, message) = refused(ask(&provider(&proxy), pull("ada", 1, 50)));
    assert_eq!(code, "bad-log");
    assert!(message.contains("request 2 is of another user") && !message.contains("bob"), "{message}");
}

#[test]
fn a_failing_proxy_is_asked_again_and_a_refusing_one_is_not() {
    let proxy = Proxy::start();
    let provider = provider(&proxy);
    for (status, retried) in
        [(500, true), (503, true), (429, true), (400, false), (401, false), (404, false), (302, false)]
    {
        proxy.fail_next(&[status]);
        let outcome = ask(&provider, pull("ada", 1, 50));
        assert_eq!(matches!(outcome, CallOutcome::Retry { .. }), retried, "{status}: {outcome:?}");
        assert!(!format!("{outcome:?}").contains(Proxy::KEY), "{outcome:?}");
    }
    let wrong = LiteLlm::new(Config::new(&proxy.url(), Secret::new("sk-wrong")));
    assert_eq!(refused(ask(&wrong, pull("ada", 1, 50))).0, "unauthorized");
    let gone = LiteLlm::new(Config::new("http://127.0.0.1:1", Secret::new(Proxy::KEY)));
    assert!(matches!(ask(&gone, pull("ada", 1, 50)), CallOutcome::Retry { .. }));
}

#[test]
fn a_row_of_another_form_refuses_the_page() {
    for (member, value) in [
        ("prompt_tokens", json!(-1)),
        ("completion_tokens", json!(1.5)),
        ("request_id", json!("")),
        ("request_id", json!("r".repeat(201))),
        ("startTime", json!("2026-01-02T25:00:00Z")),
    ] {
        let proxy = Proxy::start();
        proxy.log("r1", "ada", "2026-01-02T10:00:00Z", "large", (1, 2), &json!({}));
        proxy.log("r2", "ada", "2026-01-02T11:00:00Z", "large", (1, 2), &json!({member: value}));
        let (code, message) = refused(ask(&provider(&proxy), pull("ada", 1, 50)));
        assert_eq!(code, "bad-log", "{member}");
        assert!(message.contains("expected") || message.contains("another form"), "{message}");
    }
}

#[test]
fn a_wrong_payload_sends_nothing() {
    let proxy = Proxy::start();
    let provider = provider(&proxy);
    for (member, value) in [
        ("user", json!("")),
        ("user", Value::Null),
        ("from", json!("yesterday")),
        ("size", json!(0)),
        ("size", json!(101)),
        ("page", json!(0)),
        ("quantities", json!(["input", "images"])),
    ] {
        let mut payload = pull("ada", 1, 50);
        payload[member] = value;
        assert_eq!(refused(ask(&provider, payload)).0, "bad-payload", "{member}");
    }
    let other = provider.call(&Call { kind: "usage.push".to_owned(), payload: pull("ada", 1, 50), ..Call::default() });
    assert_eq!(refused(other).0, "unsupported");
    assert_eq!(proxy.queries(), [""; 0]);
}
