//! Users register, log in and log out over HTTP, and use the API with the token of their session.

use super::raw::Answer;
use super::server::{NOTHING, TestServer};
use host_provider_api::scripted::ScriptedAnswer;
use serde_json::json;

const PASSWORD: &str = "correct horse battery";

fn register(api: &TestServer, email: &str) -> Answer {
    api.send("POST /api/auth/register", "", &json!({"email": email, "password": PASSWORD}))
}

fn log_in(api: &TestServer, email: &str, password: &str) -> Answer {
    api.send("POST /api/auth/login", "", &json!({"email": email, "password": password}))
}

fn token(answer: &Answer) -> String {
    answer.json["token"].as_str().expect("a token").to_owned()
}

/// Returns the number of events of a kind in the log.
fn told(api: &TestServer, kind: &'static str) -> usize {
    api.with_host(move |host| {
        let events = host.processor().inbox_after(0, 1000).expect("read");
        events.iter().filter(|row| row.event.kind == kind).count()
    })
}

// covers: PLG-20, PLG-21, PLG-70, PLG-74
#[test]
fn a_user_registers_and_uses_the_api_with_the_token() {
    let api = TestServer::start("saas-plugins");
    let registered = register(&api, "Ada@Example.com");
    assert_eq!(registered.status, 201, "{registered:?}");
    let body = registered.json.clone();
    assert_eq!((&body["user"]["email"], &body["user"]["is_operator"]), (&json!("ada@example.com"), &json!(false)));
    assert!(!registered.body.contains(PASSWORD) && !registered.body.contains("argon2"));
    let first = token(&registered);
    assert_eq!(api.get("/api/subscriptions/me", &first), json!({"subscriptions": []}), "the token is the user's key");
    assert_eq!(api.send("GET /api/campaigns", &first, &NOTHING).code(), "forbidden", "a user is not an operator");
    let taken = register(&api, "ada@example.com");
    assert_eq!((taken.status, taken.code()), (409, "email-taken"));
    for (body, pointer) in [
        (json!({"email": "bob@example.com", "password": "short"}), "/password"),
        (json!({"email": "bob", "password": PASSWORD}), "/email"),
        (json!({"email": "bob@example.com"}), "/password"),
        (json!({"email": "bob@example.com", "password": PASSWORD, "is_operator": true}), "/is_operator"),
    ] {
        let refused = api.send("POST /api/auth/register", "", &body);
        assert_eq!((refused.status, refused.code()), (422, "invalid"), "{body}");
        assert!(refused.body.contains(&format!("\"pointer\":\"{pointer}\"")), "{}", refused.body);
    }
    let [wrong, unknown] = [("ada@example.com", "wrong horse battery"), ("bob@example.com", PASSWORD)]
        .map(|(email, password)| log_in(&api, email, password));
    assert_eq!((wrong.status, wrong.code()), (401, "wrong-credentials"));
    assert_eq!(wrong.body, unknown.body, "nobody learns which addresses are registered");
    let second = token(&log_in(&api, "ADA@example.com", PASSWORD));
    let me = api.get("/api/auth/me", &second);
    let mut shown = body["user"].clone();
    shown["has_password"] = json!(true);
    assert_eq!(me, shown);
    assert_eq!((told(&api, "user.registered"), told(&api, "account.register")), (1, 1), "the business is told once");
}

// covers: PLG-70
#[test]
fn a_token_that_is_changed_has_ended_or_is_of_another_business_is_refused() {
    let api = TestServer::start("saas-plugins");
    let [first, second] =
        [token(&register(&api, "ada@example.com")), token(&log_in(&api, "ada@example.com", PASSWORD))];
    let status = |token: &str| api.send("GET /api/subscriptions/me", token, &NOTHING).status;
    assert_eq!((status(&first), status(&second)), (200, 200));
    let mut changed = first.clone().into_bytes();
    let at = first.find('.').expect("a dot") + 10;
    changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
    let changed = String::from_utf8(changed).expect("letters");
    let foreign = token(&register(&TestServer::start("tesslate"), "ada@example.com"));
    for wrong in [changed.as_str(), &foreign, &first[..first.len() - 2], "a.b.c", ".."] {
        let refused = api.send("GET /api/subscriptions/me", wrong, &NOTHING);
        assert_eq!((refused.status, refused.code()), (401, "unauthorized"), "{wrong}");
        assert_eq!(api.send("GET /api/auth/me", wrong, &NOTHING).status, 401);
    }
    assert_eq!(api.send("POST /api/auth/logout", &first, &NOTHING).status, 200);
    assert_eq!((status(&first), status(&second)), (401, 200), "only this session has ended");
    api.advance_to(api.now() + 14 * 86_400_000);
    assert_eq!(status(&second), 401, "it has expired");
    let keys = api.get("/.well-known/jwks.json", "");
    assert_eq!((&keys["keys"][0]["kty"], &keys["keys"][0]["crv"]), (&json!("OKP"), &json!("Ed25519")));
    assert!(keys["keys"][0]["d"].is_null(), "only the public part");
}

// covers: TES-56
#[test]
fn a_registration_makes_the_customer_and_does_not_wait_for_it() {
    let api = TestServer::start("tesslate");
    let fails = ScriptedAnswer::Retryable { code: "down".into(), message: "later".into() };
    api.script("account-customer:*", vec![fails, ScriptedAnswer::Ok(json!({"id": "cus_ada"}))]);
    let registered = register(&api, "ada@example.com");
    assert_eq!(registered.status, 201, "Stripe does not answer, and the user is registered");
    let id = registered.json["user"]["id"].as_str().expect("an id").to_owned();
    api.advance_to(api.now() + 3_600_000);
    let claim = api.with_host(move |host| {
        let store = host.processor().store();
        host_engine::read::holder(store, host.processor().partition(), "stripe-customer:cus_ada").expect("read")
    });
    assert_eq!(claim.map(|account| account.to_string()), Some(format!("user:{id}")), "it was tried again");
    assert_eq!(told(&api, "user.registered"), 0, "the business does not declare the fact");
}

// covers: PLG-73
#[test]
fn only_pages_of_the_business_may_call_the_api_from_a_browser() {
    let api = TestServer::start("saas-plugins");
    let ask = |line: &str, origin: &str| {
        let headers = [("Origin", origin), ("Access-Control-Request-Method", "POST")];
        api.request(line, &headers, b"")
    };
    for line in ["OPTIONS /api/stripe/checkout", "GET /api/subscriptions/me", "GET /api/products", "GET /nowhere"] {
        let own = ask(line, "https://plugins.example");
        assert_eq!(own.header("access-control-allow-origin"), Some("https://plugins.example"), "{line}");
        for foreign in
            ["https://evil.example", "http://plugins.example", "https://plugins.example.evil.example", "null"]
        {
            let answer = ask(line, foreign);
            assert_eq!(answer.header("access-control-allow-origin"), None, "{line} from {foreign}");
        }
    }
    let asked = ask("OPTIONS /api/stripe/checkout", "https://plugins.example");
    let allowed = asked.header("access-control-allow-headers").expect("headers");
    assert!(allowed.contains("authorization") && allowed.contains("idempotency-key"), "{allowed}");
    assert_eq!(asked.header("access-control-allow-credentials"), None, "no cookies");
}

// covers: PLG-72, PLG-74
#[test]
fn the_eleventh_login_in_a_minute_is_refused() {
    let api = TestServer::of("saas-plugins").limits(|limits| limits.logins = 10).start();
    for attempt in 0..10 {
        assert_eq!(log_in(&api, &format!("user{attempt}@example.com"), PASSWORD).status, 401, "attempt {attempt}");
    }
    for refused in [log_in(&api, "other@example.com", PASSWORD), register(&api, "other@example.com")] {
        assert_eq!((refused.status, refused.code()), (429, "too-many-requests"), "one address");
        let wait: u64 = refused.header("retry-after").and_then(|wait| wait.parse().ok()).expect("seconds");
        assert!((1..=6).contains(&wait), "{wait}");
    }
}
