//! Commands, events and queries as programs call them.

use super::server::{NOTHING, TestServer};
use extension_contract::{Actor, ActorKind};
use host_identity::access::Reach;
use serde_json::{Value, json};

#[test]
fn a_key_reaches_its_own_account_only() {
    let served = TestServer::start("solobase");
    let (ada, service) = (served.user("ada"), served.service());
    let entitlements =
        |key: &str, account: &str| served.send(&format!("GET /api/entitlements{account}"), key, &NOTHING);
    assert_eq!(entitlements(&ada, "").status, 200, "the only account of the key");
    assert_eq!(entitlements(&ada, "?account=user:ada").status, 200);
    assert_eq!(entitlements(&service, "?account=user:ada").status, 200);
    assert_eq!(entitlements(&service, "").code(), "account", "a service names the account");
    let [others, unknown] = ["?account=user:bob", "?account=user:nobody"].map(|account| entitlements(&ada, account));
    assert_eq!((others.status, others.code()), (403, "forbidden"));
    assert!(others.body.contains("the key does not reach"), "the extension is not even asked: {}", others.body);
    assert_eq!((others.status, &others.body), (unknown.status, &unknown.body), "nobody learns which accounts exist");
    let root = Actor { kind: ActorKind::Admin, subject: "root".to_owned(), roles: Vec::new() };
    let of_other = served.key_at("tesslate", root, Reach::All);
    for key in [&of_other, "key_000000000000_00", "", &format!("{ada}0")] {
        let answer = entitlements(key, "?account=user:ada");
        assert_eq!((answer.status, answer.code()), (401, "unauthorized"), "{key}");
        assert!(answer.header("www-authenticate").is_some());
    }
    served.revoke(&ada);
    assert_eq!(entitlements(&ada, "").status, 401, "a revoked key");
}

#[test]
fn a_command_is_answered_with_its_reply_or_its_refusal() {
    let served = TestServer::start("solobase");
    let admin = served.operator();
    let post =
        |kind: &str, body: Value| served.send(&format!("POST /api/commands/{kind}?account=user:ada"), &admin, &body);
    assert_eq!(post("mail.unsubscribe", Value::Null).ok(), json!({}), "a command without a reply");
    let refused = post("instance.create", json!({"name": "A", "metadata": {"subdomain": "a"}}));
    assert!((400..500).contains(&refused.status), "{refused:?}");
    refused.code();
    let unknown = post("instance.fly", json!({}));
    assert_eq!(unknown.status, 404);
    assert!(unknown.body.contains("instance.create"), "the answer lists the commands: {}", unknown.body);
    for (body, code) in [(json!([1]), "malformed"), (json!({"nonsense": 1}), "invalid")] {
        assert_eq!(post("mail.unsubscribe", body).code(), code);
    }
    let wrong = served.send("POST /api/commands/mail.unsubscribe?acount=user:ada", &admin, &NOTHING);
    assert_eq!((wrong.status, wrong.code()), (400, "query"), "a wrong name in the query");
}

#[test]
fn a_request_with_an_idempotency_key_is_carried_out_once() {
    let served = TestServer::start("solobase");
    let [first, second] = ["one", "two"].map(|subject| served.key(ActorKind::Service, subject, &[], Reach::All));
    let consume = |key: &str, amount: u64| {
        let body = json!({"key": "api_requests_monthly", "amount": amount});
        let line = "POST /api/commands/usage.consume?account=user:ada";
        served.send_with(line, key, &[("Idempotency-Key", "k-1")], &body)
    };
    let of_bob = || {
        let body = json!({"key": "api_requests_monthly", "amount": 7});
        served.send_with(
            "POST /api/commands/usage.consume?account=user:bob",
            &first,
            &[("Idempotency-Key", "k-1")],
            &body,
        )
    };
    let once = consume(&first, 5);
    let twice = consume(&first, 5);
    assert_eq!((once.status, &once.body), (twice.status, &twice.body));
    let reused = consume(&first, 6);
    assert_eq!((reused.status, reused.code()), (409, "reused-key"));
    assert_ne!(consume(&second, 6).code(), "reused-key", "the keys of two callers are their own");
    let events = served.with_host(|host| host.processor().inbox_after(0, 1000).expect("read"));
    let consumed = events.iter().filter(|row| row.event.kind == "usage.consume").count();
    assert_eq!(consumed, 2);
    assert_ne!(of_bob().code(), "reused-key", "so are those of two accounts");
    let events = served.with_host(|host| host.processor().inbox_after(0, 1000).expect("read"));
    assert_eq!(events.iter().filter(|row| row.event.kind == "usage.consume").count(), 3);
}

#[test]
fn a_service_reports_events_and_nobody_else_does() {
    let served = TestServer::start("solobase");
    let event = json!({
        "id": "pe_1", "event": "product.created", "timestamp": "2026-01-01T00:00:00Z",
        "data": {"id": "prod_x", "type": "nonsense", "metadata": {}},
    });
    let report = |key: &str, event: &Value| served.send("POST /api/events", key, event);
    let service = served.service();
    let answer = report(&service, &event);
    assert!(answer.status == 200 || answer.status == 422, "{answer:?}");
    let user = served.user("ada");
    assert_eq!(report(&user, &event).code(), "forbidden");
    let command = json!({"id": "c", "command": "mail.unsubscribe", "account": "user:ada"});
    assert_eq!(report(&service, &command).code(), "event", "a command has a path of its own");
    let stripe =
        json!({"id": "evt_1", "object": "event", "type": "customer.updated", "created": 1, "data": {"object": {}}});
    assert_eq!(report(&service, &stripe).code(), "event", "Stripe's events are signed");
    let message = json!({"message": "k", "from": "platform", "account": "user:ada"});
    assert_eq!(report(&service, &message).code(), "event", "accounts send messages, not services");
    let by_admin =
        json!({"event": "user.registered", "id": "f", "account": "user:ada", "actor": {"kind": "admin", "id": "x"}});
    assert_eq!(report(&service, &by_admin).code(), "forbidden", "a service does not speak for an operator");
}

#[test]
fn a_refused_report_stays_refused_and_its_id_is_for_nothing_else() {
    let served = TestServer::start("solobase");
    let service = served.service();
    let report = |meter: &str| {
        let one = json!({"id": "use_1", "meter": meter, "quantity": 1, "at": "2026-01-01T00:00:00Z"});
        served.send("POST /api/events", &service, &json!({"id": "use_1", "account": "user:ada", "usage": [one]}))
    };
    let first = report("nonsense");
    assert_eq!(first.status, 404, "{first:?}");
    assert_eq!((report("nonsense").status, report("nonsense").code()), (404, first.code()), "the same report again");
    let corrected = report("other");
    assert_eq!(
        (corrected.status, corrected.code()),
        (409, "reused-key"),
        "a service must not believe that it was counted"
    );
}

#[test]
fn a_check_says_what_is_left_and_what_to_buy() {
    let served = TestServer::start("solobase");
    let admin = served.operator();
    let check = |query: &str| served.get(&format!("/api/entitlements/check?account=user:ada&{query}"), &admin);
    let nothing = check("key=instances&amount=1");
    assert_eq!((&nothing["allowed"], &nothing["limit"], &nothing["used"]), (&json!(false), &json!(0), &json!(0)));
    let products: Vec<&str> = nothing["upgrades"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|it| it["product"].as_str().expect("an id"))
        .collect();
    assert!(products.contains(&"prod_starter"), "{nothing}");
    assert_eq!(
        check("key=instances&amount=0")["allowed"],
        json!(false),
        "without a right there is no room for nothing"
    );
}

// covers: PLG-24
#[test]
fn the_server_says_whether_it_works() {
    let served = TestServer::start("solobase");
    let answer = served.request("GET /health", &[], b"");
    assert_eq!(answer.ok(), json!({"status": "ok", "failing": []}));
    let nowhere = served.request("GET /nowhere", &[], b"");
    assert_eq!((nowhere.status, nowhere.code()), (404, "not-found"));
    let wrong = served.request("DELETE /health", &[], b"");
    assert_eq!((wrong.status, wrong.header("allow")), (405, Some("GET, HEAD")));
}

#[test]
fn the_name_of_an_instance_is_one_line() {
    let served = TestServer::start("solobase");
    let ada = served.user("ada");
    let make = |name: &str| {
        let body = json!({"name": name, "metadata": {"subdomain": "ada"}});
        served.send("POST /api/commands/instance.create", &ada, &body)
    };
    for name in ["a\nb", "a\r\n\r\n<p>"] {
        let refused = make(name);
        assert_eq!((refused.status, refused.code()), (422, "invalid"), "{name:?}");
        assert!(refused.body.contains("\"pointer\":\"/name\""), "{}", refused.body);
    }
}

#[test]
fn a_text_with_a_zero_character_is_refused_since_not_every_store_keeps_it() {
    let served = TestServer::start("solobase");
    let ada = served.user("ada");
    let line = "POST /api/commands/instance.create?account=user:ada";
    for name in ["A\0pp", "\\\0", "\0"] {
        let refused = served.send(line, &ada, &json!({"name": name}));
        assert_eq!((refused.status, refused.code()), (400, "zero-character"), "{name:?}");
    }
    let plain = served.send(line, &ada, &json!({"name": "A\\u0000pp"}));
    assert_ne!(plain.code(), "zero-character", "a backslash and six letters");
}

#[test]
fn a_command_with_more_values_than_a_decision_has_fuel_for_is_refused_at_once() {
    let served = TestServer::start("solobase");
    let ada = served.user("ada");
    let line = "POST /api/commands/instance.create?account=user:ada";
    let with = |count: usize| -> Value {
        let more: serde_json::Map<_, _> = (0..count).map(|number| (format!("m{number}"), json!(1))).collect();
        json!({"name": "App", "metadata": more})
    };
    assert_eq!(served.send(line, &ada, &with(2_000)).code(), "too-complex");
    assert_ne!(served.send(line, &ada, &with(1_990)).code(), "too-complex");
}
