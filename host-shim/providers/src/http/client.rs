//! An HTTPS client that sends each request once, on a new connection.

use crate::http::address::is_of_this_machine;
use crate::http::date;
use crate::http::failure::CallError;
use std::sync::Arc;
use std::time::Duration;
use ureq::http::{HeaderMap, Request as HttpRequest, header};
use ureq::tls::{Certificate, RootCerts, TlsConfig, TlsProvider};
use ureq::{Agent, Body as ResponseBody};

/// Limits of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExchangeLimits {
    /// Time from name resolution to the last byte of the response.
    pub timeout: Duration,
    /// Maximum size of a response body in bytes. A larger body is the error [`CallError::TooLarge`].
    pub body_bytes_max: u64,
}

impl Default for ExchangeLimits {
    fn default() -> Self {
        ExchangeLimits { timeout: Duration::from_secs(30), body_bytes_max: 2 * 1024 * 1024 }
    }
}

/// HTTP method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// `GET`.
    Get,
    /// `POST`.
    Post,
    /// `PATCH`.
    Patch,
    /// `DELETE`.
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

/// Body of a request.
#[derive(Clone, PartialEq, Eq)]
pub enum Body {
    /// `application/x-www-form-urlencoded`, already encoded.
    Form(String),
    /// `application/json`, already serialized.
    Json(String),
}

/// A request. It has no `Debug`, because headers and body may contain secrets.
pub struct Request<'r> {
    /// HTTP method.
    pub method: Method,
    /// Path and query, which are appended to the client's base URL: `/v1/customers?limit=1`.
    pub path: &'r str,
    /// Key or token, sent as `Authorization: Bearer …`; empty to send none.
    pub bearer: &'r str,
    /// Additional headers.
    pub headers: &'r [(&'r str, &'r str)],
    /// Body, if the request has one.
    pub body: Option<Body>,
}

/// A response with any status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// The body, at most [`ExchangeLimits::body_bytes_max`] bytes.
    pub body: Vec<u8>,
    /// The response's `Date` in milliseconds since the epoch, if it is valid.
    pub date_ms: Option<i64>,
    headers: HeaderMap,
}

impl Reply {
    /// Returns a header's value. None if the header is missing or its value is not visible ASCII.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Returns true for the statuses 200 to 299.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// Returns the TLS settings of every client: it trusts the machine's certificate authorities.
pub fn tls() -> TlsConfig {
    let found = rustls_native_certs::load_native_certs();
    let roots: Vec<_> = found.certs.iter().map(|one| Certificate::from_der(one).to_owned()).collect();
    TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .root_certs(RootCerts::from(roots))
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .build()
}

/// Sends requests to one base URL.
#[derive(Clone)]
pub struct Client {
    agent: Agent,
    base: String,
    limits: ExchangeLimits,
}

impl Client {
    /// Creates a client for the base URL `base`, for example `https://api.example.com`. It trusts the machine's
    /// certificate authorities. It returns redirects instead of following them, because following one would send the
    /// key to another server. Variables such as `HTTPS_PROXY` set a proxy for all servers except those on this machine.
    pub fn new(base: &str, limits: ExchangeLimits) -> Client {
        let config = Agent::config_builder()
            .tls_config(tls())
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            // The server may close a reused connection; the request would then fail with an unknown result.
            .max_idle_connections(0)
            .user_agent(concat!("provisioner/", env!("CARGO_PKG_VERSION")))
            .timeout_global(Some(limits.timeout));
        // A proxy would get a key in plain text, and its `localhost` is a different machine.
        let config = if is_of_this_machine(base) { config.proxy(None) } else { config };
        Client { agent: config.build().new_agent(), base: base.trim_end_matches('/').to_owned(), limits }
    }

    /// Sends a request once.
    ///
    /// # Errors
    ///
    /// Fails if there is no complete response. The request may have taken effect, except after
    /// [`CallError::Unsendable`].
    pub fn send(&self, request: &Request<'_>) -> Result<Reply, CallError> {
        let mut built = HttpRequest::builder()
            .method(request.method.name())
            .uri(format!("{}{}", self.base, request.path))
            .header(header::ACCEPT, "application/json");
        if !request.bearer.is_empty() {
            built = built.header(header::AUTHORIZATION, format!("Bearer {}", request.bearer));
        }
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
        let result = match kind {
            Some(_) => self.agent.run(built.body(body).map_err(|_| CallError::Unsendable)?),
            None if request.method == Method::Post => {
                self.agent.run(built.body("").map_err(|_| CallError::Unsendable)?)
            }
            None => self.agent.run(built.body(()).map_err(|_| CallError::Unsendable)?),
        };
        let mut response = result.map_err(CallError::from)?;
        let body = read(response.body_mut(), self.limits.body_bytes_max)?;
        let headers = response.headers().clone();
        let date_ms = headers.get(header::DATE).and_then(|value| value.to_str().ok()).and_then(date::read);
        Ok(Reply { status: response.status().as_u16(), body, date_ms, headers })
    }
}

fn read(body: &mut ResponseBody, bytes_max: u64) -> Result<Vec<u8>, CallError> {
    // `read_to_vec` also fails for a body of exactly the limit.
    body.with_config().limit(bytes_max.saturating_add(1)).read_to_vec().map_err(|error| match error {
        ureq::Error::BodyExceedsLimit(_) => CallError::TooLarge { bytes_max },
        other => other.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::env;
    use std::process::Command;

    const PROXY: (&str, &str) = ("ALL_PROXY", "http://192.0.2.1:3128");

    /// Runs this program again with the variable set, because a running program cannot safely set its own variables.
    #[test]
    fn a_server_of_this_machine_is_never_asked_through_a_proxy() {
        if env::var(PROXY.0).as_deref() != Ok(PROXY.1) {
            let name = "client::tests::a_server_of_this_machine_is_never_asked_through_a_proxy";
            let mut again = Command::new(env::current_exe().expect("a program"));
            again.args([name, "--exact"]).env(PROXY.0, PROXY.1).env_remove("NO_PROXY").env_remove("no_proxy");
            let ended = again.output().expect("it runs");
            assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stdout));
            return;
        }
        let has_proxy = |base| Client::new(base, ExchangeLimits::default()).agent.config().proxy().is_some();
        assert!(has_proxy("https://api.example.com") && has_proxy("http://192.0.2.7:80"));
        for own in ["http://127.0.0.1:12111", "http://localhost:12111/", "http://[::1]:12111", "https://localhost"] {
            assert!(!has_proxy(own), "{own}");
        }
    }
}
