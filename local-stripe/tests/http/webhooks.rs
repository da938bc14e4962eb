//! Deliveries of webhooks: signatures, order, retries after a failure, and configured faults.

use local_stripe::server::Options;
use local_stripe::settings::Settings;
use serde_json::Value;

use crate::client::{Client, id};
use crate::sink::{Delivery, Sink};

async fn endpoint(client: &Client, sink: &Sink, more: &str) -> Value {
    client.post("/v1/webhook_endpoints", &format!("url={}&enabled_events[]=*{more}", sink.url)).await
}

fn kinds(deliveries: &[Delivery]) -> Vec<String> {
    deliveries.iter().map(Delivery::kind).collect()
}

#[tokio::test]
async fn each_endpoint_gets_its_events_in_order_signed_and_in_its_version() {
    let (_server, client) = Client::start(Options::default()).await;
    let (old, new, few) = (Sink::start(&[]).await, Sink::start(&[]).await, Sink::start(&[]).await);
    let old_secret = endpoint(&client, &old, "&api_version=2020-08-27").await["secret"].as_str().unwrap().to_owned();
    let new_secret = endpoint(&client, &new, "").await["secret"].as_str().unwrap().to_owned();
    client.post("/v1/webhook_endpoints", &format!("url={}&enabled_events[]=price.created", few.url)).await;
    let product = id(&client.post("/v1/products", "name=Pro").await);
    client
        .post("/v1/prices", &format!("product={product}&currency=usd&unit_amount=2000&recurring[interval]=month"))
        .await;
    let (from_old, from_new, from_few) = (old.wait_for(2).await, new.wait_for(2).await, few.wait_for(1).await);
    assert_eq!(
        (kinds(&from_old), kinds(&from_new), kinds(&from_few)),
        (kinds(&from_new), vec!["product.created".into(), "price.created".into()], vec!["price.created".into()])
    );
    for (deliveries, secret, other) in [(&from_old, &old_secret, &new_secret), (&from_new, &new_secret, &old_secret)] {
        assert!(deliveries.iter().all(|d| d.is_signed_with(secret) && !d.is_signed_with(other)));
    }
    let (old_event, new_event) = (from_old[1].event(), from_new[1].event());
    assert_eq!((&old_event["id"], old_event["api_version"].as_str()), (&new_event["id"], Some("2020-08-27")));
    assert!(
        old_event["data"]["object"].get("tax_behavior").is_none()
            && new_event["data"]["object"].get("tax_behavior").is_some()
    );
}

#[tokio::test]
async fn a_rolled_secret_gives_two_signatures() {
    let (_server, client) = Client::start(Options::default()).await;
    let sink = Sink::start(&[]).await;
    let made = endpoint(&client, &sink, "").await;
    let old = made["secret"].as_str().unwrap().to_owned();
    let new =
        client.post(&format!("/_sandbox/webhook_endpoints/{}/roll_secret", id(&made)), "expires_in=60").await["secret"]
            .as_str()
            .unwrap()
            .to_owned();
    client.post("/v1/products", "name=a").await;
    sink.wait_for(1).await;
    client.post("/_sandbox/clock", "advance_by=61").await;
    client.post("/v1/products", "name=b").await;
    let deliveries = sink.wait_for(2).await;
    assert!(
        deliveries[0].is_signed_with(&new) && deliveries[0].is_signed_with(&old),
        "both while the old secret is valid"
    );
    assert!(deliveries[1].is_signed_with(&new) && !deliveries[1].is_signed_with(&old), "only the new one afterwards");
}

#[tokio::test]
async fn failures_and_redirects_are_retried() {
    let (_server, client) = Client::start(Options { retry_s: vec![0, 0], ..Options::default() }).await;
    let sink = Sink::start(&[500, 302]).await;
    endpoint(&client, &sink, "").await;
    client.post("/v1/products", "name=a").await;
    let deliveries = sink.wait_for(3).await;
    assert_eq!(kinds(&deliveries), ["product.created", "product.created", "product.created"]);
    let sink = Sink::start(&[500, 500, 500]).await;
    endpoint(&client, &sink, "").await;
    client.post("/v1/products", "name=b").await;
    sink.wait_for(3).await;
    let event = client.get("/v1/events?limit=1").await["data"][0].clone();
    client.post(&format!("/v1/events/{}/retry", id(&event)), "").await;
    assert_eq!(sink.wait_for(4).await.last().unwrap().event()["id"], event["id"], "given up, then resent manually");
}

async fn four_with(faults: &str, count: usize) -> (Vec<String>, Client, Sink) {
    let settings = Settings { faults: faults.parse().unwrap(), ..Settings::default() };
    let (server, client) = Client::start(Options { settings, ..Options::default() }).await;
    let sink = Sink::start(&[]).await;
    endpoint(&client, &sink, "").await;
    for name in ["a", "b", "c", "d"] {
        client.post("/v1/products", &format!("name={name}")).await;
    }
    let names = sink
        .wait_for(count)
        .await
        .iter()
        .map(|d| d.event()["data"]["object"]["name"].as_str().unwrap().to_owned())
        .collect();
    // The server is not dropped here: it runs until the test's runtime ends.
    std::mem::forget(server);
    (names, client, sink)
}

#[tokio::test]
async fn configured_faults_are_applied() {
    assert_eq!(four_with("duplicates", 8).await.0, ["a", "a", "b", "b", "c", "c", "d", "d"]);
    assert_eq!(four_with("burst=2,delay=1", 4).await.0, ["a", "b", "c", "d"]);
    let (twins, ..) = four_with("twins", 8).await;
    assert_eq!(twins, ["a", "a", "b", "b", "c", "c", "d", "d"]);
    let (mut shuffled, ..) = four_with("shuffle=4", 4).await;
    assert_ne!(shuffled, ["a", "b", "c", "d"]);
    shuffled.sort();
    assert_eq!(shuffled, ["a", "b", "c", "d"]);
    let (kept, client, sink) = four_with("lose=2", 2).await;
    assert_eq!(kept, ["a", "c"]);
    let lost = id(&client.get("/v1/events?limit=1").await["data"][0]);
    client.post(&format!("/v1/events/{lost}/retry"), "").await;
    assert_eq!(sink.wait_for(3).await[2].event()["data"]["object"]["name"], "d", "lost, then resent");
}

#[tokio::test]
async fn events_are_written_to_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let (_server, client) =
        Client::start(Options { events: Some(folder.path().join("events")), ..Options::default() }).await;
    client.post("/v1/products", "name=a").await;
    let files: Vec<_> = std::fs::read_dir(folder.path().join("events"))
        .unwrap()
        .map(|f| f.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(files.len() == 1 && files[0].starts_with("000001-product.created-evt_"), "{files:?}");
}

#[tokio::test]
async fn delivered_events_have_no_pending_webhooks() {
    let (_server, client) = Client::start(Options::default()).await;
    let sink = Sink::start(&[]).await;
    endpoint(&client, &sink, "").await;
    client.post("/v1/products", "name=Pro").await;
    let delivered = sink.wait_for(1).await[0].event();
    assert_eq!(delivered["pending_webhooks"], 1);
    let path = format!("/v1/events/{}", delivered["id"].as_str().unwrap());
    for _ in 0..100 {
        if client.get(&path).await["pending_webhooks"] == 0 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("still pending two seconds after its delivery");
}

#[tokio::test]
async fn events_of_connected_accounts_go_to_subscribed_endpoints() {
    let (_server, client) = Client::start(Options::default()).await;
    let (own, connected) = (Sink::start(&[]).await, Sink::start(&[]).await);
    endpoint(&client, &own, "").await;
    endpoint(&client, &connected, "&connect=true").await;
    let seller = id(&client.post("/v1/accounts", "type=express").await);
    client.post(&format!("/v1/accounts/{seller}"), "business_profile[name]=Shop").await;
    client.post("/v1/products", "name=Pro").await;
    let (from_own, from_connected) = (own.wait_for(1).await, connected.wait_for(1).await);
    assert_eq!(
        (kinds(&from_own), kinds(&from_connected)),
        (vec!["product.created".into()], vec!["account.updated".into()])
    );
    assert_eq!(from_connected[0].event()["account"], seller.as_str());
}
