//! Why a call brought nothing, and what of it may be tried again.

use crate::config::Mode;
use host_http::CallError;
use host_provider_api::CallOutcome;
use serde::Deserialize;

/// Why a call brought nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failed {
    /// The scope names no mode.
    #[error("the scope names no mode: expected `business/live/account` or `business/test/account`")]
    Scope,
    /// There is no key for a mode.
    #[error("no key for {} mode", .0.name())]
    NoKey(Mode),
    /// The key that is given for a mode is one of another. It is not repeated.
    #[error("the key for {mode} mode is none of it: expected `sk_{mode}_…` or `rk_{mode}_…`", mode = .0.name())]
    KeyOfOtherMode(Mode),
    /// A member of the payload is missing or wrong.
    #[error("`{member}` of the payload: expected {expected}")]
    Payload {
        /// Its name.
        member: &'static str,
        /// What was expected.
        expected: &'static str,
    },
    /// The request was not answered.
    #[error(transparent)]
    Unanswered(#[from] CallError),
    /// Stripe answered with something else than an object.
    #[error("the answer (status {status}) is not of the API: {reason}")]
    Unreadable {
        /// HTTP status.
        status: u16,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Stripe answered with an error.
    #[error("{message}")]
    Error {
        /// HTTP status.
        status: u16,
        /// Stripe's `code`, or its `type` where it has none.
        code: String,
        /// Stripe's words, without keys.
        message: String,
        /// When to ask again, in milliseconds, where Stripe says so.
        after_ms: Option<i64>,
    },
    /// The key is refused, or may not do this. Stripe's words hold a part of the key, so they are not repeated.
    #[error("the key for {} mode is not accepted for this (status {status})", .mode.name())]
    Unauthorized {
        /// Whose key.
        mode: Mode,
        /// HTTP status, 401 or 403.
        status: u16,
    },
    /// What the effect made bears a newer generation.
    #[error("generation {newest} of it was carried out, and this is {generation}")]
    Superseded {
        /// Of this call.
        generation: u32,
        /// Of what there is.
        newest: u32,
    },
    /// Something else stands under the id that is ours.
    #[error("`{0}` is there and bears none of our marks")]
    Taken(String),
    /// What is there is not what was asked for, and can't become it.
    #[error("{0}")]
    Inconsistent(String),
    /// No such kind of object can be asked for.
    #[error("objects `{0}` can't be asked for")]
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
            Failed::Unanswered(error) => error.into(),
            // What was done is not known: a gateway may have answered in Stripe's place.
            Failed::Unreadable { .. } => CallOutcome::retry("unreadable", message),
            Failed::Unauthorized { .. } => refused("unauthorized"),
            Failed::Superseded { .. } => refused("superseded"),
            Failed::Taken(_) => refused("name-taken"),
            Failed::Inconsistent(_) => refused("inconsistent"),
            Failed::UnknownObject(_) => refused("unknown-object"),
            Failed::Error { status, code, message, after_ms } => match status {
                // 409: another request with this key or about this object is under way; 424: somebody else failed.
                409 | 424 | 429 | 500.. => CallOutcome::Retry { after_ms, code, message },
                _ => CallOutcome::Refused { code, message },
            },
        }
    }
}

/// The body of an error.
#[derive(Deserialize)]
pub(crate) struct ErrorBody {
    pub error: ErrorObject,
}

/// Stripe's error object, as far as it is read.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct ErrorObject {
    pub code: Option<String>,
    pub message: Option<String>,
    #[serde(rename = "type")]
    pub kind: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_status_is_tried_again_or_not() {
        let answer = |status| {
            let (code, message) = ("c".to_owned(), "m".to_owned());
            CallOutcome::from(Failed::Error { status, code, message, after_ms: Some(5) })
        };
        for status in [409, 424, 429, 500, 502, 503, 504] {
            let expected = CallOutcome::Retry { after_ms: Some(5), code: "c".to_owned(), message: "m".to_owned() };
            assert_eq!(answer(status), expected, "{status}");
        }
        for status in [400, 402, 404, 405, 410] {
            assert_eq!(answer(status), CallOutcome::refused("c", "m"), "{status}");
        }
    }
}
