//! Connections: taken one after another, each with a limit to its patience for a client that is slow.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::{Sleep, sleep};

use super::framing::Framing;

/// How long to wait when no connection can be taken, such as for want of file descriptors.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);
/// Bytes read at once.
const READ_BYTES: usize = 16 * 1024;
/// What hyper gets in place of a request that is refused: it answers 400 and closes the connection.
const REFUSED: &[u8] = b"\0\r\n\r\n";

/// Serves until dropped, which closes all connections. A client has so long for a request's head, which includes the
/// time between two requests, so long for its body, and so long to take the next bytes of an answer.
pub(super) async fn serve(listener: TcpListener, app: Router, patience: Duration) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            sleep(ACCEPT_AGAIN).await;
            continue;
        };
        while connections.try_join_next().is_some() {}
        // Only latency is lost where a connection doesn't take it.
        let _ = stream.set_nodelay(true);
        let service = TowerToHyperService::new(app.clone());
        connections.spawn(async move {
            let mut http = http1::Builder::new();
            http.timer(TokioTimer::new()).header_read_timeout(patience);
            let connection = http.serve_connection(TokioIo::new(Guarded::new(stream, patience)), service);
            // A client that went away or broke the protocol has nobody here to tell.
            let _ = connection.with_upgrades().await;
        });
    }
}

/// A time that something may take.
#[derive(Debug)]
struct Limit {
    patience: Duration,
    end: Option<Pin<Box<Sleep>>>,
}

impl Limit {
    /// Fails when the time is over, counted from the first call since [`Limit::clear`].
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

/// A connection that passes on only what [`Framing`] does, and ends when the client is slow.
#[derive(Debug)]
struct Guarded<I> {
    io: I,
    framing: Framing,
    /// What came and wasn't passed on yet.
    held: Vec<u8>,
    /// How many bytes of it may be passed on.
    passed: usize,
    body: Limit,
    answer: Limit,
}

impl<I> Guarded<I> {
    fn new(io: I, patience: Duration) -> Self {
        let limit = || Limit { patience, end: None };
        Self { io, framing: Framing::new(), held: Vec::new(), passed: 0, body: limit(), answer: limit() }
    }

    /// Passes something on, unless more is needed first.
    fn give(&mut self, out: &mut ReadBuf<'_>) -> bool {
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

    /// Passes on whether a write went on, within the limit.
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
            if out.remaining() == 0 || this.give(out) {
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
                // The end, maybe in the middle of what was held back, which is nothing whole.
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
