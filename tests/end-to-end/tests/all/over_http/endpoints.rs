//! Webhook endpoints over HTTP: who may manage which, and what is shown of them.

use super::server::{NOTHING, TestServer};
use extension_contract::{Account, ActorKind};
use host_identity::access::{Reach, Token};
use serde_json::{Value, json};

const URL: &str = "https://hooks.example/in";

#[test]
fn everybody_manages_the_endpoints_of_the_own_accounts_only() {
    let api = TestServer::start("solobase");
    let (ada, eve, root) = (api.user("ada"), api.user("eve"), api.operator());
    let [owner, member] = [&["owner"], &["member"]].map(|roles| api.member("bob", "acme", roles));
    let make = "POST /api/endpoints";
    let own = api.ok(make, &ada, &json!({"url": URL, "types": ["instance.created"], "description": "mine"}));
    assert_eq!(
        (&own["account"], &own["status"], &own["types"]),
        (&json!("user:ada"), &json!("enabled"), &json!(["instance.created"]))
    );
    let of_all = api.ok(make, &root, &json!({"url": URL}));
    assert_eq!(of_all["account"], Value::Null, "an operator gets the events of all accounts");
    let of_acme = api.ok(&format!("{make}?account=organization:acme"), &owner, &json!({"url": URL}));
    assert_eq!(of_acme["account"], json!("organization:acme"));
    assert_eq!(
        api.refused(&format!("{make}?account=organization:acme"), &member, &json!({"url": URL})),
        (403, "forbidden".into())
    );
    assert_eq!(api.refused(&format!("{make}?account=user:ada"), &eve, &json!({"url": URL})), (403, "forbidden".into()));
    assert_eq!(api.refused(make, "", &json!({"url": URL})), (401, "unauthorized".into()));
    for (method, rest, body) in [
        ("GET", "", NOTHING.clone()),
        ("PATCH", "", json!({"description": "x"})),
        ("DELETE", "", NOTHING.clone()),
        ("POST", "/rotate", json!({})),
        ("POST", "/test", json!({})),
        ("POST", "/resend", json!({})),
        ("GET", "/deliveries", NOTHING.clone()),
        ("POST", "/deliveries/msg_1/resend", json!({})),
    ] {
        let line = |id: &Value| format!("{method} /api/endpoints/{}{rest}", id.as_str().expect("an id"));
        // An endpoint of others and an unknown one look alike.
        let unknown = api.send(&line(&json!("ep_0")), &eve, &body);
        for other in [&own, &of_all, &of_acme] {
            let answer = api.send(&line(&other["id"]), &eve, &body);
            assert_eq!((answer.status, &answer.body), (404, &unknown.body), "{method} {rest}");
        }
        assert_eq!(api.refused(&line(&of_acme["id"]), &member, &body), (404, "not-found".into()), "{method} {rest}");
    }
    let ids = |key: &str| -> Vec<Value> {
        let all = api.ok("GET /api/endpoints", key, &NOTHING);
        all["endpoints"].as_array().expect("endpoints").iter().map(|row| row["id"].clone()).collect()
    };
    assert_eq!(ids(&ada), [own["id"].clone()]);
    assert_eq!(ids(&root).len(), 3);
}

#[test]
fn an_endpoint_is_changed_disabled_rotated_and_deleted() {
    let api = TestServer::start("solobase");
    let ada = api.user("ada");
    let made = api.ok("POST /api/endpoints", &ada, &json!({"url": URL}));
    let secret = made["secret"].as_str().expect("a secret");
    assert!(secret.starts_with("whsec_"), "{secret}");
    let path = format!("/api/endpoints/{}", made["id"].as_str().expect("an id"));
    let seen = api.ok(&format!("GET {path}"), &ada, &NOTHING);
    assert!(seen["secret"].is_null(), "it is shown once");
    for (body, pointer) in [
        (json!({"url": "http://hooks.example/in"}), "/url"),
        (json!({"types": ["instance.created", "no.type"]}), "/types/1"),
        (json!({"description": "x".repeat(501)}), "/description"),
        (json!({"status": "asleep"}), "/status"),
        (json!({"secret": "whsec_mine"}), "/secret"),
    ] {
        let answer = api.send(&format!("PATCH {path}"), &ada, &body);
        assert_eq!(answer.status, 422, "{answer:?}");
        assert!(answer.body.contains(&format!("\"pointer\":\"{pointer}\"")), "{answer:?}");
    }
    let changed = json!({"url": "https://hooks.example/new", "types": ["invoice.updated"], "status": "disabled"});
    let changed = api.ok(&format!("PATCH {path}"), &ada, &changed);
    assert_eq!((&changed["url"], &changed["status"]), (&json!("https://hooks.example/new"), &json!("disabled")));
    assert!(changed["disabled_at"].is_string());
    let enabled = api.ok(&format!("PATCH {path}"), &ada, &json!({"status": "enabled"}));
    assert_eq!((&enabled["status"], &enabled["types"]), (&json!("enabled"), &json!(["invoice.updated"])));
    let log = api.ok(&format!("GET {path}/deliveries"), &ada, &NOTHING);
    assert_eq!(log["deliveries"][0]["type"], json!("endpoint.recovered"), "{log}");
    assert_eq!(api.refused(&format!("GET {path}/deliveries?state=lost"), &ada, &NOTHING), (400, "query".into()));
    let rotated = api.ok(&format!("POST {path}/rotate"), &ada, &json!({}));
    assert_ne!(rotated["secret"].as_str(), Some(secret));
    api.ok(&format!("DELETE {path}"), &ada, &NOTHING);
    assert_eq!(api.refused(&format!("GET {path}"), &ada, &NOTHING), (404, "not-found".into()));
    for _ in 0..5 {
        api.ok("POST /api/endpoints", &ada, &json!({"url": URL}));
    }
    assert_eq!(api.refused("POST /api/endpoints", &ada, &json!({"url": URL})), (409, "too-many-endpoints".into()));
    api.ok("POST /api/endpoints", &api.operator(), &json!({"url": URL}));
    api.ok("POST /api/endpoints", &api.user("bob"), &json!({"url": URL}));
}

/// Eve uses all endpoints that she may have. Nobody else has fewer.
#[test]
fn one_customer_does_not_use_up_the_endpoints_of_others() {
    let api = TestServer::start("solobase");
    let accounts: Vec<Account> = (0..5).map(|number| Account::Organization(format!("choir{number}"))).collect();
    let eve = api.key(ActorKind::User, "eve", &["owner"], Reach::Accounts(accounts.clone()));
    let make = |account: &Account| {
        let answer = api.send(&format!("POST /api/endpoints?account={account}"), &eve, &json!({"url": URL}));
        (answer.status, answer)
    };
    for account in &accounts[..4] {
        let made: Vec<u16> = (0..6).map(|_| make(account).0).collect();
        assert_eq!(made, [201, 201, 201, 201, 201, 409], "five of an account");
    }
    let (status, answer) = make(&accounts[4]);
    assert_eq!((status, answer.code()), (409, "too-many-endpoints"), "twenty of a maker");
    assert!(answer.body.contains("of one maker"), "{answer:?}");
    for number in 0..40 {
        api.ok("POST /api/endpoints", &api.user(&format!("user{number}")), &json!({"url": URL}));
    }
    api.ok("POST /api/endpoints", &api.operator(), &json!({"url": URL}));
    api.ok("POST /api/endpoints", &api.service(), &json!({"url": URL}));
}

#[test]
fn an_endpoint_names_its_maker_and_says_why_it_is_disabled() {
    let api = TestServer::start("solobase");
    let (ada, root) = (api.user("ada"), api.operator());
    let id = |key: &str| json!(Token::parse(key).expect("a key").id());
    let made = api.ok("POST /api/endpoints", &ada, &json!({"url": URL}));
    assert_eq!((&made["maker"], &made["disabled_reason"]), (&id(&ada), &Value::Null));
    let line = format!("PATCH /api/endpoints/{}", made["id"].as_str().expect("an id"));
    let disabled = api.ok(&line, &root, &json!({"status": "disabled"}));
    assert_eq!(disabled["disabled_reason"], json!("person"));
    let enabled = api.ok(&line, &root, &json!({"status": "enabled"}));
    assert_eq!((&enabled["maker"], &enabled["disabled_reason"]), (&id(&ada), &Value::Null), "it stays ada's");
}

#[test]
fn a_rotation_that_is_sent_twice_with_one_key_is_one_rotation() {
    let api = TestServer::start("solobase");
    let ada = api.user("ada");
    let made = api.ok("POST /api/endpoints", &ada, &json!({"url": URL}));
    let line = format!("POST /api/endpoints/{}/rotate", made["id"].as_str().expect("an id"));
    let rotate = |key: &str| api.send_with(&line, &ada, &[("Idempotency-Key", key)], &json!({})).ok()["secret"].clone();
    let first = rotate("r-1");
    assert_ne!(first, made["secret"]);
    assert_eq!(rotate("r-1"), first, "the answer was lost, and the client asks again");
    assert_ne!(rotate("r-2"), first);
    for _ in 0..2 {
        api.ok(&line, &ada, &json!({}));
    }
    assert_eq!(api.refused(&line, &ada, &json!({})), (409, "too-many-secrets".into()), "each would sign each message");
}
