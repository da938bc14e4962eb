//! The address that webhooks come to: each request waits until whoever plays has taken it in and answered.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::routing::post;
use host::clock::Clock;
use host_intake::body::BODY_BYTES_MAX;
use host_replay::beside::{BesideError, Delivery};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

/// A small server on 127.0.0.1; it ends with its runtime.
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
            // It ends with the runtime.
            let _ = axum::serve(listener, app).await;
        });
        Ok(Hook { address, deliveries: Mutex::new(deliveries) })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The next delivery, if one comes in time.
    pub(crate) fn next(&self, wait: Duration) -> Result<Option<Delivery>, BesideError> {
        let deliveries = self.deliveries.lock().unwrap_or_else(PoisonError::into_inner);
        match deliveries.recv_timeout(wait) {
            Ok(delivery) => Ok(Some(delivery)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(BesideError::Gone("nothing hears its webhooks".to_owned())),
        }
    }
}

/// Where deliveries go.
#[derive(Clone)]
struct Queue(Sender<Delivery>);

/// Hands a request over, and answers as it is told.
async fn take(State(Queue(queue)): State<Queue>, uri: Uri, headers: HeaderMap, body: Bytes) -> StatusCode {
    let (answer, answered) = oneshot::channel();
    let headers = headers.iter().map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec()));
    let delivery = Delivery {
        path: uri.path().to_owned(),
        headers: headers.collect(),
        body: body.to_vec(),
        at: Clock::system().latest(),
        // The sender has hung up where nobody waits for the answer.
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
