//! The block's own answers: its configuration, its limits, its callers, and requests beside each other.

use crate::player::Player;
use crate::stand_in::{SECRET, SERVICE, bundle, configuration, module, repository};
use hmac::{Hmac, KeyInit, Mac};
use host_block::{BODY_BYTES_MAX, BUNDLE, NAME, SERVICE_KEY, STRIPE_SECRET, WEBHOOK_SECRETS, key};
use host_engine::bundle::Bundle;
use host_engine::outbox::LEASE_MS;
use host_intake::webhook::{Key, Scheme};
use host_store::testing::samples;
use host_store::{EffectState, InboxProgress, InboxState, Partition, Read, Store};
use serde_json::{Value, json};
use sha2::Sha256;
use solobase_host::database::{Database, Period};
use solobase_host::guest::{FUEL, Guest};
use solobase_host::services::Services;
use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;
use std::thread;

/// A time of the tests: 2026-01-01.
const NOW: i64 = 1_767_225_600_000;

/// Signs a delivery as Stripe does.
pub fn signature(body: &[u8], at_ms: i64) -> String {
    let time = at_ms.div_euclid(1000);
    let mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("a key");
    let mac = mac.chain_update(format!("{time}.")).chain_update(body);
    format!("t={time},v1={}", hex::encode(mac.finalize().into_bytes()))
}

/// The result of `Init` with a configuration.
fn init(config: BTreeMap<String, String>) -> Value {
    let services = Arc::new(Services::new(Database::open(None, Period::SinceRewrite).expect("opened"), config, NOW));
    Guest::of(module(), NAME, services, None).expect("loaded").lifecycle("Init").expect("run").0
}

#[test]
#[ignore = "builds the block: the group `block`"]
fn init_tells_all_faults_at_once() {
    let faults = |config: BTreeMap<String, String>| init(config)["Err"]["message"].as_str().expect("faults").to_owned();
    let of_none = faults(BTreeMap::new());
    for name in [BUNDLE, SERVICE_KEY] {
        assert!(of_none.contains(&format!("{}: is not set", key(name))), "{of_none}");
    }
    let mut config = configuration();
    config.insert(key(SERVICE_KEY), "short".to_owned());
    config.insert(key(STRIPE_SECRET), "whsec_ with a space".to_owned());
    let of_some = faults(config);
    assert_eq!(of_some.lines().count(), 2, "{of_some}");
    assert!(of_some.contains("has 5 bytes; expected at least 32 bytes"), "{of_some}");
    assert!(of_some.contains("contains whitespace"), "{of_some}");
    assert!(!of_some.contains("with a space"), "a secret is not told");
    let mut config = configuration();
    config.insert(key(BUNDLE), "{\"name\": 1}".to_owned());
    assert!(faults(config).contains("expected the text that `provisioner bundle` writes"));
    assert_eq!(init(configuration()), json!({"Ok": null}));
}

/// Prepares the business `solobase` with a webhook of an identity provider.
fn with_webhook() -> Bundle {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["catalog.yml", "business.yml", "config.yml"] {
        let from = repository("fixtures/businesses/solobase").join(name);
        if let Ok(text) = fs::read_to_string(from) {
            let secret =
                "\nconfig:\n  identity_secret: {type: secret, description: Signs the webhooks of identities}\n";
            fs::write(folder.path().join(name), text.replace("\nconfig:\n", secret)).expect("written");
        }
    }
    let webhook = json!({"identity": {"scheme": "standard", "secret": "identity_secret", "events": [
        {"when": {"type": "user.created"}, "event": "user.registered", "account": "user:{user.id}"}]}});
    let file = folder.path().join("business.yml");
    let text = fs::read_to_string(&file).expect("read");
    fs::write(&file, format!("{text}\nwebhooks: {webhook}\n")).expect("written");
    bundle(folder.path(), false, &[])
}

#[test]
#[ignore = "builds the block: the group `block`"]
fn a_webhook_of_the_business_is_taken_with_its_signature_and_init_misses_its_secret() {
    const SECRET: &str = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5";
    let mut config = configuration();
    config.insert(key(BUNDLE), serde_json::to_string(&with_webhook()).expect("JSON"));
    let fault = |config: &BTreeMap<String, String>| init(config.clone())["Err"]["message"].to_string();
    assert!(fault(&config).contains("has no `identity_secret`, for the webhook `identity`"), "{}", fault(&config));
    config.insert(key(WEBHOOK_SECRETS), SECRET.to_owned());
    assert!(fault(&config).contains("is not readable") && !fault(&config).contains(SECRET), "{}", fault(&config));
    config.insert(key(WEBHOOK_SECRETS), json!({"identity_secret": SECRET}).to_string());
    let services = Arc::new(Services::new(Database::open(None, Period::SinceRewrite).expect("opened"), config, NOW));
    let guest = Guest::of(module(), NAME, services, None).expect("loaded");
    assert_eq!(guest.lifecycle("Init").expect("run").0, json!({"Ok": null}));

    let body = json!({"type": "user.created", "user": {"id": "eve"}}).to_string();
    let key = Key::new(&Scheme::Standard, SECRET).expect("a key");
    let status = |signed: &str| {
        let path = "/b/provisioner/webhooks/identity";
        let mut meta = vec![("http.method".to_owned(), "POST".to_owned()), ("http.path".to_owned(), path.to_owned())];
        let headers = Scheme::Standard.sign(&key, "msg_1", NOW, signed.as_bytes());
        meta.extend(headers.into_iter().map(|(name, value)| (format!("http.header.{name}"), value)));
        let (answer, _) = guest.handle(&format!("POST:{path}"), &meta, body.as_bytes(), None).expect("an answer");
        let meta = answer["response"]["meta"].as_array().cloned().unwrap_or_default();
        meta.into_iter().find(|entry| entry["key"] == "resp.status").map(|entry| entry["value"].clone())
    };
    assert_eq!(status("another body"), Some(json!("400")));
    assert_eq!(status(&body), Some(json!("200")));
}

fn player() -> Player {
    Player::start(&bundle(&repository("fixtures/businesses/solobase"), false, &[]), NOW, Period::SinceRewrite)
}

fn error(answer: (u16, Value)) -> (u16, String) {
    (answer.0, answer.1["error"].as_str().unwrap_or_default().to_owned())
}

#[test]
#[ignore = "builds the block: the group `block`"]
fn only_signed_webhooks_and_known_callers_are_taken() {
    let player = player();
    let body = json!({"id": "evt_1", "object": "event", "type": "invoice.paid"}).to_string().into_bytes();
    let post = |path: &str, headers: &[(&str, &str)]| error(player.post(path, headers, &body, &body));
    let (right, old) = (signature(&body, NOW), signature(&body, NOW - 3_600_000));
    assert_eq!(post("/webhooks/stripe", &[("stripe-signature", &right)]).0, 200);
    for headers in [&[][..], &[("stripe-signature", old.as_str())], &[("stripe-signature", "t=1,v1=00")]] {
        assert_eq!(post("/webhooks/stripe", headers), (400, "unauthorized".to_owned()), "{headers:?}");
    }
    assert_eq!(post("/webhooks/other", &[("stripe-signature", &right)]), (404, "not-found".to_owned()));
    for path in ["/events", "/tick", "/outbox/lease", "/outbox/answers", "/import", "/commands/purchase.create"] {
        assert_eq!(post(path, &[]), (401, "unauthorized".to_owned()), "{path}");
        assert_eq!(post(path, &[("x-service-key", "another")]), (401, "unauthorized".to_owned()), "{path}");
    }
    // An event of Stripe's without its signature is not authentic, whoever brings it.
    assert_eq!(post("/events", &[("x-service-key", SERVICE)]), (400, "malformed".to_owned()));
    // A user of the platform is not a service.
    assert_eq!(post("/tick", &[("authorization", "Bearer ada")]), (403, "forbidden".to_owned()));
    let foreign = post("/commands/purchase.create?account=user:bob", &[("authorization", "Bearer ada")]);
    assert_eq!(foreign, (403, "forbidden".to_owned()));
}

#[test]
#[ignore = "builds the block: the group `block`"]
fn the_longest_body_fits_into_the_fuel_of_a_call() {
    let player = player();
    let event = |length: usize| {
        let text = json!({"id": "evt_long", "object": "event", "type": "invoice.paid", "filler": ""}).to_string();
        let filler = "\u{e9}".repeat((length - text.len()) / 2) + if (length - text.len()) % 2 == 1 { "x" } else { "" };
        text.replace("\"filler\":\"\"", &format!("\"filler\":\"{filler}\"")).into_bytes()
    };
    let body = event(BODY_BYTES_MAX);
    assert_eq!(body.len(), BODY_BYTES_MAX);
    player.take_used();
    let answer = player.post("/webhooks/stripe", &[("stripe-signature", &signature(&body, NOW))], &body, &body);
    let used = player.take_used();
    assert_eq!(answer.0, 200, "{}", answer.1);
    let fuel = used.iter().map(|used| used.fuel).max().unwrap_or_default();
    println!("a body of {BODY_BYTES_MAX} bytes: {used:?}");
    assert!(fuel < FUEL / 2, "{fuel}");
    let body = event(BODY_BYTES_MAX + 1);
    let answer = player.post("/webhooks/stripe", &[("stripe-signature", &signature(&body, NOW))], &body, &body);
    assert_eq!(error(answer), (413, "too-large".to_owned()));
}

#[test]
#[ignore = "builds the block: the group `block`"]
fn requests_beside_each_other_are_all_decided() {
    const REQUESTS: usize = 12;
    let player = player();
    let statuses: Vec<u16> = thread::scope(|scope| {
        let send = |n: usize| {
            let body = json!({
                "id": format!("cmd_{n}"), "command": "purchase.create", "account": format!("user:u{n}"),
                "actor": {"kind": "user", "id": format!("u{n}")}, "payload": {"plan": "hobby"},
            });
            let body = body.to_string().into_bytes();
            let again = || player.request("/events", &[("x-service-key", SERVICE)], &body).0;
            // A client sends a request again that was answered with 503.
            std::iter::repeat_with(again).take(20).find(|status| *status != 503).unwrap_or(503)
        };
        let threads: Vec<_> = (0..REQUESTS).map(|n| scope.spawn(move || send(n))).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    });
    assert_eq!(statuses, [200; REQUESTS]);
    let left = player.left();
    for n in 0..REQUESTS {
        let outcome = &left.outcomes[&format!("api cmd_{n}")];
        assert!(outcome.contains("\"applied\""), "{outcome}");
    }
}

#[test]
#[ignore = "builds the block: the group `block`"]
fn the_health_says_that_effects_wait() {
    let mut player = player();
    let health = |player: &Player| player.get("/health", &[]);
    // The catalog has requested a product at Stripe, and no worker has come yet.
    assert_eq!(health(&player).0, 200);
    player.set_now(NOW + 120_000);
    let (status, body) = health(&player);
    assert_eq!((status, body["status"].as_str()), (503, Some("effects-wait")), "{body}");
    player.settle();
    assert_eq!(health(&player).0, 200);
}

#[test]
#[ignore = "builds the block: the group `block`"]
fn the_health_says_that_a_worker_took_effects_and_died() {
    let mut player = player();
    let health = |player: &Player| player.get("/health", &[]);
    let body = json!({"owner": "a worker that dies", "limit": 16}).to_string().into_bytes();
    let lease = |player: &Player| player.request("/outbox/lease", &[("x-service-key", SERVICE)], &body).1;
    let mut leased = 0;
    while let Some(calls) = lease(&player)["calls"].as_array().filter(|calls| !calls.is_empty()) {
        leased += calls.len();
    }
    assert!(leased > 0);
    player.set_now(NOW + 120_000);
    assert_eq!(health(&player).0, 200, "the leases have not ended");
    player.set_now(NOW + LEASE_MS + 120_000);
    let (status, body) = health(&player);
    assert_eq!((status, body["status"].as_str()), (503, Some("effects-wait")), "{body}");
    assert_eq!(body["effects_wait_ms"], 120_000);
    player.settle();
    assert_eq!(health(&player).0, 200);
}

#[test]
#[ignore = "builds the block: the group `block`"]
fn the_health_says_that_a_retry_waits() {
    let mut player = player();
    player.settle();
    let mut new = samples::new_event("evt_1");
    Arc::make_mut(&mut new.event).business = "solobase".to_owned();
    new.progress = samples::progress(InboxState::Pending { not_before: NOW + 60_000, waits_since: None });
    player.store().apply(&samples::accepted(new)).expect("applied");
    player.set_now(NOW + 120_000);
    assert_eq!(player.get("/health", &[]).0, 200, "a worker may come soon");
    player.set_now(NOW + 120_001);
    let (status, body) = player.get("/health", &[]);
    assert_eq!((status, body["status"].as_str()), (503, Some("events-wait")), "{body}");
    assert_eq!(body["events_wait_ms"], 60_001);
}

#[test]
#[ignore = "builds the block: the group `block`"]
fn a_long_history_is_erased_in_several_requests() {
    let mut player = player();
    player.settle();
    let partition = Partition { business: "solobase".to_owned(), livemode: false };
    let scope = partition.scope("user:ann".parse().expect("an account"));
    let mut store = player.store();
    for n in 0..50 {
        let mut new = samples::new_event(&format!("evt_{n}"));
        Arc::make_mut(&mut new.event).business = "solobase".to_owned();
        new.progress = InboxProgress { account: Some(scope.account.clone()), ..samples::progress(InboxState::Done) };
        store.apply(&samples::accepted(new)).expect("applied");
    }
    let mut changes = samples::changes(&scope, "evt_0");
    let erasure = samples::effect("account.erase", "erase-account");
    changes.effects = vec![samples::insert(samples::queued(&scope, erasure, NOW))];
    store.apply(&changes).expect("applied");
    let mut erased = Vec::new();
    loop {
        let (status, answer) = player.request("/tick", &[("x-service-key", SERVICE)], b"");
        assert_eq!(status, 200, "{answer}");
        let events = player.store().inbox_after(Some(&partition), 0, usize::MAX).expect("read");
        erased.push(events.iter().filter(|row| row.erased).count());
        if answer["more"] == false {
            break;
        }
    }
    assert_eq!(erased, [20, 40, 50]);
    let effects = player.store().effect(&scope, "erase-account").expect("read");
    assert_eq!(effects.iter().map(|row| row.state).collect::<Vec<_>>(), [EffectState::Finished]);
}

#[test]
#[ignore = "builds the block: the group `block`"]
fn a_user_buys_over_the_product_routes() {
    let mut player = player();
    player.settle();
    let ada = [("authorization", "Bearer ada"), ("idempotency-key", "one")];
    let (status, catalog) = player.get("/catalog", &[]);
    assert_eq!((status, catalog["offers"][0]["product"]["id"].as_str()), (200, Some("prod_hobby")), "{catalog}");
    let body = json!({"plan_id": "prod_hobby"}).to_string().into_bytes();
    let (status, answer) = player.post("/purchases", &ada, &body, &body);
    assert_eq!(status, 202, "{answer}");
    player.settle();
    let (status, reply) = player.get(&format!("/{}", answer["location"].as_str().expect("a path")), &ada);
    assert_eq!(status, 200, "{reply}");
    assert!(reply["checkout_url"].is_string(), "{reply}");
    // The same request again has the same reply, and buys nothing more.
    assert_eq!(player.post("/purchases", &ada, &body, &body), (200, reply));
    let (_, purchases) = player.get("/purchases", &ada);
    assert_eq!(purchases["purchases"].as_array().map(Vec::len), Some(1), "{purchases}");
    let other = json!({"plan_id": "prod_professional"}).to_string().into_bytes();
    assert_eq!(error(player.post("/purchases", &ada, &other, &other)), (409, "reused-key".to_owned()));
    assert_eq!(error(player.get("/purchases", &[("authorization", "Bearer bob")])), (200, String::new()));
}
