//! The reset of a running sandbox, and the objects of a fixtures file.

use std::path::PathBuf;

use local_stripe::fixtures::{FixtureError, Fixtures};
use local_stripe::server::{Options, Server, ServerError};
use local_stripe::settings::START_S;
use local_stripe::store::StoreError;
use serde_json::{Value, json};

use crate::client::{Client, id};
use crate::sink::Sink;

#[tokio::test]
async fn a_reset_empties_the_sandbox_and_keeps_the_endpoint_of_the_command_line() {
    let (server, client) = Client::start(Options::default()).await;
    let (kept, other) = (Sink::start(&[]).await, Sink::start(&[500, 500, 500, 500]).await);
    let endpoint = client.post("/v1/webhook_endpoints", &format!("url={}&enabled_events[]=*", kept.url)).await;
    server.keep_endpoint(&id(&endpoint)).unwrap();
    client.post("/v1/webhook_endpoints", &format!("url={}&enabled_events[]=*", other.url)).await;
    client.post("/_sandbox/settings", "dunning=1:unpaid").await;
    let headers = [("authorization", "Bearer sk_test_x"), ("idempotency-key", "k")];
    let before = client.send("POST", "/v1/customers", &headers, "name=a").await.json();
    client.post("/_sandbox/clock", "advance_by=86400").await;
    client.post("/_sandbox/api_faults", "answer=500&times=5").await;
    kept.wait_for(1).await;
    let reset = client.post("/_sandbox/reset", "").await;
    assert_eq!(reset, json!({ "object": "sandbox.reset", "now": START_S, "kept": [endpoint["id"]] }));
    for path in ["/v1/customers", "/v1/events"] {
        assert_eq!(client.get(path).await["data"], json!([]), "{path}");
    }
    let endpoints = client.get("/v1/webhook_endpoints").await;
    assert_eq!((&endpoints["data"][0]["id"], endpoints["data"].as_array().unwrap().len()), (&endpoint["id"], 1));
    assert_eq!(client.get("/_sandbox/clock").await["now"], START_S);
    assert_eq!(client.get("/_sandbox/settings").await["dunning"]["end"], "unpaid");
    // The key is free again, and no id is used twice.
    let after = client.send("POST", "/v1/customers", &headers, "name=b").await.json();
    assert_ne!(id(&after), id(&before));
    assert_eq!(client.get("/v1/events").await["data"].as_array().unwrap().len(), 1);
    let delivered = kept.wait_for(2).await;
    assert!(delivered[1].is_signed_with(endpoint["secret"].as_str().unwrap()));
    assert_eq!(delivered[1].event()["data"]["object"]["id"], after["id"]);
    // The failed deliveries of removed events are not retried.
    while server.undelivered() > 0 {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

/// Starts a server with the state file of a server that was dropped, as soon as that one has closed the file.
async fn start_again(options: Options) -> (Server, Client) {
    loop {
        match Server::start(options.clone()).await {
            Ok(server) => {
                let client = Client::new(&server.url());
                return (server, client);
            }
            Err(ServerError::State(StoreError::InUse { .. })) => tokio::task::yield_now().await,
            Err(error) => panic!("{error}"),
        }
    }
}

#[tokio::test]
async fn a_reset_is_stored_in_the_state_file() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options { state: Some(folder.path().join("state")), ..Options::default() };
    {
        let (_server, client) = Client::start(options.clone()).await;
        client.post("/v1/customers", "name=a").await;
        client.post("/_sandbox/reset", "").await;
        client.post("/v1/products", "name=b").await;
    }
    let (_server, client) = start_again(options).await;
    assert_eq!(client.get("/v1/customers").await["data"], json!([]));
    let events = client.get("/v1/events").await;
    let kinds: Vec<&Value> = events["data"].as_array().unwrap().iter().map(|event| &event["type"]).collect();
    assert_eq!(kinds, ["product.created"]);
}

fn written(folder: &tempfile::TempDir, file: &Value) -> PathBuf {
    let path = folder.path().join("fixtures.json");
    std::fs::write(&path, file.to_string()).unwrap();
    path
}

fn shop() -> Value {
    json!({
        "_meta": { "template_version": 0 },
        "fixtures": [
            { "name": "pro", "path": "/v1/products", "method": "post", "params": { "id": "prod_pro", "name": "Pro" } },
            {
                "name": "monthly", "path": "/v1/prices", "method": "post",
                "params": {
                    "id": "price_pro_monthly", "product": "${pro:id}", "currency": "usd", "unit_amount": 2000,
                    "recurring": { "interval": "month" }, "lookup_key": null,
                },
            },
            {
                "name": "half", "path": "/v1/coupons", "method": "post",
                "params": { "id": "HALF", "percent_off": 50, "duration": "forever" },
            },
            {
                "name": "ada", "path": "/v1/customers", "method": "post",
                "params": {
                    "id": "cus_ada", "name": "Owner of ${pro:name} (${pro:nothing|a plan})", "payment_method": "pm_card_visa",
                    "invoice_settings": { "default_payment_method": "pm_card_visa" },
                },
            },
            {
                "name": "bought", "path": "/v1/subscriptions", "method": "post",
                "params": { "customer": "${ada:id}", "items": [{ "price": "${monthly:id}", "quantity": 2 }] },
            },
            {
                "name": "more", "path": "/v1/subscriptions/${bought:id}", "method": "post",
                "params": { "items": [{ "id": "${bought:items.data.0.id}", "quantity": 3 }], "proration_behavior": "none" },
            },
            {
                "name": "missing", "path": "/v1/customers/cus_none", "method": "get",
                "expected_error_type": "invalid_request_error",
            },
        ],
    })
}

#[tokio::test]
async fn fixtures_are_created_at_the_start_and_after_a_reset() {
    let folder = tempfile::tempdir().unwrap();
    let fixtures = Fixtures::read(&written(&folder, &shop())).unwrap();
    let options = Options { fixtures, state: Some(folder.path().join("state")), ..Options::default() };
    let (server, client) = Client::start(options.clone()).await;
    for round in ["after the start", "after a reset"] {
        let price = client.get("/v1/prices/price_pro_monthly").await;
        assert_eq!((&price["product"], &price["unit_amount"]), (&json!("prod_pro"), &json!(2_000)), "{round}");
        assert_eq!(client.get("/v1/coupons/HALF").await["percent_off"], 50.0);
        let customer = client.get("/v1/customers/cus_ada").await;
        assert_eq!(customer["name"], "Owner of Pro (a plan)");
        let subs = client.get("/v1/subscriptions?customer=cus_ada").await;
        assert_eq!((&subs["data"][0]["quantity"], &subs["data"][0]["status"]), (&json!(3), &json!("active")));
        client.form("DELETE", "/v1/customers/cus_ada", "").await;
        if round == "after the start" {
            client.post("/_sandbox/reset", "").await;
        }
    }
    drop((server, client));
    // An existing account does not get the fixtures again.
    let (_server, client) = start_again(options).await;
    assert_eq!(client.get("/v1/customers/cus_ada").await["deleted"], true);
}

#[tokio::test]
async fn invalid_fixtures_stop_the_start_with_the_name_of_the_fixture() {
    let folder = tempfile::tempdir().unwrap();
    let one = |change: Value| {
        let mut fixture =
            json!({ "name": "one", "path": "/v1/products", "method": "post", "params": { "name": "Pro" } });
        for (name, value) in change.as_object().unwrap() {
            fixture[name] = value.clone();
        }
        json!({ "_meta": { "template_version": 0 }, "fixtures": [fixture] })
    };
    for (file, words) in [
        (one(json!({ "params": { "nam": "Pro" } })), "the fixture one: Received unknown parameter: nam"),
        (one(json!({ "params": { "name": "${two:id}" } })), "the fixture one: ${two:id} refers to no member"),
        (
            one(json!({ "expected_error_type": "card_error" })),
            "the fixture one: expected an error of the type card_error",
        ),
        (
            one(json!({ "path": "/v1/prices", "params": { "id": "a.b", "currency": "usd" } })),
            "the fixture one: Invalid id",
        ),
    ] {
        let fixtures = Fixtures::read(&written(&folder, &file)).unwrap();
        let Err(ServerError::Fixtures(error)) = Server::start(Options { fixtures, ..Options::default() }).await else {
            panic!("it started: {file}")
        };
        assert!(error.to_string().starts_with(words), "{error}");
    }
    let mut newer = shop();
    newer["_meta"]["template_version"] = json!(1);
    assert!(matches!(Fixtures::read(&written(&folder, &newer)), Err(FixtureError::Version(1))));
    let unknown = one(json!({ "api_base": "http://x" }));
    assert!(matches!(Fixtures::read(&written(&folder, &unknown)), Err(FixtureError::Json { .. })));
    assert!(matches!(Fixtures::read(&folder.path().join("none")), Err(FixtureError::Io { .. })));
}
