//! The data that a provider receives, and the replies that it may return.

use crate::names::BadName;
use crate::resource::{ResourceId, VERBS};
use crate::secrets::{MadeSecret, Secret, SecretAccess, SecretError};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One attempt to carry out an effect, or one poll of an attempt that is in progress.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Call {
    /// Kind of the effect, for example `database.ensure` or `stripe.checkout.create`.
    pub kind: String,
    /// Scope that requested the effect: `business/mode/account`.
    pub scope: String,
    /// Key of the effect; together with `scope` and `generation` it is the provider's idempotency key.
    pub key: String,
    /// Time of the request in milliseconds since the epoch. A store that was restored from a backup may reuse a key and a generation for
    /// other work; the time then differs.
    pub requested_at: i64,
    /// Generation of the effect; a higher generation supersedes the desired state of a lower one.
    pub generation: u32,
    /// Number of the attempt, from 1; a call after a crash and each poll repeat the number.
    pub attempt: u32,
    /// Arguments of the effect, as its kind declares them. Secrets are references.
    pub payload: Value,
    /// Token of the previous [`CallOutcome::InProgress`]; none for the first call of an attempt.
    pub token: Option<String>,
    /// Deadline in milliseconds since the Unix epoch: if the effect has no answer by then, it ends without an answer.
    pub deadline: Option<i64>,
    /// Lease number (fencing number): calls of the same effect with a lower number have lost their lease.
    pub lease: u64,
    /// Resolves secret references.
    pub secrets: SecretAccess,
}

impl Call {
    /// Returns the resource, the kind without its last part: `stripe.checkout` of `stripe.checkout.create`.
    pub fn resource(&self) -> &str {
        self.kind.rsplit_once('.').map_or("", |(resource, _)| resource)
    }

    /// Returns the last part of the kind: `create` of `stripe.checkout.create`.
    pub fn verb(&self) -> &str {
        self.kind.rsplit_once('.').map_or(self.kind.as_str(), |(_, verb)| verb)
    }

    /// Returns true if the kind consists of a resource without a dot and one of the verbs `observe`, `ensure`, `change`
    /// and `destroy`, for example `database.ensure`. `secret.ensure` is not a resource call: a secret is handed over
    /// once, and cannot be observed, changed or destroyed.
    pub fn is_resource_call(&self) -> bool {
        let resource = self.resource();
        matches!(self.verb(), "observe" | "ensure" | "change" | "destroy")
            && !resource.is_empty()
            && !resource.contains('.')
            && resource != "secret"
    }

    /// Returns an argument of the payload; none if it is missing or not a string.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.payload.get(name).and_then(Value::as_str)
    }

    /// Reads the plain value of a reference in the payload (`secret:database/1`).
    ///
    /// # Errors
    /// Fails if the string is not a reference, or if the secret is unknown or cannot be read now.
    pub fn secret(&self, reference: &str) -> Result<Secret, SecretError> {
        self.secrets.resolve(&self.scope, reference)
    }

    /// Creates a random secret with this name from `bytes` random bytes, or returns the secret that an earlier call
    /// created; see [`Secrets::make`](crate::Secrets::make).
    ///
    /// # Errors
    /// Fails if the secret store is not available.
    pub fn make_secret(&self, name: &str, bytes: usize) -> Result<MadeSecret, SecretError> {
        self.secrets.make(&self.scope, name, bytes)
    }

    /// Deletes a created secret by its reference.
    ///
    /// # Errors
    /// Fails if the secret store is not available.
    pub fn forget_secret(&self, reference: &str) -> Result<(), SecretError> {
        self.secrets.forget(&self.scope, reference)
    }

    /// Returns the id of the resource that the call acts on.
    pub fn resource_id(&self) -> ResourceId {
        let id = match self.key.rsplit_once(['/', ':']) {
            Some((id, verb)) if VERBS.contains(&verb) => id,
            _ => self.key.as_str(),
        };
        ResourceId { scope: self.scope.clone(), resource: self.resource().to_owned(), id: id.to_owned() }
    }
}

/// The result of one call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CallOutcome {
    /// Done, with the outputs that the kind declares: a JSON object without plain secrets.
    Done(Value),
    /// Started but not done yet. The outbox polls later by repeating the call with the token. Polls do not count as attempts.
    InProgress {
        /// Milliseconds until the next poll.
        after_ms: i64,
        /// Token by which the provider identifies the started work; without secrets.
        token: String,
    },
    /// Failed, or it is unknown whether the call succeeded; a retry may succeed.
    Retry {
        /// Milliseconds until the next attempt, if the remote system asked for a delay; otherwise the retry policy decides.
        after_ms: Option<i64>,
        /// Code for programs, for example `throttled`.
        code: String,
        /// Text for operators; without secrets.
        message: String,
    },
    /// Failed; a retry cannot succeed.
    Refused {
        /// Code for programs, for example `quota-exceeded`.
        code: String,
        /// Text for operators; without secrets.
        message: String,
    },
}

impl CallOutcome {
    /// Returns a failure that a retry cannot fix.
    pub fn refused(code: &str, message: impl Into<String>) -> Self {
        CallOutcome::Refused { code: code.to_owned(), message: message.into() }
    }

    /// Returns a failure that a retry may fix, at the time set by the effect's retry policy.
    pub fn retry(code: &str, message: impl Into<String>) -> Self {
        CallOutcome::Retry { after_ms: None, code: code.to_owned(), message: message.into() }
    }

    /// Applies `text` to each string of the answer, including the names of members.
    pub fn map_text(self, text: &dyn Fn(String) -> String) -> CallOutcome {
        match self {
            CallOutcome::Done(value) => CallOutcome::Done(map_texts(value, text)),
            CallOutcome::InProgress { after_ms, token } => CallOutcome::InProgress { after_ms, token: text(token) },
            CallOutcome::Retry { after_ms, code, message } => {
                CallOutcome::Retry { after_ms, code: text(code), message: text(message) }
            }
            CallOutcome::Refused { code, message } => CallOutcome::Refused { code: text(code), message: text(message) },
        }
    }

    /// Replaces each plain value that a call has resolved with its reference.
    pub(crate) fn redacted(self, secrets: &SecretAccess) -> CallOutcome {
        let redacted = secrets.redaction();
        // Not every store can keep U+0000.
        self.map_text(&|text| redacted(if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text }))
    }
}

/// Applies `text` to each string of a value, including the names of members.
pub fn map_texts(value: Value, text: &dyn Fn(String) -> String) -> Value {
    match value {
        Value::String(plain) => Value::String(text(plain)),
        Value::Array(items) => items.into_iter().map(|item| map_texts(item, text)).collect(),
        Value::Object(members) => {
            members.into_iter().map(|(name, value)| (text(name), map_texts(value, text))).collect()
        }
        other => other,
    }
}

/// The reply to a call: an answer, or silence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reply {
    /// The provider answered.
    Answer(CallOutcome),
    /// The provider did not answer. The lease stays open; when it expires, the effect is retried under the same key.
    Silence {
        /// Milliseconds until the lease expires; none if it never expires.
        lease_ms: Option<i64>,
    },
}

/// If the secret is unknown, the call is refused, since a retry would not find it either. If the secret store is not available, the call
/// is retried.
impl From<SecretError> for CallOutcome {
    fn from(error: SecretError) -> Self {
        match error {
            SecretError::Unavailable { .. } => CallOutcome::retry("secret-unavailable", error.to_string()),
            SecretError::NoReference | SecretError::Unknown(_) => {
                CallOutcome::refused("secret-unknown", error.to_string())
            }
        }
    }
}

/// A name that breaks the rules never becomes valid, so the call is refused.
impl From<BadName> for CallOutcome {
    fn from(error: BadName) -> Self {
        CallOutcome::refused("bad-name", error.to_string())
    }
}

impl From<CallOutcome> for Reply {
    fn from(answer: CallOutcome) -> Self {
        Reply::Answer(answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_of_a_resource_is_the_effects_key_without_the_verb() {
        let of = |key: &str| {
            let call = Call { kind: "database.ensure".into(), key: key.into(), ..Call::default() };
            call.resource_id().id
        };
        assert_eq!(of("inst_1/database/ensure"), "inst_1/database");
        assert_eq!(of("inst_1/database/backup"), "inst_1/database");
        assert_eq!(of("inst_1/compute@lambda/change"), "inst_1/compute@lambda");
        assert_eq!(of("inst_1/database"), "inst_1/database");
        assert_eq!(of("inst_1/ensured"), "inst_1/ensured");
    }
}
