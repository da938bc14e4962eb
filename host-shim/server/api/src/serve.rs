//! Accepts connections within their limits, and closes them gracefully.

use crate::at_once::AtOnce;
use crate::front::Front;
use crate::shares::{Peer, networks};
use axum::body::Body;
use host_business::routes::limits::{
    ADDRESS_CONNECTIONS_MAX, CONNECTIONS_MAX, HEAD_BYTES_MAX, HEAD_S_MAX, HEADERS_MAX, STOP_S_MAX, WRITE_S_MAX,
};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use std::convert::Infallible;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::{Instant, sleep, sleep_until, timeout_at};
use tokio_io_timeout::TimeoutStream;

/// The limits on connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// Maximum number of open connections; a further one waits to be accepted.
    pub open: usize,
    /// Maximum number of open connections from an address; a further one is closed. Connections of proxies that report their clients do
    /// not count.
    pub of_address: usize,
    /// Time in which the head of a request must arrive, including that of the next request on an open connection.
    pub head: Duration,
    /// Maximum length of the head of a request, in bytes.
    pub head_bytes: usize,
    /// Maximum number of headers.
    pub headers: usize,
    /// How long a client may read nothing of an answer before its connection is cut.
    pub write: Duration,
    /// Time for the requests that are being answered when the server stops.
    pub stop: Duration,
}

impl Default for ConnectionLimits {
    /// The limits of [`host_business::routes::limits`].
    fn default() -> Self {
        ConnectionLimits {
            open: CONNECTIONS_MAX,
            of_address: ADDRESS_CONNECTIONS_MAX,
            head: Duration::from_secs(HEAD_S_MAX),
            head_bytes: HEAD_BYTES_MAX,
            headers: HEADERS_MAX,
            write: Duration::from_secs(WRITE_S_MAX),
            stop: Duration::from_secs(STOP_S_MAX),
        }
    }
}

/// Wraps a connection so that it fails if a write makes no progress for a given time.
fn with_write_timeout<S: AsyncRead + AsyncWrite>(stream: S, within: Duration) -> Pin<Box<TimeoutStream<S>>> {
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(within));
    Box::pin(stream)
}

/// How a server ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Serving {
    /// Every request that had arrived was answered.
    Answered,
    /// Some requests were not answered in time, and their connections were cut.
    Cut,
}

/// Serves connections until `stop` completes. Then it answers the requests that have arrived. Meanwhile the port stays open, so that a
/// request that a proxy has just sent still gets an answer, but `/health` fails and each answer closes its connection. Finally it closes
/// the port and returns.
pub async fn serve(
    listener: TcpListener,
    front: Front,
    limits: ConnectionLimits,
    stop: impl Future<Output = ()>,
) -> Serving {
    let http = http(&limits);
    let open = Arc::new(Semaphore::new(limits.open));
    let of_addresses = Arc::new(AtOnce::default());
    let graceful = GracefulShutdown::new();
    let (alive, mut all_ended) = mpsc::channel(1);
    let begun = Begun { front: &front, limits: &limits, open: &open, of_addresses: &of_addresses, alive: &alive };
    let serving = Accepting { begun, http: &http, graceful: Some(&graceful) };
    tokio::pin!(stop);
    tokio::select! {
        () = serving.accept_all(&listener) => {}
        () = &mut stop => {}
    }
    front.begin_to_stop();
    let until = Instant::now() + limits.stop;
    let mut last = http.clone();
    // Each connection gets one more answer, which closes it.
    last.keep_alive(false);
    let serving = Accepting { begun, http: &last, graceful: None };
    tokio::select! {
        () = serving.accept_all(&listener) => {}
        () = graceful.shutdown() => {}
        () = sleep_until(until) => {}
    }
    serving.accept_waiting(listener);
    drop(alive);
    match timeout_at(until, all_ended.recv()).await {
        Ok(_) => Serving::Answered,
        Err(_) => Serving::Cut,
    }
}

fn http(limits: &ConnectionLimits) -> http1::Builder {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .max_buf_size(limits.head_bytes)
        .max_headers(limits.headers)
        .half_close(false);
    http
}

/// What all connections share.
#[derive(Clone, Copy)]
struct Begun<'s> {
    front: &'s Front,
    limits: &'s ConnectionLimits,
    open: &'s Arc<Semaphore>,
    of_addresses: &'s Arc<AtOnce<IpAddr>>,
    /// Each connection holds a copy until it ends.
    alive: &'s mpsc::Sender<Infallible>,
}

/// The state of the loop that accepts connections.
struct Accepting<'s> {
    begun: Begun<'s>,
    http: &'s http1::Builder,
    /// Closes the connections after the answers in progress; none for connections that close on their own after one answer. Those must not
    /// be asked to close: they would do so without reading a request that has arrived.
    graceful: Option<&'s GracefulShutdown>,
}

impl Accepting<'_> {
    /// Accepts connections until it is stopped.
    async fn accept_all(&self, listener: &TcpListener) {
        // The semaphore is never closed.
        while let Ok(permit) = self.begun.open.clone().acquire_owned().await {
            match listener.accept().await {
                Ok((stream, peer)) => self.begin(stream, peer, Some(permit)),
                // Too many open files, or a connection that ended before it was accepted.
                Err(_) => sleep(Duration::from_millis(10)).await,
            }
        }
    }

    /// Accepts the connections that the system has already taken, which would otherwise be reset when the port closes, and closes the
    /// port.
    fn accept_waiting(&self, listener: TcpListener) {
        // The runtime might not have learned of all of them yet.
        let Ok(listener) = listener.into_std() else { return };
        while let Ok((stream, peer)) = listener.accept() {
            if stream.set_nonblocking(true).is_ok()
                && let Ok(stream) = TcpStream::from_std(stream)
            {
                // The system limits their number.
                self.begin(stream, peer, None);
            }
        }
    }

    fn begin(&self, stream: TcpStream, peer: SocketAddr, permit: Option<OwnedSemaphorePermit>) {
        let address = peer.ip().to_canonical();
        let is_proxy = self.begun.front.state().rates.trusts(address);
        let most = |(network, times)| (network, self.begun.limits.of_address.saturating_mul(times as usize));
        let counted: Vec<(IpAddr, usize)> = networks(address).filter(|_| !is_proxy).map(most).collect();
        // The newest one is closed, because the others may be in use.
        let Some(of_address) = self.begun.of_addresses.begin(&counted) else { return };
        // Answers are written as a whole, so waiting for more data only delays them.
        let _ = stream.set_nodelay(true);
        let front = self.begun.front.clone();
        let service = service_fn(move |request: hyper::Request<Incoming>| {
            let front = front.clone();
            async move {
                let mut request = request.map(Body::new);
                request.extensions_mut().insert(Peer(peer));
                Ok::<_, Infallible>(front.answer(request).await)
            }
        });
        let stream = TokioIo::new(with_write_timeout(stream, self.begun.limits.write));
        let connection = self.http.serve_connection(stream, service);
        let answered: Pin<Box<dyn Future<Output = _> + Send>> = match self.graceful {
            Some(graceful) => Box::pin(graceful.watch(connection)),
            None => Box::pin(connection),
        };
        let held = (permit, of_address, self.begun.alive.clone());
        tokio::spawn(async move {
            // A connection cut by its client is not an error of the server.
            let _ = answered.await;
            drop(held);
        });
    }
}
