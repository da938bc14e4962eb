//! Answers that are lost on request: the connection is closed, or kept open without an answer.

use std::time::Duration;

use local_stripe::server::Options;

use crate::client::{Client, id};

const HEADERS: &[(&str, &str)] = &[("authorization", "Bearer sk_test_x"), ("idempotency-key", "k")];

#[tokio::test]
async fn a_cut_connection_gives_no_answer_and_the_retry_gets_the_stored_one() {
    let (_server, client) = Client::start(Options::default()).await;
    client.post("/_sandbox/api_faults", "answer=cut&done=true").await;
    assert!(client.try_send("POST", "/v1/customers", HEADERS, "name=a").await.is_none());
    let made = client.get("/v1/customers").await["data"].clone();
    assert_eq!(made.as_array().unwrap().len(), 1);
    let again = client.send("POST", "/v1/customers", HEADERS, "name=a").await;
    assert_eq!((again.header("idempotent-replayed"), id(&again.json())), ("true", id(&made[0])));
}

#[tokio::test]
async fn a_held_connection_waits_until_the_client_gives_up() {
    let (_server, client) = Client::start(Options::default()).await;
    client.post("/_sandbox/api_faults", "answer=held&done=true&method=POST").await;
    let held = client.clone();
    let waiting =
        tokio::spawn(async move { held.try_send("POST", "/v1/customers", HEADERS, "name=a").await.is_some() });
    // The request is carried out although its client still waits.
    while client.get("/v1/customers").await["data"].as_array().unwrap().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(!waiting.is_finished());
    waiting.abort();
    assert!(waiting.await.unwrap_err().is_cancelled());
    let again = client.send("POST", "/v1/customers", HEADERS, "name=a").await;
    assert_eq!((again.status, again.header("idempotent-replayed")), (200, "true"));
    assert_eq!(client.get("/v1/customers").await["data"].as_array().unwrap().len(), 1);
}
