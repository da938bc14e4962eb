//! The token endpoint of a registry for images. Real programs use it in the tests of the command line (`serve/pull.rs`); here it is
//! asked in ways in which they do not ask.

use super::raw::Answer;
use super::server::{TestServer, vault};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use host_provider_api::{RegistryToken, RegistryTokens};
use serde_json::json;
use std::sync::Arc;

const SERVICE: &str = "service=registry.example";
const PULL: &str = "service=registry.example&scope=repository:sample-editor:pull&account=any";
/// Tokens of the registry: the grant of a redemption, and one that allows nothing.
const GRANT: &str = "signed-for-the-editor";
const NOTHING: &str = "signed-for-nothing";

struct Signs;

impl RegistryTokens for Signs {
    fn service(&self) -> &'static str {
        "registry.example"
    }

    fn without_access(&self, subject: &str) -> Option<RegistryToken> {
        assert_eq!(subject, "user:ada");
        let issued_at = "2026-01-01T00:00:00Z".to_owned();
        Some(RegistryToken { token: NOTHING.to_owned(), expires_in: 300, issued_at })
    }
}

/// Starts the shop. Ada pays for the editor.
pub fn shop() -> TestServer {
    let api = TestServer::of("saas-plugins").vault(&vault()).with(|it| it.registry = Some(Arc::new(Signs))).start();
    api.answer("account-customer:*", json!({"id": "cus_ada"}));
    let grant = json!({
        "token": GRANT, "service": "registry.example", "repository": "sample-editor", "expires_in": 900,
        "issued_at": "2026-01-01T00:00:00Z",
    });
    api.answer("redeem:*", grant);
    api.stripe(
        "{stripe: customer.subscription.created, id: evt_s, set: {id: sub_1, customer: cus_ada, metadata: {user_id: ada}, \
         price: price_editor_m}}",
    );
    api
}

/// Returns a new token of Ada for one pull.
fn token(api: &TestServer) -> String {
    let body = json!({"product_id": "prod_sample_editor"});
    let issued = api.send("POST /api/docker/pull-token", &api.user("ada"), &body).ok();
    issued["token"].as_str().expect("a token").to_owned()
}

fn request(api: &TestServer, line: &str, authorization: Option<&str>) -> Answer {
    let headers: Vec<(&str, &str)> = authorization.map(|value| ("Authorization", value)).into_iter().collect();
    api.request(line, &headers, b"")
}

/// Asks with a token as the password. Returns the status, and the token of the registry or the code of the problem.
fn ask(api: &TestServer, query: &str, token: &str) -> (u16, String) {
    let basic = format!("Basic {}", STANDARD.encode(format!("any:{token}")));
    let answer = request(api, &format!("GET /api/registry/token?{query}"), Some(&basic));
    let body = &answer.json;
    let text = |name: &str| body[name].as_str().map(str::to_owned);
    if answer.status == 401 {
        let challenge = answer.header("www-authenticate").expect("a challenge");
        assert!(challenge.starts_with("Basic realm="), "{challenge}");
    }
    if answer.status == 200 {
        assert_eq!((&body["token"], answer.header("cache-control")), (&body["access_token"], Some("no-store")));
        assert!(body["expires_in"].is_i64() && body["issued_at"].is_string(), "{body}");
    }
    (answer.status, text("token").or(text("code")).expect("a text"))
}

/// Pulls the editor with a new token.
pub fn pulls(api: &TestServer) {
    assert_eq!(ask(api, PULL, &token(api)), is(200, GRANT));
}

fn is(status: u16, text: &str) -> (u16, String) {
    (status, text.to_owned())
}

// covers: D-46
#[test]
fn a_token_gives_the_granted_part_of_what_is_asked_for_once() {
    let api = shop();
    for (scopes, expected) in [
        ("&scope=repository:sample-editor:pull", GRANT),
        ("&scope=repository:sample-editor:pull,push", GRANT),
        ("&scope=repository:sample-monitor:pull&scope=repository:sample-editor:pull", GRANT),
        ("&scope=repository:sample-monitor:pull", NOTHING),
    ] {
        let (token, query) = (token(&api), format!("{SERVICE}{scopes}"));
        assert_eq!(ask(&api, &query, &token), is(200, expected), "{scopes}");
        assert_eq!(ask(&api, &query, &token), is(401, "token_redeemed"), "{scopes}");
        assert_eq!(ask(&api, SERVICE, &token), is(401, "unauthorized"), "{scopes}: nobody logs in with it any more");
    }
}

#[test]
fn what_pulls_nothing_does_not_use_a_token_up() {
    let api = shop();
    let token = token(&api);
    for query in ["", "&scope=", "&scope=repository:sample-editor:push", "&scope=registry:catalog:*"] {
        assert_eq!(ask(&api, &format!("{SERVICE}{query}"), &token), is(200, NOTHING), "{query}");
    }
    assert_eq!(ask(&api, "service=other.example&scope=repository:sample-editor:pull", &token), is(400, "service"));
    let id = token.split_once('.').expect("an id").0;
    for wrong in [format!("{id}.{}", "0".repeat(64)), format!("{id}x.1"), id.to_owned(), String::new(), api.user("ada")]
    {
        for query in [SERVICE, PULL] {
            assert_eq!(ask(&api, query, &wrong), is(401, "unauthorized"), "{query} with {wrong}");
        }
    }
    let basic = format!("Basic {}", STANDARD.encode(format!("any:{token}")));
    for (line, authorization, status) in [
        ("POST", Some(basic.as_str()), 405),
        ("GET", None, 401),
        ("GET", Some("Basic !"), 401),
        ("GET", Some(&format!("Bearer {token}")), 401),
    ] {
        let answer = request(&api, &format!("{line} /api/registry/token?{PULL}"), authorization);
        assert_eq!(answer.status, status, "{line} {authorization:?}");
    }
    assert_eq!(ask(&api, PULL, &token), is(200, GRANT), "it was kept for this");
}

#[test]
fn a_server_without_a_registry_has_no_endpoint() {
    let api = TestServer::keeping_secrets("saas-plugins");
    assert_eq!(ask(&api, PULL, "tok_0.0"), is(404, "not-found"));
}

#[test]
fn tokens_end_with_their_time_and_with_what_was_paid() {
    let api = shop();
    let (first, second) = (token(&api), token(&api));
    api.ok(
        "POST /api/commands/token.revoke",
        &api.user("ada"),
        &json!({"id": first.split_once('.').expect("an id").0}),
    );
    assert_eq!(ask(&api, PULL, &first), is(401, "token_revoked"));
    assert_eq!(ask(&api, SERVICE, &first), is(401, "unauthorized"));
    api.advance_to(api.now() + 3_600_000);
    assert_eq!(ask(&api, PULL, &second), is(401, "token_expired"), "an hour later");
    assert_eq!(ask(&api, SERVICE, &second), is(401, "unauthorized"));
}
