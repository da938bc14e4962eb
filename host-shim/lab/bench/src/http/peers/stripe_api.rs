//! Serves the objects of the stream as a Stripe API, because dj-stripe ignores the object in a webhook and fetches it by its id.

use crate::corpus;
use crate::http::Stream;
use anyhow::Result;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::routing::get;
use axum::{Router, response::IntoResponse};
use serde_json::{Value, json};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};

/// A server that stops when it is dropped.
pub struct StripeApi {
    address: SocketAddr,
    round: Arc<AtomicUsize>,
    _runtime: Runtime,
}

#[derive(Clone)]
struct Objects {
    stream: Stream,
    round: Arc<AtomicUsize>,
}

impl StripeApi {
    /// Starts a server with the stream's objects as they are in round 0.
    pub fn start(stream: Stream) -> Result<StripeApi> {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let round = Arc::new(AtomicUsize::new(0));
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))?;
        let address = listener.local_addr()?;
        let app = Router::new()
            .route("/v1/account", get(async || json_of(&json!({"id": "acct_bench", "object": "account"}))))
            .route("/v1/{kind}/{id}", get(object))
            .route("/v1/{kind}/{id}/{list}", get(list))
            .with_state(Objects { stream, round: round.clone() });
        // The server runs as long as the runtime lives.
        runtime.spawn(async { axum::serve(listener, app).await });
        Ok(StripeApi { address, round, _runtime: runtime })
    }

    /// Returns the server's address, without a trailing slash.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Updates the objects to those of this round.
    pub fn set_round(&self, round: usize) {
        self.round.store(round, Ordering::Relaxed);
    }
}

fn json_of(value: &Value) -> impl IntoResponse + use<> {
    ([(header::CONTENT_TYPE, "application/json")], value.to_string())
}

async fn object(
    State(objects): State<Objects>,
    Path((kind, id)): Path<(String, String)>,
) -> Result<impl IntoResponse, StatusCode> {
    let start_s = objects.stream.start_s;
    let plain =
        |object: &str| Some(json!({"id": id, "object": object, "created": start_s, "livemode": false, "metadata": {}}));
    let found = match kind.as_str() {
        "subscriptions" => subscription(&objects, &id),
        "customers" => plain("customer"),
        "products" => plain("product"),
        _ => None,
    };
    found.map(|object| json_of(&object)).ok_or(StatusCode::NOT_FOUND)
}

/// Returns the subscription as the event of this round shows it.
fn subscription(objects: &Objects, id: &str) -> Option<Value> {
    let customer = id.strip_prefix("sub_")?.parse().ok()?;
    let body = corpus::body_since(objects.stream.start_s, customer, objects.round.load(Ordering::Relaxed)).ok()?;
    let mut event: Value = serde_json::from_slice(&body).ok()?;
    Some(event["data"]["object"].take())
}

/// Answers with an empty list, because the stream has no product features.
async fn list() -> impl IntoResponse {
    json_of(&json!({"object": "list", "data": [], "has_more": false, "url": "/v1"}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subscription_is_that_of_its_rounds_event() {
        let stream = Stream { start_s: 1_800_000_000, customers: 3 };
        let objects = Objects { stream, round: Arc::new(AtomicUsize::new(1)) };
        let id = format!("sub_{:020}", 2);
        let first = subscription(&objects, &id).expect("a value");
        assert_eq!((&first["id"], &first["object"]), (&json!(id), &json!("subscription")));
        objects.round.store(2, Ordering::Relaxed);
        let second = subscription(&objects, &id).expect("a value");
        assert_ne!(first["plan"]["id"], second["plan"]["id"]);
        assert_eq!(subscription(&objects, "cus_1"), None);
    }
}
