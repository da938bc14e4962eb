//! The outbox: what the extension asks the world to do.

use crate::types::{Account, Json, Timestamp};
use serde::{Deserialize, Serialize};

/// How often a passing failure is tried again, and when: there is one attempt more than delays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetryPolicy {
    /// The wait after each failed attempt, in milliseconds; at most [`RETRY_DELAYS_MAX`](crate::RETRY_DELAYS_MAX).
    pub delays_ms: Vec<u32>,
}

/// An effect to enqueue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Effect {
    /// Resource and verb: `database.ensure`, `mail.send`, `timer.at`, `account.send`.
    pub kind: String,
    /// Receiver of an `account.send`.
    pub to: Option<Account>,
    /// Idempotency key: the same key and generation again does nothing.
    pub key: String,
    /// Rises when the wish changes; replaces an older one that has not started.
    pub generation: u32,
    /// Arguments; secrets by reference only.
    pub payload: Json,
    /// The extension's own: comes back with the result, and no provider sees it.
    pub context: Json,
    /// Caller who waits for the end of it.
    pub reply_to: Option<String>,
    /// Effects of the account with the same one run one by one, in order.
    pub ordering_key: Option<String>,
    /// Earliest start; none is at once. A timer needs one.
    pub not_before: Option<Timestamp>,
    /// When the host gives up with `timed-out`; none is never.
    pub deadline: Option<Timestamp>,
    /// Retries; none is as declared for the kind.
    pub retry: Option<RetryPolicy>,
}
