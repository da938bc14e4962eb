//! Commands, events and queries as programs call them.

use super::raw::{Answer, Connection};
use super::server::{Server, ServerOptions};
use super::webhooks::solobase;
use end_to_end::world::START_MS;
use extension_contract::{Account, Actor, ActorKind};
use host_api::{FrontLimits, Rate, Tools};
use host_engine::clock::Clock;
use host_identity::access::{Keys, NewKey, Reach};
use host_provider_api::scripted::{Scripted, ScriptedAnswer};
use host_store::{MemoryStore, Partition};
use serde_json::{Value, json};
use std::sync::Arc;

/// A server with keys of some actors.
pub struct Served {
    pub server: Server,
    scripted: Scripted,
    keys: Arc<Keys>,
}

impl Served {
    pub fn start() -> Served {
        let keys = Arc::new(Keys::in_memory().expect("keys"));
        Served::start_with(ServerOptions { authenticator: Some(keys.clone()), ..ServerOptions::default() }, keys)
    }

    /// Starts a server with these rates of a key, and of an address without one.
    pub fn limited(key: Rate, stranger: Rate) -> Served {
        let keys = Arc::new(Keys::in_memory().expect("keys"));
        let options = ServerOptions { authenticator: Some(keys.clone()), ..ServerOptions::default() };
        let front = FrontLimits { key, stranger, ..options.front };
        Served::start_with(ServerOptions { front, ..options }, keys)
    }

    /// Starts a server whose operators may look at what the providers have.
    pub fn with_tools(tools: Tools) -> Served {
        let keys = Arc::new(Keys::in_memory().expect("keys"));
        let options = ServerOptions { authenticator: Some(keys.clone()), tools, ..ServerOptions::default() };
        Served::start_with(options, keys)
    }

    fn start_with(options: ServerOptions, keys: Arc<Keys>) -> Served {
        let setup = solobase();
        let scripted = setup.scripted.clone();
        let server = Server::start_with(&setup, Box::new(MemoryStore::new()), Clock::manual(START_MS), options);
        server.settle();
        Served { server, scripted, keys }
    }

    /// Makes all calls succeed, or fail and be tried again later.
    pub fn script(&self, succeeds: bool) {
        let fails = ScriptedAnswer::Retryable { code: "throttled".to_owned(), message: "later".to_owned() };
        self.scripted.script("*", vec![if succeeds { ScriptedAnswer::Ok(Value::Null) } else { fails }]);
    }

    /// Makes the calls of some effects fail for good.
    pub fn refuse(&self, pattern: &str, code: &str) {
        let message = "there is no room".to_owned();
        self.scripted.script(pattern, vec![ScriptedAnswer::Final { code: code.to_owned(), message }]);
    }

    /// Makes the calls of some effects succeed with these outputs.
    pub fn answer(&self, pattern: &str, outputs: Value) {
        self.scripted.script(pattern, vec![ScriptedAnswer::Ok(outputs)]);
    }

    pub fn key(&self, kind: ActorKind, subject: &str, business: &str) -> String {
        let reach = match kind {
            ActorKind::User => Reach::Accounts(vec![Account::User(subject.to_owned())]),
            _ => Reach::All,
        };
        let actor = Actor { kind, subject: subject.to_owned(), roles: Vec::new() };
        let partition = Partition { business: business.to_owned(), livemode: false };
        self.keys.make(&NewKey { name: String::new(), partition, actor, reach }, 1).expect("made").expose()
    }

    pub fn send(&self, line: &str, key: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
        let authorization = format!("Bearer {key}");
        let headers: Vec<(&str, &str)> =
            headers.iter().copied().chain([("Authorization", authorization.as_str())]).collect();
        let body = if body.is_null() { String::new() } else { body.to_string() };
        Connection::open(self.server.address()).request(line, &headers, body.as_bytes())
    }
}

fn json_of(answer: &Answer) -> Value {
    assert_eq!(answer.status, 200, "{answer:?}");
    serde_json::from_str(&answer.body).expect("JSON")
}

#[test]
fn a_key_reaches_its_own_account_only() {
    let served = Served::start();
    let (ada, service) =
        (served.key(ActorKind::User, "ada", "solobase"), served.key(ActorKind::Service, "s", "solobase"));
    let entitlements =
        |key: &str, account: &str| served.send(&format!("GET /api/entitlements{account}"), key, &[], &Value::Null);
    assert_eq!(entitlements(&ada, "").status, 200, "the only account of the key");
    assert_eq!(entitlements(&ada, "?account=user:ada").status, 200);
    assert_eq!(entitlements(&service, "?account=user:ada").status, 200);
    assert_eq!(entitlements(&service, "").code(), "account", "a service names the account");
    let [others, unknown] = ["?account=user:bob", "?account=user:nobody"].map(|account| entitlements(&ada, account));
    assert_eq!((others.status, others.code().as_str()), (403, "forbidden"));
    assert!(others.body.contains("the key does not reach"), "the extension is not even asked: {}", others.body);
    assert_eq!((others.status, &others.body), (unknown.status, &unknown.body), "nobody learns which accounts exist");
    let of_other = served.key(ActorKind::Admin, "root", "tesslate");
    for key in [&of_other, "key_000000000000_00", "", &format!("{ada}0")] {
        let answer = entitlements(key, "?account=user:ada");
        assert_eq!((answer.status, answer.code().as_str()), (401, "unauthorized"), "{key}");
        assert!(answer.header("www-authenticate").is_some());
    }
    let id = ada.split('_').nth(1).expect("an id");
    assert!(served.keys.revoke(id, 2).expect("revoked"));
    assert_eq!(entitlements(&ada, "").status, 401, "a revoked key");
}

#[test]
fn a_command_is_answered_with_its_reply_or_its_refusal() {
    let served = Served::start();
    let admin = served.key(ActorKind::Admin, "root", "solobase");
    let post = |kind: &str, body: Value| {
        served.send(&format!("POST /api/commands/{kind}?account=user:ada"), &admin, &[], &body)
    };
    assert_eq!(json_of(&post("mail.unsubscribe", Value::Null)), json!({}), "a command without a reply");
    let refused = post("instance.create", json!({"name": "A", "metadata": {"subdomain": "a"}}));
    assert!((400..500).contains(&refused.status), "{refused:?}");
    refused.code();
    let unknown = post("instance.fly", json!({}));
    assert_eq!(unknown.status, 404);
    assert!(unknown.body.contains("instance.create"), "the answer lists the commands: {}", unknown.body);
    for (body, code) in [(json!([1]), "malformed"), (json!({"nonsense": 1}), "invalid")] {
        assert_eq!(post("mail.unsubscribe", body).code(), code);
    }
    let wrong = served.send("POST /api/commands/mail.unsubscribe?acount=user:ada", &admin, &[], &Value::Null);
    assert_eq!((wrong.status, wrong.code().as_str()), (400, "query"), "a wrong name in the query");
}

#[test]
fn a_request_with_an_idempotency_key_is_carried_out_once() {
    let served = Served::start();
    let [first, second] = ["one", "two"].map(|subject| served.key(ActorKind::Service, subject, "solobase"));
    let consume = |key: &str, amount: u64| {
        let body = json!({"key": "api_requests_monthly", "amount": amount});
        let line = "POST /api/commands/usage.consume?account=user:ada";
        served.send(line, key, &[("Idempotency-Key", "k-1")], &body)
    };
    let of_bob = || {
        let body = json!({"key": "api_requests_monthly", "amount": 7});
        served.send("POST /api/commands/usage.consume?account=user:bob", &first, &[("Idempotency-Key", "k-1")], &body)
    };
    let once = consume(&first, 5);
    let twice = consume(&first, 5);
    assert_eq!((once.status, &once.body), (twice.status, &twice.body));
    let reused = consume(&first, 6);
    assert_eq!((reused.status, reused.code().as_str()), (409, "reused-key"));
    assert_ne!(consume(&second, 6).code(), "reused-key", "the keys of two callers are their own");
    let events = served.server.with_host(|host| host.processor().inbox_after(0, 1000).expect("read"));
    let consumed = events.iter().filter(|row| row.event.kind == "usage.consume").count();
    assert_eq!(consumed, 2);
    assert_ne!(of_bob().code(), "reused-key", "so are those of two accounts");
    let events = served.server.with_host(|host| host.processor().inbox_after(0, 1000).expect("read"));
    assert_eq!(events.iter().filter(|row| row.event.kind == "usage.consume").count(), 3);
}

#[test]
fn a_service_reports_events_and_nobody_else_does() {
    let served = Served::start();
    let event = json!({
        "id": "pe_1", "event": "product.created", "timestamp": "2026-01-01T00:00:00Z",
        "data": {"id": "prod_x", "type": "nonsense", "metadata": {}},
    });
    let report = |key: &str, event: &Value| served.send("POST /api/events", key, &[], event);
    let service = served.key(ActorKind::Service, "platform", "solobase");
    let answer = report(&service, &event);
    assert!(answer.status == 200 || answer.status == 422, "{answer:?}");
    let user = served.key(ActorKind::User, "ada", "solobase");
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
    let served = Served::start();
    let service = served.key(ActorKind::Service, "meter", "solobase");
    let report = |meter: &str| {
        let one = json!({"id": "use_1", "meter": meter, "quantity": 1, "at": "2026-01-01T00:00:00Z"});
        served.send("POST /api/events", &service, &[], &json!({"id": "use_1", "account": "user:ada", "usage": [one]}))
    };
    let first = report("nonsense");
    assert_eq!(first.status, 404, "{first:?}");
    assert_eq!((report("nonsense").status, report("nonsense").code()), (404, first.code()), "the same report again");
    let corrected = report("other");
    assert_eq!(
        (corrected.status, &*corrected.code()),
        (409, "reused-key"),
        "a service must not believe that it was counted"
    );
}

#[test]
fn a_check_says_what_is_left_and_what_to_buy() {
    let served = Served::start();
    let admin = served.key(ActorKind::Admin, "root", "solobase");
    let check = |query: &str| {
        json_of(&served.send(
            &format!("GET /api/entitlements/check?account=user:ada&{query}"),
            &admin,
            &[],
            &Value::Null,
        ))
    };
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
    let served = Served::start();
    let answer = Connection::open(served.server.address()).request("GET /health", &[], b"");
    assert_eq!(json_of(&answer), json!({"status": "ok", "failing": []}));
    let nowhere = Connection::open(served.server.address()).request("GET /nowhere", &[], b"");
    assert_eq!((nowhere.status, nowhere.code().as_str()), (404, "not-found"));
    let wrong = Connection::open(served.server.address()).request("DELETE /health", &[], b"");
    assert_eq!((wrong.status, wrong.header("allow")), (405, Some("GET, HEAD")));
}

#[test]
fn the_name_of_an_instance_is_one_line() {
    let served = Served::start();
    let ada = served.key(ActorKind::User, "ada", "solobase");
    let make = |name: &str| {
        let body = json!({"name": name, "metadata": {"subdomain": "ada"}});
        served.send("POST /api/commands/instance.create", &ada, &[], &body)
    };
    for name in ["a\nb", "a\r\n\r\n<p>"] {
        let refused = make(name);
        assert_eq!((refused.status, refused.code().as_str()), (422, "invalid"), "{name:?}");
        assert!(refused.body.contains("\"pointer\":\"/name\""), "{}", refused.body);
    }
}

#[test]
fn a_text_with_a_zero_character_is_refused_since_not_every_store_keeps_it() {
    let served = Served::start();
    let ada = served.key(ActorKind::User, "ada", "solobase");
    let line = "POST /api/commands/instance.create?account=user:ada";
    for name in ["A\0pp", "\\\0", "\0"] {
        let refused = served.send(line, &ada, &[], &json!({"name": name}));
        assert_eq!((refused.status, refused.code().as_str()), (400, "zero-character"), "{name:?}");
    }
    let plain = served.send(line, &ada, &[], &json!({"name": "A\\u0000pp"}));
    assert_ne!(plain.code(), "zero-character", "a backslash and six letters");
}

#[test]
fn a_command_with_more_values_than_a_decision_has_fuel_for_is_refused_at_once() {
    let served = Served::start();
    let ada = served.key(ActorKind::User, "ada", "solobase");
    let line = "POST /api/commands/instance.create?account=user:ada";
    let with = |count: usize| -> Value {
        let more: serde_json::Map<_, _> = (0..count).map(|number| (format!("m{number}"), json!(1))).collect();
        json!({"name": "App", "metadata": more})
    };
    assert_eq!(served.send(line, &ada, &[], &with(2_000)).code(), "too-complex");
    assert_ne!(served.send(line, &ada, &[], &with(1_990)).code(), "too-complex");
}
