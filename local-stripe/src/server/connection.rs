//! Accepts connections, closes those of slow clients, and drops answers on request.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response as HttpResponse};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::api_faults::LostAnswer;

/// The pause after a connection can't be accepted, for example because no file descriptor is free.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// Serves until the future is dropped, which closes all connections. `patience` limits both the time for a request's head, including the
/// pause before the request, and the time for its body.
pub(super) async fn serve(listener: TcpListener, app: Router, patience: Duration) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            sleep(ACCEPT_AGAIN).await;
            continue;
        };
        while connections.try_join_next().is_some() {}
        // A failure is ignored: it only increases the latency.
        let _ = stream.set_nodelay(true);
        let app = app.clone();
        let service = service_fn(move |request| answer(app.clone(), request, patience));
        connections.spawn(async move {
            let mut http = http1::Builder::new();
            http.timer(TokioTimer::new()).header_read_timeout(patience);
            let connection = http.serve_connection(TokioIo::new(stream), service);
            // An error means that the client disconnected or broke the protocol; there is nobody to report it to.
            let _ = connection.with_upgrades().await;
        });
    }
}

/// Answers a request. After an error, hyper closes the connection without an answer. Only a request's body can take long, because the
/// handlers themselves do not wait.
async fn answer(app: Router, request: Request<Incoming>, patience: Duration) -> Result<HttpResponse<Body>, LostAnswer> {
    let Ok(answered) = timeout(patience, TowerToHyperService::new(app).call(request)).await else {
        return Err(LostAnswer::Cut);
    };
    let Ok(response) = answered;
    match response.extensions().get::<LostAnswer>() {
        None => Ok(response),
        Some(LostAnswer::Cut) => Err(LostAnswer::Cut),
        // hyper drops this future when the client closes the connection.
        Some(LostAnswer::Held) => std::future::pending().await,
    }
}
