//! Effects: requests to external systems that a decision puts into the outbox.

use crate::types::{Account, Json, Timestamp};
use serde::{Deserialize, Serialize};

/// When to retry an effect after transient failures. The number of attempts is the number of delays plus one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetryPolicy {
    /// Delay after each failed attempt, in milliseconds; at most [`RETRY_DELAYS_MAX`](crate::RETRY_DELAYS_MAX) entries.
    pub delays_ms: Vec<u32>,
}

/// An effect to enqueue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Effect {
    /// Resource and verb: `database.ensure`, `mail.send`, `timer.at`, `account.send`.
    pub kind: String,
    /// Receiver of an `account.send`.
    pub to: Option<Account>,
    /// Idempotency key: enqueueing the same key and generation again does nothing.
    pub key: String,
    /// Generation: rises when the desired state changes. The effect replaces an older generation that has not started.
    pub generation: u32,
    /// Arguments, a JSON value; contains secrets by reference only.
    pub payload: Json,
    /// The extension's own data: returned with the result, never sent to a provider.
    pub context: Json,
    /// Caller that waits for the effect's result.
    pub reply_to: Option<String>,
    /// Effects of the account with the same ordering key run one by one, in order.
    pub ordering_key: Option<String>,
    /// Earliest start; `None` starts the effect immediately. Required for a timer.
    pub not_before: Option<Timestamp>,
    /// Time at which the host gives up with `timed-out`; `None` for no deadline.
    pub deadline: Option<Timestamp>,
    /// Retry policy; `None` for the policy that the manifest declares for the kind.
    pub retry: Option<RetryPolicy>,
}
