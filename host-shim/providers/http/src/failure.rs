//! Why there is no answer, and when to ask again.

use crate::client::Reply;
use crate::date;
use host_provider_api::CallOutcome;

/// Longest wait that is taken from the other side: a day. A longer one is no hint any more.
const RETRY_AFTER_MS_MAX: i64 = 86_400_000;

/// Why a request has no answer. None of them names a header or a body, which may hold secrets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// No answer in time; whether it was done is not known.
    #[error("no answer in time; what was done is not known")]
    TimedOut,
    /// The connection could not be made, or ended early; whether it was done is not known.
    #[error("the connection failed ({0}); what was done is not known")]
    Connection(String),
    /// The answer's body is larger than is taken; whether it was done is not known.
    #[error("the answer is larger than {bytes_max} bytes; what was done is not known")]
    TooLarge {
        /// What is taken.
        bytes_max: u64,
    },
    /// The request can't be written: a header or the address has bytes that it may not have. Nothing was sent.
    #[error("the request can't be written: a header or the address has a byte that it may not have")]
    Unsendable,
}

impl From<ureq::Error> for CallError {
    fn from(error: ureq::Error) -> Self {
        match error {
            ureq::Error::Timeout(_) => CallError::TimedOut,
            ureq::Error::Http(_) | ureq::Error::BadUri(_) => CallError::Unsendable,
            // The text of an error may quote the other side; its kind is enough for an operator.
            ureq::Error::Io(error) => CallError::Connection(error.kind().to_string()),
            ureq::Error::HostNotFound => CallError::Connection("no such host".to_owned()),
            ureq::Error::Rustls(_) | ureq::Error::Tls(_) => CallError::Connection("TLS".to_owned()),
            _ => CallError::Connection("broken HTTP".to_owned()),
        }
    }
}

/// What is not known is tried again under the same key; what can't be written never can.
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

/// `Retry-After` in milliseconds: of seconds, or of a time, which is held against the answer's own `Date`.
pub fn retry_after_ms(reply: &Reply) -> Option<i64> {
    let text = reply.header("retry-after")?.trim();
    let after = match text.parse::<i64>() {
        Ok(seconds) => seconds.checked_mul(1_000)?,
        Err(_) => date::read(text)?.checked_sub(reply.date_ms?)?,
    };
    (0..=RETRY_AFTER_MS_MAX).contains(&after).then_some(after)
}
