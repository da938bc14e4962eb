//! Fetches an issuer's documents.

use host_providers::http::{Body, CallError, Client, ExchangeLimits, Method, Reply, Request};
use serde_json::{Map, Value};
use std::time::Duration;

/// Timeout of one request. A login waits for at most four.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Maximum length of a document in bytes.
const BYTES_MAX: u64 = 256 * 1024;

/// The reason why an issuer does not log somebody in, or does not provide keys. It contains nothing that came from a browser or
/// from the issuer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IssuerError {
    /// The issuer does not answer.
    #[error("the issuer does not answer: {0}")]
    Call(#[from] CallError),
    /// The issuer answers with an error.
    #[error("the issuer answers {what} with the status {status}")]
    Status {
        /// What was requested.
        what: &'static str,
        /// The status.
        status: u16,
    },
    /// An answer does not have the form that OpenID Connect requires.
    #[error("the issuer's {what} is wrong: expected {expected}")]
    Malformed {
        /// What was requested.
        what: &'static str,
        /// What it should contain.
        expected: &'static str,
    },
    /// The issuer does not accept the code of a login: it was used, or has expired.
    #[error("the issuer does not take the code of the login")]
    CodeRefused,
    /// The token of a login is not valid.
    #[error("the issuer's token of the login is not valid for this login")]
    BadToken,
    /// The settings include no login.
    #[error("the issuer is not one to log in with")]
    NoLogin,
}

/// Returns a JSON object of an issuer.
pub(crate) fn object(what: &'static str, url: &str, bearer: &str) -> Result<Map<String, Value>, IssuerError> {
    read(what, &send(url, &Request { method: Method::Get, path: "", bearer, headers: &[], body: None })?)
}

/// Sends a form to an issuer, and returns the JSON object of the answer.
pub(crate) fn form(
    what: &'static str,
    url: &str,
    headers: &[(&'static str, &str)],
    form: String,
) -> Result<Map<String, Value>, IssuerError> {
    let body = Some(Body::Form(form));
    read(what, &send(url, &Request { method: Method::Post, path: "", bearer: "", headers, body })?)
}

fn send(url: &str, request: &Request<'_>) -> Result<Reply, CallError> {
    Client::new(url, ExchangeLimits { timeout: TIMEOUT, body_bytes_max: BYTES_MAX }).send(request)
}

fn read(what: &'static str, reply: &Reply) -> Result<Map<String, Value>, IssuerError> {
    if !reply.is_success() {
        return Err(IssuerError::Status { what, status: reply.status });
    }
    serde_json::from_slice(&reply.body).map_err(|_| IssuerError::Malformed { what, expected: "a JSON object" })
}

/// Returns a string of an object.
pub(crate) fn text(object: &Map<String, Value>, name: &str) -> Option<String> {
    object.get(name).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned)
}
