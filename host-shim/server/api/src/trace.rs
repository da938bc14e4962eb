//! Logs requests. Each has an id, which appears in the `x-request-id` header of its answer and in every log line about
//! it.
//!
//! A line contains the pattern of a path, never the path, the query or a body, because these identify accounts.

use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tracing::{Span, debug, debug_span, error};

/// The header with the id.
pub(crate) const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// Numbers the requests of a process.
pub(crate) struct Requests {
    /// Differs between processes.
    process: u64,
    next: AtomicU64,
}

impl Requests {
    pub(crate) fn new() -> Requests {
        // Without random bytes, the ids of two processes may be equal, which only a reader of both logs would notice.
        Requests { process: getrandom::u64().unwrap_or(0), next: AtomicU64::new(1) }
    }

    /// Returns the id of the next request.
    pub(crate) fn next(&self) -> HeaderValue {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let id = HeaderValue::try_from(format!("{:016x}-{number}", self.process));
        // Hexadecimal digits are always a valid header value.
        id.unwrap_or(HeaderValue::from_static("unknown"))
    }
}

/// The pattern of the path that answered a request, for metrics.
#[derive(Clone, Debug)]
pub(crate) struct RoutePattern(pub(crate) String);

/// Returns the span of a request.
pub(crate) fn span(id: &HeaderValue) -> Span {
    debug_span!("request", id = id.to_str().unwrap_or_default())
}

/// Logs an answer: server failures as errors, others only if details are wanted.
pub(crate) fn answered(span: &Span, method: &Method, route: Option<&str>, status: StatusCode, took: Duration) {
    let (route, status, took_ms) = (route.unwrap_or("none"), status.as_u16(), took.as_secs_f64() * 1e3);
    span.in_scope(|| match status {
        500 => error!(%method, route, status, took_ms, "the request failed"),
        _ => debug!(%method, route, status, took_ms, "answered"),
    });
}
