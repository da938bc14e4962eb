//! A webhook endpoint that records its deliveries.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use local_stripe::webhook::signature;
use serde_json::Value;
use tokio::sync::Notify;

#[derive(Clone)]
pub struct Delivery {
    pub signature: String,
    pub body: String,
}

impl Delivery {
    pub fn event(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    pub fn kind(&self) -> String {
        self.event()["type"].as_str().unwrap().to_owned()
    }

    /// Whether one of the signatures is valid for this secret.
    pub fn is_signed_with(&self, secret: &str) -> bool {
        let mut parts = self.signature.split(',');
        let time: i64 = parts.next().and_then(|t| t.strip_prefix("t=")).and_then(|t| t.parse().ok()).unwrap();
        let expected = signature::sign(secret, time, self.body.as_bytes());
        parts.any(|p| p.strip_prefix("v1=") == Some(&expected))
    }
}

#[derive(Default)]
struct SinkState {
    deliveries: Mutex<Vec<Delivery>>,
    answers: Mutex<VecDeque<u16>>,
    arrived: Notify,
}

#[derive(Clone)]
pub struct Sink {
    pub url: String,
    kept: Arc<SinkState>,
}

impl Sink {
    /// Starts an endpoint. It responds with these statuses, one for each request, and then with 200.
    pub async fn start(answers: &[u16]) -> Self {
        let kept =
            Arc::new(SinkState { answers: Mutex::new(answers.iter().copied().collect()), ..SinkState::default() });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let app = Router::new().fallback(record).with_state(Arc::clone(&kept));
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { url, kept }
    }

    pub fn deliveries(&self) -> Vec<Delivery> {
        self.kept.deliveries.lock().unwrap().clone()
    }

    /// Waits until this number of deliveries has arrived, and returns all deliveries.
    pub async fn wait_for(&self, count: usize) -> Vec<Delivery> {
        let wait = async {
            loop {
                let arrived = self.kept.arrived.notified();
                let deliveries = self.deliveries();
                if deliveries.len() >= count {
                    return deliveries;
                }
                arrived.await;
            }
        };
        let so_far = || self.deliveries().iter().map(Delivery::kind).collect::<Vec<_>>();
        tokio::time::timeout(Duration::from_secs(20), wait)
            .await
            .unwrap_or_else(|_| panic!("expected {count} deliveries, received: {:?}", so_far()))
    }
}

async fn record(State(kept): State<Arc<SinkState>>, headers: HeaderMap, body: String) -> StatusCode {
    let signature = headers["stripe-signature"].to_str().unwrap().to_owned();
    kept.deliveries.lock().unwrap().push(Delivery { signature, body });
    kept.arrived.notify_waiters();
    let answer = kept.answers.lock().unwrap().pop_front().unwrap_or(200);
    StatusCode::from_u16(answer).unwrap()
}
