//! The operator's API: what happened, what is stuck, and what an account has.

use super::server::{NOTHING, TestServer};
use super::webhooks::event;
use serde_json::{Value, json};

/// Reports measurements of a meter that does not exist, which the extension rejects.
fn report_nonsense(served: &TestServer, id: &str, key: &str) {
    let usage = json!([{"id": "m_1", "meter": "nonsense", "quantity": 1, "at": "2026-01-01T00:00:00Z"}]);
    let event = json!({"id": id, "account": "user:ada", "timestamp": "2026-01-01T00:00:00Z", "usage": usage});
    let answer = served.send("POST /api/events", key, &event);
    assert!((400..500).contains(&answer.status), "{answer:?}");
}

#[test]
fn an_operator_sees_events_with_their_runs_and_runs_them_again() {
    let served = TestServer::start("solobase");
    let admin = served.operator();
    for id in ["pe_1", "pe_2", "pe_3"] {
        report_nonsense(&served, id, &admin);
    }
    let all = served.get("/api/operator/events?account=user:ada", &admin);
    let ids: Vec<&str> =
        all["events"].as_array().expect("a list").iter().map(|it| it["id"].as_str().expect("an id")).collect();
    assert_eq!(ids, ["pe_1", "pe_2", "pe_3"]);
    assert_eq!(all["next"], Value::Null);
    let first = served.get("/api/operator/events?account=user:ada&limit=2", &admin);
    assert_eq!(first["events"].as_array().map(Vec::len), Some(2));
    let rest = served.get(&format!("/api/operator/events?account=user:ada&limit=2&after={}", first["next"]), &admin);
    assert_eq!(rest["events"][0]["id"], "pe_3");
    assert_eq!(served.get("/api/operator/events?state=dead", &admin)["events"], json!([]));
    let seq = rest["events"][0]["seq"].as_u64().expect("a number");
    let one = served.get(&format!("/api/operator/events/{seq}"), &admin);
    assert_eq!((&one["outcome"], &one["state"]), (&json!("rejected"), &json!("done")), "{one}");
    assert_eq!(one["runs"].as_array().map(Vec::len), Some(1), "{one}");
    assert_eq!(one["payload"]["usage"][0]["meter"], "nonsense", "{one}");
    let again = served.send(&format!("POST /api/operator/events/{seq}/redrive"), &admin, &NOTHING);
    assert_eq!(again.status, 200, "{again:?}");
    let one = served.get(&format!("/api/operator/events/{seq}"), &admin);
    assert_eq!(one["runs"].as_array().map(Vec::len), Some(2), "a rejected event runs again: {one}");
    for (path, status) in [
        ("/api/operator/events/999999", 404),
        ("/api/operator/events?state=lost", 400),
        ("/api/operator/events?limit=0", 400),
        ("/api/operator/events?lmit=1", 400),
    ] {
        assert_eq!(served.send(&format!("GET {path}"), &admin, &NOTHING).status, status, "{path}");
    }
}

#[test]
fn an_operator_sees_accounts_with_their_rows_and_effects() {
    let served = TestServer::start("solobase");
    let admin = served.operator();
    let register = json!({"email": "ada@example.com"});
    let line = "POST /api/commands/account.register?account=user:ada";
    assert_eq!(served.send(line, &admin, &register).status, 200);
    served.settle();
    let accounts = served.get("/api/operator/accounts?search=ada", &admin);
    assert_eq!(accounts["accounts"], json!([{"account": "user:ada", "name": null, "email": null}]));
    assert_eq!(accounts, served.get("/api/operator/accounts?search=ADA", &admin), "in any case");
    assert_eq!(served.get("/api/operator/accounts?search=eve", &admin)["accounts"], json!([]));
    let account = served.get("/api/operator/accounts/user:ada", &admin);
    assert!(account["revision"].as_u64().is_some_and(|revision| revision > 0), "{account}");
    assert!(account["rows"].as_object().is_some_and(|rows| rows.contains_key("claims")), "{account}");
    let effects = served.get("/api/operator/effects?account=user:ada", &admin);
    let effect = &effects["effects"][0];
    assert_eq!(
        (&effect["kind"], &effect["state"]),
        (&json!("stripe.customer.create"), &json!("finished")),
        "{effects}"
    );
    let unknown = served.send("GET /api/operator/accounts/user:nobody", &admin, &NOTHING);
    assert_eq!((unknown.status, unknown.code()), (404, "not-found"));
}

/// The rows of an account come in pages, however many there are.
#[test]
fn an_operator_reads_the_rows_of_an_account_in_pages() {
    let served = TestServer::start("solobase");
    let admin = served.operator();
    let register = json!({"email": "ada@example.com"});
    let line = "POST /api/commands/account.register?account=user:ada";
    assert_eq!(served.send(line, &admin, &register).status, 200);
    served.settle();
    let path = "/api/operator/accounts/user:ada";
    let whole = served.get(path, &admin);
    assert_eq!(whole["next"], json!({}));
    let mut pages = 0;
    for (section, rows) in whole["rows"].as_object().expect("sections") {
        let (mut seen, mut after) = (serde_json::Map::new(), String::new());
        loop {
            let page = served.get(&format!("{path}?section={section}&limit=1{after}"), &admin);
            let found = page["rows"][section].as_object().expect("rows").clone();
            assert!(found.len() <= 1, "{page}");
            (seen, pages) = (seen.into_iter().chain(found).collect(), pages + 1);
            let Some(next) = page["next"][section].as_str() else { break };
            after = format!("&after={}", next.replace('/', "%2F").replace(':', "%3A"));
        }
        assert_eq!(json!(seen), *rows, "{section}");
    }
    assert!(pages > whole["rows"].as_object().map_or(0, serde_json::Map::len), "some sections have several pages");
    let first = served.get(&format!("{path}?limit=1"), &admin);
    assert!(first["next"].as_object().is_some_and(|next| !next.is_empty()), "{first}");
    let wrong = served.send(&format!("GET {path}?after=x"), &admin, &NOTHING);
    assert_eq!((wrong.status, wrong.code()), (400, "query"));
}

#[test]
fn only_an_operator_may_use_the_api_and_read_the_metrics() {
    let served = TestServer::start("solobase");
    let paths = [
        "GET /api/operator/events",
        "GET /api/operator/events/1",
        "POST /api/operator/events/1/redrive",
        "GET /api/operator/effects",
        "GET /api/operator/accounts",
        "GET /api/operator/accounts/user:ada",
        "GET /metrics",
    ];
    for key in [served.user("ada"), served.service()] {
        for path in paths {
            let answer = served.send(path, &key, &NOTHING);
            assert_eq!((answer.status, answer.code()), (403, "forbidden"), "{path}");
        }
    }
    for path in paths {
        assert_eq!(served.send(path, "key_0", &NOTHING).status, 401, "{path}");
    }
    let admin = served.operator();
    let clock = served.send("POST /api/operator/clock", &admin, &json!({"advance": "1d"}));
    assert_eq!(clock.status, 404, "the clock moves only in local mode");
}

#[test]
fn the_metrics_count_what_happened_and_name_no_account() {
    let served = TestServer::start("solobase");
    let admin = served.operator();
    report_nonsense(&served, "pe_1", &admin);
    served.send_with("POST /api/webhooks/stripe", &admin, &[("Stripe-Signature", "t=1,v1=00")], &json!({}));
    let register = json!({"email": "ada@example.com"});
    served.send("POST /api/commands/account.register?account=user:ada", &admin, &register);
    served.settle();
    let answer = served.send("GET /metrics", &admin, &NOTHING);
    let value = |line: &str| {
        let found = answer.body.lines().find_map(|it| it.strip_prefix(line)?.trim().parse::<u64>().ok());
        found.unwrap_or_else(|| panic!("no {line} in {}", answer.body))
    };
    let site = r#"business="solobase",mode="test""#;
    assert_eq!(value(&format!(r#"provisioner_events_total{{{site},source="api",outcome="rejected"}}"#)), 1);
    assert_eq!(value(&format!(r#"provisioner_calls_total{{{site},kind="stripe.customer.create",result="done"}}"#)), 1);
    let refused = answer.body.lines().filter(|line| line.starts_with("provisioner_deliveries_refused_total")).count();
    assert_eq!(refused, 1, "{}", answer.body);
    assert_eq!(value(r#"provisioner_requests_total{route="/api/commands/{name}",status="200"}"#), 1);
    assert!(!answer.body.contains("ada"), "{}", answer.body);
}

// covers: S70
#[test]
fn an_event_of_a_type_that_nothing_handles_is_counted_by_its_type() {
    let served = TestServer::start("solobase");
    let admin = served.operator();
    for (id, kind) in
        [("evt_1", "radar.early_fraud_warning.created"), ("evt_2", "moon.landed"), ("evt_3", "moon.landed")]
    {
        let body = String::from_utf8(event(id)).expect("a text").replace("customer.updated", kind);
        let answer = served.deliver(body.as_bytes());
        assert_eq!(answer.status, 200, "{}", answer.body);
    }
    served.settle();
    let answer = served.send("GET /metrics", &admin, &NOTHING);
    for (kind, count) in [("radar.early_fraud_warning.created", 1), ("moon.landed", 2)] {
        let line = format!(
            r#"provisioner_unhandled_events_total{{business="solobase",mode="test",source="stripe",type="{kind}"}} {count}"#
        );
        assert!(answer.body.lines().any(|found| found == line), "{line} in {}", answer.body);
    }
}

/// Returns the only open effect of a kind.
fn open_effect(served: &TestServer, kind: &str, key: &str) -> Value {
    let effects = served.get("/api/operator/effects", key);
    let open = effects["effects"].as_array().expect("a list").iter().find(|effect| effect["kind"] == kind);
    open.unwrap_or_else(|| panic!("no open {kind} in {effects}")).clone()
}

#[test]
fn an_operator_retries_adopts_and_abandons_effects_that_have_not_ended() {
    let served = TestServer::start("solobase");
    let admin = served.operator();
    served.settle();
    let kind = "stripe.customer.create";
    let register = |user: &str| {
        served.fail("*");
        let register = json!({"email": format!("{user}@example.com")});
        let line = format!("POST /api/commands/account.register?account=user:{user}");
        assert_eq!(served.send(&line, &admin, &register).status, 200);
        served.settle();
        open_effect(&served, kind, &admin)
    };
    let act = |effect: &Value, action: &str, body: &Value| {
        let line = format!("POST /api/operator/effects/{}/{action}", effect["seq"]);
        served.send(&line, &admin, body)
    };
    let state = |user: &str| {
        let effects = served.get(&format!("/api/operator/effects?account=user:{user}"), &admin);
        effects["effects"][0]["state"].clone()
    };
    let ada = register("ada");
    assert_eq!((&ada["state"], &ada["attempts"]), (&json!("queued"), &json!(1)), "{ada}");
    let failure = json!({"attempt": 1, "code": "throttled", "message": "later"});
    assert_eq!((&ada["last_failure"], &ada["actions"]), (&failure, &json!(["retry", "adopt", "abandon"])));
    let tried = served.get("/api/operator/effects?stuck=true", &admin);
    assert_eq!(tried, json!({"effects": [ada], "next": null}), "what has not failed is left out");
    served.answer("*", Value::Null);
    let retried = act(&ada, "retry", &Value::Null);
    assert_eq!(retried.status, 200, "{retried:?}");
    served.settle();
    assert_eq!(state("ada"), "finished", "before its next attempt was due");
    let effects = served.get("/api/operator/effects?account=user:ada", &admin);
    let ended = &effects["effects"][0];
    assert_eq!((&ended["last_failure"], &ended["actions"]), (&Value::Null, &json!([])));
    let both = served.send("GET /api/operator/effects?account=user:ada&stuck=true", &admin, &NOTHING);
    assert_eq!((both.status, both.code()), (400, "query"));

    let bob = register("bob");
    for (action, body) in [
        ("adopt", Value::Null),
        ("adopt", json!({"outputs": "cus_1"})),
        ("adopt", json!({"outputs": {"customer": "cus_1"}})),
        ("abandon", json!({"reason": " "})),
        ("retry", json!({"reason": "why"})),
    ] {
        assert_eq!(act(&bob, action, &body).status, 400, "{action} {body}");
    }
    assert_eq!(act(&bob, "forget", &Value::Null).status, 404);
    let adopted = act(&bob, "adopt", &json!({"outputs": {"id": "cus_by_hand"}}));
    assert_eq!(adopted.status, 200, "{adopted:?}");
    assert_eq!(state("bob"), "finished");
    let account = served.get("/api/operator/accounts/user:bob", &admin);
    assert!(account["rows"].to_string().contains("cus_by_hand"), "{account}");
    assert_eq!(act(&bob, "retry", &Value::Null).status, 404, "it has ended");

    let eve = register("eve");
    let abandoned = act(&eve, "abandon", &json!({"reason": "a test account"}));
    assert_eq!(abandoned.status, 200, "{abandoned:?}");
    assert_eq!(state("eve"), "finished");
    let user = served.user("eve");
    let line = format!("POST /api/operator/effects/{}/retry", eve["seq"]);
    assert_eq!(served.send(&line, &user, &NOTHING).status, 403);
}

#[test]
fn an_account_is_found_by_what_stripe_has_of_it() {
    let served = TestServer::start("solobase");
    let admin = served.operator();
    let register = json!({"email": "bob@example.com"});
    served.answer("*", json!({"id": "cus_8"}));
    served.send("POST /api/commands/account.register?account=user:bob", &admin, &register);
    served.settle();
    let body = super::clock_jumps::subscribed(9, served.signing_s());
    let body = String::from_utf8(body).expect("a text").replace("\"user_id\":\"u9\"", "\"user_id\":\"ada\"");
    assert_eq!(served.deliver(body.as_bytes()).status, 200);
    served.settle();
    let found = |search: &str| {
        let path = format!("/api/operator/accounts?search={search}");
        let list = served.get(&path, &admin)["accounts"].as_array().expect("a list").clone();
        list.iter().map(|row| row["account"].as_str().expect("an account").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(found("cus_9"), ["user:ada"], "its customer");
    assert_eq!(found("cus_8"), ["user:bob"]);
    assert_eq!(found("sub_9"), ["user:ada"], "its subscription");
    assert_eq!(found("evt_9"), ["user:ada"], "an event about it");
    for nobodys in ["cus_1", "sub_8", "evt_8", "in_9", "pi_9", "ch_9", "cs_9", "eve@example.com"] {
        assert_eq!(found(nobodys), [""; 0], "{nobodys}");
    }
    // Whatever claim an account holds leads to it.
    served.with_host(|host| {
        let scope = host.processor().scope("user:bob".parse().expect("an account"));
        let claim = host_store::ClaimRow { holder: Some(scope.account.clone()), until: None, blocked_until: None };
        let hash = extension_contract::address_hash("bob@example.com");
        let claims = ["stripe-invoice:in_5", "stripe-payment-intent:pi_5", "stripe-charge:ch_5", "stripe-session:cs_5"];
        let claims =
            claims.map(str::to_owned).into_iter().chain([format!("{}{hash}", extension_contract::ADDRESS_CLAIMS)]);
        let claims = claims.map(|key| (format!("solobase/test//{key}"), Some(claim.clone()))).collect();
        let changes = host_store::Changes { scope: Some(scope), claims, ..host_store::Changes::default() };
        host.processor_mut().store_mut().apply(&changes).expect("applied");
    });
    for id in ["in_5", "pi_5", "ch_5", "cs_5", "bob@example.com"] {
        assert_eq!(found(id), ["user:bob"], "{id}");
    }
}

#[test]
fn failed_instances_are_tried_again_together() {
    let served = TestServer::start("solobase");
    let admin = served.operator();
    served.refuse("*/bucket/ensure", "quota-exceeded");
    for number in 1..4 {
        assert_eq!(served.deliver(&super::clock_jumps::subscribed(number, served.signing_s())).status, 200);
        served.settle();
        let body = json!({"name": "App", "metadata": {"subdomain": format!("app{number}")}});
        let line = format!("POST /api/commands/instance.create?account=user:u{number}");
        assert_eq!(served.send(&line, &admin, &body).status / 100, 2);
        served.settle();
    }
    let retry = |body: Value| -> Value {
        let answer = served.send("POST /api/operator/instances/retry", &admin, &body);
        assert_eq!(answer.status, 200, "{answer:?}");
        served.settle();
        answer.json
    };
    let matched = |body: Value| retry(body)["matched"].as_u64();
    for (filter, expected) in [
        (json!({}), 3),
        (json!({"step": "bucket"}), 3),
        (json!({"step": "bucket/ensure", "provider": "bucket", "code": "quota-exceeded"}), 3),
        (json!({"message": "NO ROOM"}), 3),
        (json!({"step": "buck"}), 0),
        (json!({"provider": "database"}), 0),
        (json!({"code": "throttled"}), 0),
        (json!({"message": "network"}), 0),
    ] {
        let mut filter = filter;
        filter["dry_run"] = json!(true);
        assert_eq!(matched(filter.clone()), Some(expected), "{filter}");
    }
    let named = retry(json!({"dry_run": true, "limit": 1}));
    assert_eq!((&named["retried"], &named["next"]), (&json!(0), &json!("user:u1")), "nothing is tried: {named}");
    assert_eq!(named["instances"][0]["error"]["code"], "quota-exceeded", "{named}");
    let failed = || served.get("/api/operator/instances?status=error", &admin)["instances"].as_array().map(Vec::len);
    assert_eq!(failed(), Some(3));
    served.answer("*/bucket/ensure", json!({}));
    let one = retry(json!({"limit": 1}));
    assert_eq!((&one["retried"], &one["instances"][0]["account"]), (&json!(1), &json!("user:u1")), "{one}");
    assert_eq!(failed(), Some(2));
    assert_eq!(retry(json!({"code": "quota-exceeded"}))["retried"], 2);
    assert_eq!(failed(), Some(0), "all of them run");
    let wrong = served.send("POST /api/operator/instances/retry", &admin, &json!({"stp": "bucket"}));
    assert_eq!((wrong.status, wrong.code()), (400, "malformed"));
    let user = served.user("u1");
    assert_eq!(served.send("POST /api/operator/instances/retry", &user, &json!({})).status, 403);
}
