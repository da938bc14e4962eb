//! Accepts connections, closes those of slow clients and of ambiguous requests, and loses answers on request.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response as HttpResponse};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::{Sleep, sleep};

use super::framing::Framing;
use crate::api_faults::LostAnswer;

/// The pause after a connection can't be accepted, for example because no file descriptor is free.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);
/// The maximum number of bytes of one read.
const READ_BYTES: usize = 16 * 1024;
/// The bytes that replace a refused request, so that hyper responds with 400 and closes the connection.
const REFUSED: &[u8] = b"\0\r\n\r\n";

/// Serves until the future is dropped, which closes all connections. `patience` limits three times: the time for a
/// request's head, including the pause before the request; the time for its body; and the time in which the client must
/// accept the next bytes of a response.
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
        let service = service_fn(move |request| answer(app.clone(), request));
        connections.spawn(async move {
            let mut http = http1::Builder::new();
            http.timer(TokioTimer::new()).header_read_timeout(patience);
            let connection = http.serve_connection(TokioIo::new(Guarded::new(stream, patience)), service);
            // An error means that the client disconnected or broke the protocol; there is nobody to report it to.
            let _ = connection.with_upgrades().await;
        });
    }
}

/// Answers a request. After an error, hyper closes the connection without an answer.
async fn answer(app: Router, request: Request<Incoming>) -> Result<HttpResponse<Body>, LostAnswer> {
    let Ok(response) = TowerToHyperService::new(app).call(request).await;
    match response.extensions().get::<LostAnswer>() {
        None => Ok(response),
        Some(LostAnswer::Cut) => Err(LostAnswer::Cut),
        // hyper drops this future when the client closes the connection.
        Some(LostAnswer::Held) => std::future::pending().await,
    }
}

/// A timeout.
#[derive(Debug)]
struct Timeout {
    patience: Duration,
    end: Option<Pin<Box<Sleep>>>,
}

impl Timeout {
    /// Fails if the timeout is over. The time counts from the first call after [`Timeout::clear`].
    fn check(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        let end = self.end.get_or_insert_with(|| Box::pin(sleep(self.patience)));
        match end.as_mut().poll(context) {
            Poll::Ready(()) => Err(io::ErrorKind::TimedOut.into()),
            Poll::Pending => Ok(()),
        }
    }

    fn clear(&mut self) {
        self.end = None;
    }
}

/// A connection that passes on only what [`Framing`] allows, and fails if the client is slow.
#[derive(Debug)]
struct Guarded<I> {
    io: I,
    framing: Framing,
    /// The received bytes that are not passed on yet.
    held: Vec<u8>,
    /// The number of bytes at the start of `held` that may be passed on.
    passed: usize,
    body: Timeout,
    answer: Timeout,
}

impl<I> Guarded<I> {
    fn new(io: I, patience: Duration) -> Self {
        let limit = || Timeout { patience, end: None };
        Self { io, framing: Framing::new(), held: Vec::new(), passed: 0, body: limit(), answer: limit() }
    }

    /// Passes bytes on to hyper. Returns `false` if more input is needed first.
    fn pass_on(&mut self, out: &mut ReadBuf<'_>) -> bool {
        if self.passed == 0 && !self.held.is_empty() {
            let refused_before = self.framing.is_refused();
            if let Some(passed) = self.framing.pass(&self.held) {
                self.passed = passed;
            } else if refused_before {
                self.held.clear();
            } else if self.framing.is_refused() {
                self.held = REFUSED.to_vec();
                self.passed = REFUSED.len();
            }
            if !self.framing.is_in_body() {
                self.body.clear();
            }
        }
        let given = self.passed.min(out.remaining());
        out.put_slice(&self.held[..given]);
        self.held.drain(..given);
        self.passed -= given;
        given > 0
    }

    /// Returns the result of a write. Fails if writes are pending for longer than the timeout.
    fn written<T>(&mut self, written: Poll<io::Result<T>>, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        match written {
            Poll::Pending => {
                self.answer.check(context).map_or_else(|error| Poll::Ready(Err(error)), |()| Poll::Pending)
            }
            ready => {
                self.answer.clear();
                ready
            }
        }
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for Guarded<I> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            if out.remaining() == 0 || this.pass_on(out) {
                return Poll::Ready(Ok(()));
            }
            if this.framing.is_in_body() {
                this.body.check(context)?;
            }
            let before = this.held.len();
            this.held.resize(before + READ_BYTES, 0);
            let mut more = ReadBuf::new(&mut this.held[before..]);
            let read = Pin::new(&mut this.io).poll_read(context, &mut more);
            let came = more.filled().len();
            this.held.truncate(before + came);
            ready!(read)?;
            if came == 0 {
                // The input has ended. An incomplete part of a request is dropped.
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Guarded<I> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.io).poll_write(context, bytes);
        this.written(written, context)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.io).poll_write_vectored(context, bytes);
        this.written(written, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(context)
    }
}
