//! The system clock of a server jumps while deliveries and effects are under way.

use super::server::{SECRET, TestServer};
use extension_contract::Actor;
use host_engine::clock::{Clock, Jumps};
use host_intake::testing::sign;
use host_provider_api::scripted::Entry;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;
/// Steps by which the system clock is set: an hour and 40 days forward, and back.
const STEPS: [i64; 6] = [HOUR, -HOUR, 40 * DAY, -40 * DAY, 41 * DAY, -41 * DAY];
/// Number of deliveries between two steps.
const BETWEEN: usize = 20;
const LONGEST: Duration = Duration::from_secs(60);

/// Returns the event of the subscription of a customer, who pays for two months from the start of the test.
pub fn subscribed(number: usize, start_s: i64) -> Vec<u8> {
    let file = end_to_end::world::root().join("fixtures/stripe/2025-03-31.basil");
    let read = |name: &str| -> Value {
        let text = std::fs::read_to_string(file.join(format!("{name}.json"))).expect("a base body");
        serde_json::from_str(&text).expect("JSON")
    };
    let (mut event, mut object) = (read("event"), read("subscription"));
    object["id"] = json!(format!("sub_{number}"));
    object["customer"] = json!(format!("cus_{number}"));
    object["status"] = json!("active");
    object["metadata"] = json!({"user_id": format!("u{number}")});
    let item = &mut object["items"]["data"][0];
    item["id"] = json!(format!("si_{number}"));
    item["price"]["id"] = json!("price_xyz789");
    item["current_period_start"] = json!(start_s);
    item["current_period_end"] = json!(start_s + 60 * DAY / 1_000);
    event["id"] = json!(format!("evt_{number}"));
    event["type"] = json!("customer.subscription.created");
    event["created"] = json!(start_s);
    event["livemode"] = json!(false);
    event["data"] = json!({"object": object});
    event.to_string().into_bytes()
}

/// Starts a server of Solobase with a clock that jumps.
fn jumping(jumps: &Jumps) -> TestServer {
    let clock = Clock::system_with(jumps);
    TestServer::of("solobase").impatient().with(|it| (it.clock, it.calls) = (clock, 4)).start_unsettled()
}

/// Delivers a body that is signed at a time. Returns the status of the answer.
fn signed_at(server: &TestServer, time_s: i64, body: &[u8]) -> u16 {
    let signature = sign(SECRET, time_s, body);
    server.request("POST /api/webhooks/stripe", &[("stripe-signature", &signature)], body).status
}

/// Delivers the event of a customer until it is acknowledged, as Stripe does. A delivery that was signed before a jump is refused.
fn insist(server: &TestServer, number: usize, start_s: i64) {
    let body = subscribed(number, start_s);
    loop {
        match signed_at(server, server.signing_s(), &body) {
            200 => return,
            status => assert_eq!(status, 400),
        }
    }
}

#[test]
fn nothing_is_lost_and_no_effect_has_two_keys_when_the_system_clock_jumps() {
    let jumps = Jumps::default();
    let server = jumping(&jumps);
    let start_s = server.signing_s();
    let (next, is_over) = (AtomicUsize::new(0), AtomicBool::new(false));
    let ordered = Mutex::new(BTreeSet::new());
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    insist(&server, number, start_s);
                    ordered.lock().expect("no panic").insert(number);
                }
            });
        }
        for step in STEPS {
            let before = next.load(Ordering::Relaxed);
            let began = Instant::now();
            while next.load(Ordering::Relaxed) < before + BETWEEN {
                assert!(began.elapsed() < LONGEST, "deliveries do not go on");
                thread::sleep(Duration::from_millis(1));
            }
            let number = next.load(Ordering::Relaxed);
            let order = json!({"name": "App", "metadata": {"subdomain": format!("app{number}")}}).to_string();
            let account = ordered.lock().expect("no panic").last().copied().expect("a customer");
            let path = format!("/api/commands/instance.create?account=user:u{account}");
            let answer = server.post_as(&path, Actor::system(), &format!("c{number}"), order.as_bytes());
            assert!([200, 202].contains(&answer.status), "{answer:?}");
            jumps.by(step);
        }
        is_over.store(true, Ordering::Relaxed);
    });
    let began = Instant::now();
    loop {
        let due = server.with_host(due);
        if due.is_empty() {
            break;
        }
        assert!(began.elapsed() < LONGEST, "effects do not end: {due:?}");
        thread::sleep(Duration::from_millis(10));
    }
    let acknowledged = ordered.into_inner().expect("no panic");
    let (scripted, host) = (server.scripted.clone(), server.stop());
    let partition = host.processor().partition().clone();
    for number in &acknowledged {
        let known = host.processor().store().event(&partition, "stripe", &format!("evt_{number}")).expect("read");
        assert!(known.is_some(), "evt_{number} was acknowledged and is lost");
    }
    // Each resource of an instance is made under one key, however often its call was repeated.
    let mut keys: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
    for Entry { call, .. } in scripted.journal() {
        if let Some(name) = call.payload["name"].as_str().filter(|_| call.verb() == "ensure") {
            keys.entry((call.kind.clone(), name.to_owned())).or_default().insert(call.key.clone());
        }
    }
    assert!(keys.len() >= 3 * STEPS.len(), "{} resources", keys.len());
    for (resource, keys) in keys {
        assert_eq!(keys.len(), 1, "{resource:?}: {keys:?}");
    }
}

/// Returns the open effects that are due. A watch of an instance never ends.
fn due(host: &mut host_engine::Host) -> Vec<String> {
    let now = host.clock_mut().now();
    let processor = host.processor();
    let open = processor.store().effects_open_after(processor.partition(), 0, usize::MAX).expect("read");
    let due = open.into_iter().filter(|row| row.due_at <= now && row.effect.kind != "probe.watch");
    due.map(|row| format!("{} of {}, {:?}, {:?}", row.effect.key, row.scope.account, row.state, row.lease)).collect()
}

#[test]
fn signatures_are_judged_by_the_system_clock_after_each_jump() {
    let jumps = Jumps::default();
    let server = jumping(&jumps);
    let (start_s, body) = (server.signing_s(), subscribed(1, server.signing_s()));
    let status = |time_s: i64| signed_at(&server, time_s, &body);
    assert_eq!(status(start_s), 200);
    jumps.by(40 * DAY);
    assert_eq!(status(start_s), 400, "signed 40 days ago");
    assert_eq!(status(server.signing_s()), 200);
    let ahead = server.now();
    jumps.by(-40 * DAY);
    assert_eq!(status(server.signing_s()), 200, "signed now, though the host's clock is ahead");
    assert_eq!(status(start_s + 40 * DAY / 1_000), 400, "signed in 40 days");
    assert!(server.now() >= ahead, "the host's clock does not go back");
}
