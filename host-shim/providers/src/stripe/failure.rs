//! Errors of calls and their outcomes.

use crate::http::CallError;
use crate::stripe::config::Mode;
use host_provider_api::CallOutcome;
use serde::Deserialize;

/// Reasons why a call failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failed {
    /// The scope has no mode.
    #[error("the scope has no mode: expected `business/live/account` or `business/test/account`")]
    Scope,
    /// The key of a mode is not configured.
    #[error("the key for {} mode is not configured", .0.name())]
    NoKey(Mode),
    /// The key of a mode belongs to another mode. The message omits the key.
    #[error("the {mode} mode key has the wrong prefix: expected `sk_{mode}_…` or `rk_{mode}_…`", mode = .0.name())]
    KeyOfOtherMode(Mode),
    /// A payload member is missing or invalid.
    #[error("`{member}` of the payload: expected {expected}")]
    Payload {
        /// Name of the member.
        member: &'static str,
        /// Expected value.
        expected: &'static str,
    },
    /// A return address is a path, but the site's address is unknown.
    #[error(
        "`{0}` of the payload is a path of the site, whose address is not known: expected an address with https://"
    )]
    NoSite(&'static str),
    /// The request got no response.
    #[error(transparent)]
    Unanswered(#[from] CallError),
    /// The response does not match the API.
    #[error("unexpected response of the API (status {status}): {reason}")]
    Unreadable {
        /// HTTP status.
        status: u16,
        /// The problem of the response.
        reason: &'static str,
    },
    /// Stripe returned an error.
    #[error("{message}")]
    Error {
        /// HTTP status.
        status: u16,
        /// Stripe's `code`, or its `type` if there is no code.
        code: String,
        /// Stripe's message, without keys.
        message: String,
        /// Stripe's retry hint in milliseconds.
        after_ms: Option<i64>,
    },
    /// Stripe rejected the key, or the key lacks a permission. Stripe's message is omitted, because it contains a part
    /// of the key.
    #[error("the key for {} mode is not accepted for this (status {status})", .mode.name())]
    Unauthorized {
        /// Mode of the key.
        mode: Mode,
        /// HTTP status, 401 or 403.
        status: u16,
    },
    /// A newer generation of the effect created the object.
    #[error("the call has generation {generation}, but generation {newest} has been applied")]
    Superseded {
        /// Generation of the call.
        generation: u32,
        /// Generation of the object.
        newest: u32,
    },
    /// An object with the id that the provider chose was not created by this effect.
    #[error("`{0}` exists, but was not created by this effect")]
    Taken(String),
    /// The request contradicts the state of an existing object.
    #[error("{0}")]
    Inconsistent(String),
    /// Objects of this type can't be fetched.
    #[error("objects of type `{0}` can't be fetched")]
    UnknownObject(String),
}

impl From<Failed> for CallOutcome {
    fn from(failed: Failed) -> Self {
        let message = failed.to_string();
        let refused = |code: &str| CallOutcome::refused(code, message.clone());
        match failed {
            Failed::Scope => refused("bad-scope"),
            Failed::NoKey(_) => refused("no-key"),
            Failed::KeyOfOtherMode(_) => refused("wrong-mode-key"),
            Failed::Payload { .. } => refused("bad-payload"),
            Failed::NoSite(_) => refused("no-site"),
            Failed::Unanswered(error) => error.into(),
            // The request may have taken effect, because the response may come from a gateway.
            Failed::Unreadable { .. } => CallOutcome::retry("unreadable", message),
            Failed::Unauthorized { .. } => refused("unauthorized"),
            Failed::Superseded { .. } => refused("superseded"),
            Failed::Taken(_) => refused("name-taken"),
            Failed::Inconsistent(_) => refused("inconsistent"),
            Failed::UnknownObject(_) => refused("unknown-object"),
            Failed::Error { status, code, message, after_ms } => match status {
                // 409: another request with this idempotency key or for this object is in progress; 424: a dependency
                // failed.
                409 | 424 | 429 | 500.. => CallOutcome::Retry { after_ms, code, message },
                _ => CallOutcome::Refused { code, message },
            },
        }
    }
}

/// The body of an error response.
#[derive(Deserialize)]
pub(crate) struct ErrorBody {
    pub error: ErrorObject,
}

/// The members of Stripe's error object that the provider uses.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct ErrorObject {
    pub code: Option<String>,
    pub param: Option<String>,
    pub message: Option<String>,
    #[serde(rename = "type")]
    pub kind: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_status_is_retried_or_refused() {
        let outcome = |status| {
            let (code, message) = ("c".to_owned(), "m".to_owned());
            CallOutcome::from(Failed::Error { status, code, message, after_ms: Some(5) })
        };
        for status in [409, 424, 429, 500, 502, 503, 504] {
            let expected = CallOutcome::Retry { after_ms: Some(5), code: "c".to_owned(), message: "m".to_owned() };
            assert_eq!(outcome(status), expected, "{status}");
        }
        for status in [400, 402, 404, 405, 410] {
            assert_eq!(outcome(status), CallOutcome::refused("c", "m"), "{status}");
        }
    }
}
