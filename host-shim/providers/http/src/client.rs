//! A client that sends each request once, on a connection of its own.

use crate::date;
use crate::failure::CallError;
use std::sync::Arc;
use std::time::Duration;
use ureq::http::{HeaderMap, Request as HttpRequest, header};
use ureq::tls::{Certificate, RootCerts, TlsConfig, TlsProvider};
use ureq::{Agent, Body as Answered};

/// What a request may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExchangeLimits {
    /// Time from the look-up of the name to the last byte of the answer.
    pub timeout: Duration,
    /// Bytes of an answer's body at most; one that is larger is [`CallError::TooLarge`].
    pub body_bytes_max: u64,
}

impl Default for ExchangeLimits {
    fn default() -> Self {
        ExchangeLimits { timeout: Duration::from_secs(30), body_bytes_max: 2 * 1024 * 1024 }
    }
}

/// How an endpoint is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Reads.
    Get,
    /// Makes or changes.
    Post,
    /// Changes some members.
    Patch,
    /// Removes.
    Delete,
}

impl Method {
    fn name(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Post => "POST",
            Method::Patch => "PATCH",
            Method::Delete => "DELETE",
        }
    }
}

/// What is sent with a request.
#[derive(Clone, PartialEq, Eq)]
pub enum Body {
    /// `application/x-www-form-urlencoded`, encoded already.
    Form(String),
    /// `application/json`, written already.
    Json(String),
}

/// A request. It has no `Debug`: headers and body may hold secrets.
pub struct Request<'r> {
    /// How it asks.
    pub method: Method,
    /// Path with its query, after the client's base: `/v1/customers?limit=1`.
    pub path: &'r str,
    /// The key or token, sent as `Authorization: Bearer …`.
    pub bearer: &'r str,
    /// Other headers.
    pub headers: &'r [(&'static str, &'r str)],
    /// What is sent; none for a request that only asks.
    pub body: Option<Body>,
}

/// An answer of whatever status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// The body, of at most [`ExchangeLimits::body_bytes_max`].
    pub body: Vec<u8>,
    /// `Date` of the answer in milliseconds since the epoch, if it has a right one.
    pub date_ms: Option<i64>,
    headers: HeaderMap,
}

impl Reply {
    /// A header's text; none if it isn't there or is no text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// True for 200 to 299.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// Sends requests to one base address.
#[derive(Clone)]
pub struct Client {
    agent: Agent,
    base: String,
    limits: ExchangeLimits,
}

impl Client {
    /// A client for `base`, `https://api.example.com` without a slash at the end. The machine's certificate authorities are
    /// trusted; a redirect is an answer and is not followed, since the key would go along.
    pub fn new(base: &str, limits: ExchangeLimits) -> Client {
        let found = rustls_native_certs::load_native_certs();
        let roots: Vec<_> = found.certs.iter().map(|one| Certificate::from_der(one).to_owned()).collect();
        let tls = TlsConfig::builder()
            .provider(TlsProvider::Rustls)
            .root_certs(RootCerts::from(roots))
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .build();
        let config = Agent::config_builder()
            .tls_config(tls)
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            // A connection that the other side has closed meanwhile would fail a request of which nobody knows what became.
            .max_idle_connections(0)
            .user_agent(concat!("host-shim/", env!("CARGO_PKG_VERSION")))
            .timeout_global(Some(limits.timeout))
            .build();
        Client { agent: config.new_agent(), base: base.trim_end_matches('/').to_owned(), limits }
    }

    /// Send a request once. An error says that what became of it is not known, unless it says otherwise.
    pub fn send(&self, request: &Request<'_>) -> Result<Reply, CallError> {
        let mut built = HttpRequest::builder()
            .method(request.method.name())
            .uri(format!("{}{}", self.base, request.path))
            .header(header::AUTHORIZATION, format!("Bearer {}", request.bearer))
            .header(header::ACCEPT, "application/json");
        for (name, value) in request.headers {
            built = built.header(*name, *value);
        }
        let (kind, body) = match &request.body {
            Some(Body::Form(text)) => (Some("application/x-www-form-urlencoded"), text.as_str()),
            Some(Body::Json(text)) => (Some("application/json"), text.as_str()),
            None => (None, ""),
        };
        if let Some(kind) = kind {
            built = built.header(header::CONTENT_TYPE, kind);
        }
        let answered = match kind {
            Some(_) => self.agent.run(built.body(body).map_err(|_| CallError::Unsendable)?),
            None if request.method == Method::Post => {
                self.agent.run(built.body("").map_err(|_| CallError::Unsendable)?)
            }
            None => self.agent.run(built.body(()).map_err(|_| CallError::Unsendable)?),
        };
        let mut answer = answered.map_err(CallError::from)?;
        let body = read(answer.body_mut(), self.limits.body_bytes_max)?;
        let headers = answer.headers().clone();
        let date_ms = headers.get(header::DATE).and_then(|value| value.to_str().ok()).and_then(date::read);
        Ok(Reply { status: answer.status().as_u16(), body, date_ms, headers })
    }
}

fn read(body: &mut Answered, bytes_max: u64) -> Result<Vec<u8>, CallError> {
    // The reader takes a body that ends at its limit for one that goes on.
    body.with_config().limit(bytes_max.saturating_add(1)).read_to_vec().map_err(|error| match error {
        ureq::Error::BodyExceedsLimit(_) => CallError::TooLarge { bytes_max },
        other => other.into(),
    })
}
