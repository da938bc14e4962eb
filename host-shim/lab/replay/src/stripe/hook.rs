//! The HTTP server that receives webhooks. Each request waits until the replay has handled it and set a status.

use crate::local_stripe::{Delivery, StripeServerError};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::routing::post;
use host_engine::clock::Clock;
use host_intake::body::BODY_BYTES_MAX;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

/// A small server on 127.0.0.1. It stops with its runtime.
pub(crate) struct Hook {
    address: SocketAddr,
    deliveries: Mutex<Receiver<Delivery>>,
}

impl Hook {
    pub(crate) fn start(runtime: &Runtime) -> std::io::Result<Hook> {
        let (sender, deliveries) = channel();
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))?;
        let address = listener.local_addr()?;
        let app =
            Router::new().fallback(post(take)).layer(DefaultBodyLimit::max(BODY_BYTES_MAX)).with_state(Queue(sender));
        runtime.spawn(async move {
            // The server stops with the runtime.
            let _ = axum::serve(listener, app).await;
        });
        Ok(Hook { address, deliveries: Mutex::new(deliveries) })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns the next delivery; none if no delivery arrives within `wait`.
    pub(crate) fn next(&self, wait: Duration) -> Result<Option<Delivery>, StripeServerError> {
        let deliveries = self.deliveries.lock().unwrap_or_else(PoisonError::into_inner);
        match deliveries.recv_timeout(wait) {
            Ok(delivery) => Ok(Some(delivery)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => {
                Err(StripeServerError::Unavailable("its webhook receiver has stopped".to_owned()))
            }
        }
    }
}

/// The queue of deliveries.
#[derive(Clone)]
struct Queue(Sender<Delivery>);

/// Queues a request and responds with the status that the replay sets.
async fn take(State(Queue(queue)): State<Queue>, uri: Uri, headers: HeaderMap, body: Bytes) -> StatusCode {
    let (answer, answered) = oneshot::channel();
    let headers = headers.iter().map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec()));
    let delivery = Delivery {
        path: uri.path().to_owned(),
        headers: headers.collect(),
        body: body.to_vec(),
        at: Clock::system().latest(),
        // Sending fails if the client has disconnected.
        answer: Box::new(move |status| {
            let _ = answer.send(status);
        }),
    };
    if queue.send(delivery).is_err() {
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    let status = answered.await.ok().and_then(|status| StatusCode::from_u16(status).ok());
    status.unwrap_or(StatusCode::SERVICE_UNAVAILABLE)
}
