//! The state file: acknowledged requests survive a kill as a whole, and only one process can use the file.
//!
//! The variable `KILLS` sets the number of kills of a running process.

use std::time::Duration;

use local_stripe::sandbox::{Request, Sandbox, json_of, own_request};
use local_stripe::server::{Options, Server};
use local_stripe::settings::{Faults, Settings};
use local_stripe::store::{Given, StoreError};
use serde_json::Value;

use crate::client::{Client, id};
use crate::process::{refusal, start, start_with};
use crate::sink::Sink;

/// The default number of kills.
const KILLS_DEFAULT: usize = 10;

/// Creates objects until the server is killed. Returns the ids of the acknowledged objects.
async fn make(client: Client, path: &str, form: &str) -> Vec<String> {
    let mut acknowledged = Vec::new();
    while let Some(answer) =
        client.try_send("POST", path, &[("authorization", "Bearer sk_test_x")], form.to_owned()).await
    {
        assert_eq!(answer.status, 200, "{}", answer.text);
        acknowledged.push(id(&answer.json()));
    }
    acknowledged
}

#[tokio::test(flavor = "multi_thread")]
async fn acknowledged_requests_survive_kills() {
    let kills = test_support::count("KILLS", KILLS_DEFAULT) as u64;
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let mut acknowledged = Vec::new();
    for round in 0..kills {
        let running = start(&state);
        let busy = [
            ("/v1/customers", "name=a"),
            ("/v1/payment_intents", "amount=500&currency=usd&confirm=true&payment_method=pm_card_visa"),
            ("/v1/customers", "name=b&payment_method=pm_card_visa"),
        ]
        .map(|(path, form)| tokio::spawn(make(running.client.clone(), path, form)));
        // The server is killed at an arbitrary moment, so there is no event to wait for.
        tokio::time::sleep(Duration::from_millis(5 + round * 7 % 60)).await;
        drop(running);
        for task in busy {
            acknowledged.extend(task.await.unwrap());
        }
    }
    assert!(acknowledged.len() > 2 * kills as usize, "only {} calls were made", acknowledged.len());
    let sandbox = Sandbox::open(&state, Settings::default(), &[]).unwrap();
    let state = sandbox.state();
    for id in &acknowledged {
        assert!(state.seek(id).is_some(), "{id} is lost");
    }
    // Each request is stored as a whole: a paid intent with its charge, its balance transaction and three events.
    for intent in state.newest("payment_intent", None) {
        let charge =
            state.seek(intent.text("latest_charge")).unwrap_or_else(|| panic!("{} has no charge", intent.id()));
        assert!(intent.text("status") == "succeeded" && state.seek(charge.text("balance_transaction")).is_some());
    }
    let intents = state.count("payment_intent");
    assert_eq!((state.count("charge"), state.count("balance_transaction")), (intents, intents));
    let events = |kind: &str| {
        let kind = kind.to_owned();
        state.newest_events(None, move |k| k == kind).count()
    };
    assert_eq!([events("charge.succeeded"), events("payment_intent.succeeded")], [intents, intents]);
    assert_eq!(events("customer.created"), state.count("customer"));
    assert!(state.take_failure().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn delivered_events_are_not_delivered_again() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let sink = Sink::start(&[]).await;
    for name in ["a", "b"] {
        let running = start(&state);
        if name == "a" {
            running.client.post("/v1/webhook_endpoints", &format!("url={}&enabled_events[]=*", sink.url)).await;
        }
        running.client.post("/v1/products", &format!("name={name}")).await;
        sink.wait_for(if name == "a" { 1 } else { 2 }).await;
        // The delivery progress is stored every few milliseconds.
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let names: Vec<String> =
        sink.deliveries().iter().map(|d| d.event()["data"]["object"]["name"].as_str().unwrap().to_owned()).collect();
    assert_eq!(names, ["a", "b"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_file_is_used_by_one_process_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let running = start(&state);
    let words = refusal(&state, &[]);
    assert!(words.contains("is in use by another process"), "{words}");
    assert!(words.contains(&state.display().to_string()), "{words}");
    let within = Server::start(Options { state: Some(state.clone()), ..Options::default() }).await.err().unwrap();
    assert!(within.to_string().contains("in use"), "{within}");
    running.client.post("/v1/customers", "name=a").await;
    drop(running);
    assert_eq!(Sandbox::open(&state, Settings::default(), &[]).unwrap().state().count("customer"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_seed_or_start_that_differs_from_the_stored_one_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    drop(start(&state));
    for (arguments, words) in [
        (["--seed", "6"], "--seed 6 is refused"),
        (["--seed", "0"], "was created with 5"),
        (["--clock", "1793491201"], "--clock 1793491201 is refused"),
    ] {
        let said = refusal(&state, &arguments);
        assert!(said.contains(words), "{arguments:?}: {said}");
    }
}

#[test]
fn given_settings_replace_the_stored_ones() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    let faults: Faults = "twins".parse().unwrap();
    let first = Settings { seed: 9, dunning: "1:unpaid".parse().unwrap(), ..Settings::default() };
    drop(Sandbox::open(&path, first.clone(), &[]).unwrap());
    let given = [Given::Seed, Given::Start, Given::Faults];
    let second = Settings { seed: 9, faults: faults.clone(), ..Settings::default() };
    let expected = Settings { faults, ..first };
    let mut sandbox = Sandbox::open(&path, second, &given).unwrap();
    assert_eq!(sandbox.state().settings, expected);
    assert_eq!(sandbox.handle(&own_request("GET", "/v1/customers", &[])).status, 200);
    drop(sandbox);
    assert_eq!(Sandbox::open(&path, Settings::default(), &[]).unwrap().state().settings, expected);
}

/// Returns calls with different outcomes: successful, declined, refused, with an idempotency key, and with an advanced
/// clock.
fn calls() -> Vec<Request> {
    let mut calls = vec![
        own_request("POST", "/v1/customers", &[("name", "ä"), ("payment_method", "pm_card_visa")]),
        own_request(
            "POST",
            "/v1/payment_intents",
            &[
                ("amount", "500"),
                ("currency", "usd"),
                ("confirm", "true"),
                ("payment_method", "pm_card_chargeDeclined"),
            ],
        ),
        own_request("POST", "/v1/customers", &[("nonsense", "a")]),
        own_request("POST", "/v1/products", &[("name", "Pro"), ("id", "own"), ("default_price_data[currency]", "usd")]),
        own_request("POST", "/v1/products", &[("name", "Pro"), ("id", "own")]),
        own_request("POST", "/_sandbox/clock", &[("advance_by", "100")]),
        own_request("POST", "/_sandbox/settings", &[("dunning", "1:unpaid"), ("faults", "nonsense")]),
        own_request("DELETE", "/v1/products/own", &[]),
    ];
    let keyed = Request { idempotency_key: Some("k".into()), ..calls[0].clone() };
    // The read-only calls come last: after a restart, their request numbers may be used again.
    calls.extend([keyed.clone(), keyed]);
    calls.extend(["/v1/events", "/v1/customers"].map(|path| own_request("GET", path, &[("limit", "100")])));
    calls
}

fn everything(sandbox: &Sandbox) -> Vec<Value> {
    let state = sandbox.state();
    let kinds = ["customer", "payment_method", "payment_intent", "charge", "balance_transaction", "product", "price"];
    let objects = kinds.iter().flat_map(|kind| state.newest(kind, None).map(|o| o.value()));
    let events = state.events().into_iter().map(|e| serde_json::to_value(&*e).unwrap());
    objects.chain(events).collect()
}

#[test]
fn a_restart_after_each_call_changes_no_response() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    let mut lasting = Sandbox::new(Settings::default());
    for call in calls() {
        let mut sandbox = Sandbox::open(&path, Settings::default(), &[]).unwrap();
        assert_eq!(sandbox.handle(&call).body, lasting.handle(&call).body, "{call:?}");
        assert!(everything(&sandbox) == everything(&lasting), "{call:?}");
        assert_eq!(sandbox.state().settings, lasting.state().settings, "{call:?}");
    }
    assert!(everything(&lasting).len() > 10);
}

#[test]
fn a_failed_request_is_rolled_back() {
    let (mut tried, mut untried) = (Sandbox::new(Settings::default()), Sandbox::new(Settings::default()));
    let customer = own_request("POST", "/v1/customers", &[("name", "a")]);
    for sandbox in [&mut tried, &mut untried] {
        assert_eq!(sandbox.handle(&customer).status, 200);
    }
    let before = everything(&tried);
    let failing = [
        // This call creates the card before it finds the invalid default.
        own_request(
            "POST",
            "/v1/customers",
            &[("payment_method", "pm_card_visa"), ("invoice_settings[default_payment_method]", "pm_none")],
        ),
        own_request(
            "POST",
            "/v1/products",
            &[("name", "a"), ("default_price_data[currency]", "usd"), ("expand[]", "no")],
        ),
        own_request("POST", "/_sandbox/settings", &[("dunning", "1:unpaid"), ("faults", "nonsense")]),
    ];
    for call in &failing {
        let refused = tried.handle(call);
        assert_eq!(refused.status, 400, "{call:?}: {}", refused.body);
    }
    assert!(everything(&tried) == before);
    assert_eq!(tried.state().settings, Settings::default());
    assert_eq!(json_of(&tried.handle(&customer)), json_of(&untried.handle(&customer)), "not even an id is used");
}

#[test]
fn a_journal_of_an_older_version_is_refused_and_unchanged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    for text in ["{\"local_stripe\":1}\n".to_owned(), "x".repeat(10_000)] {
        std::fs::write(&path, &text).unwrap();
        let refused = Sandbox::open(&path, Settings::default(), &[]).err().unwrap();
        assert!(matches!(refused, StoreError::Format { .. }), "{refused}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no other file is created");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_clock_of_the_program_follows_the_machines_unless_a_time_is_given() {
    let folder = tempfile::tempdir().unwrap();
    let wall_s = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() as i64;
    for (more, expected_s, tolerance_s) in [(vec![], wall_s, 60), (vec!["--clock", "1767225600"], 1_767_225_600, 0)] {
        let running = start_with(&folder.path().join(expected_s.to_string()), &more);
        let now_s = running.client.get("/_sandbox/clock").await["now"].as_i64().unwrap();
        assert!((now_s - expected_s).abs() <= tolerance_s, "{more:?}: {now_s}");
    }
}
