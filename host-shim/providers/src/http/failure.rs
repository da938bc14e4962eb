//! Errors of requests without a response, and retry hints of responses.

use crate::http::client::Reply;
use crate::http::date;
use host_provider_api::CallOutcome;

/// Longest accepted retry hint in milliseconds: a day. Longer hints are ignored.
const RETRY_AFTER_MS_MAX: i64 = 86_400_000;

/// Reasons why a request has no response. The messages include neither headers nor bodies, which may contain secrets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// No response in time; the request may have taken effect.
    #[error("no response in time; the request may have taken effect")]
    TimedOut,
    /// The connection failed or ended early; the request may have taken effect.
    #[error("the connection failed ({0}); the request may have taken effect")]
    Connection(String),
    /// The response body is too large; the request may have taken effect.
    #[error("the response is larger than {bytes_max} bytes; the request may have taken effect")]
    TooLarge {
        /// Maximum size of a response body in bytes.
        bytes_max: u64,
    },
    /// A header or the URL has an invalid byte. Nothing was sent.
    #[error("the request can't be sent: a header or the URL has an invalid byte")]
    Unsendable,
}

impl From<ureq::Error> for CallError {
    fn from(error: ureq::Error) -> Self {
        match error {
            ureq::Error::Timeout(_) => CallError::TimedOut,
            ureq::Error::Http(_) | ureq::Error::BadUri(_) => CallError::Unsendable,
            // The error's message may quote the server; the kind of error is enough for an operator.
            ureq::Error::Io(error) => CallError::Connection(error.kind().to_string()),
            ureq::Error::HostNotFound => CallError::Connection("no such host".to_owned()),
            ureq::Error::Rustls(_) | ureq::Error::Tls(_) => CallError::Connection("TLS".to_owned()),
            _ => CallError::Connection("broken HTTP".to_owned()),
        }
    }
}

/// Requests with an unknown result are retried under the same key; invalid requests are refused.
impl From<CallError> for CallOutcome {
    fn from(error: CallError) -> Self {
        match error {
            CallError::TimedOut => CallOutcome::retry("timeout", error.to_string()),
            CallError::Connection(_) => CallOutcome::retry("connection", error.to_string()),
            CallError::TooLarge { .. } => CallOutcome::retry("answer-too-large", error.to_string()),
            CallError::Unsendable => CallOutcome::refused("bad-request", error.to_string()),
        }
    }
}

/// Returns the delay in the header `Retry-After` in milliseconds. The header contains either seconds or a time, which
/// is compared with the response's own `Date`. None if the header is missing or invalid, or if the delay is longer than
/// a day.
pub fn retry_after_ms(reply: &Reply) -> Option<i64> {
    let text = reply.header("retry-after")?.trim();
    let after = match text.parse::<i64>() {
        Ok(seconds) => seconds.checked_mul(1_000)?,
        Err(_) => date::read(text)?.checked_sub(reply.date_ms?)?,
    };
    (0..=RETRY_AFTER_MS_MAX).contains(&after).then_some(after)
}
