//! What a provider is asked and what it may say.

use crate::names::BadName;
use crate::resource::ResourceId;
use crate::secrets::{MadeSecret, Secret, SecretAccess, SecretError};
use serde_json::Value;

/// One attempt to carry an effect out, or one look at an attempt that is in progress.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Call {
    /// Kind of the effect, for example `database.ensure` or `stripe.checkout.create`.
    pub kind: String,
    /// `business/mode/account` that asked.
    pub scope: String,
    /// Key of the effect; with `scope` and `generation` the provider's idempotency key.
    pub key: String,
    /// Generation of the effect; a higher one replaces what a lower one wished.
    pub generation: u32,
    /// From 1; the same attempt comes again after a crash, and with each look.
    pub attempt: u32,
    /// Arguments as the effect's kind declares them; secrets by reference.
    pub payload: Value,
    /// The token of the [`CallOutcome::InProgress`] before; none for a call that begins.
    pub token: Option<String>,
    /// When the effect ends without an answer, milliseconds since the epoch.
    pub deadline: Option<i64>,
    /// Number of the lease, the fencing number: who was called with a lower one for the same effect no longer holds it.
    pub lease: u64,
    /// Where secret references are resolved.
    pub secrets: SecretAccess,
}

impl Call {
    /// What the effect acts on: the kind without its last part, `stripe.checkout` of `stripe.checkout.create`.
    pub fn resource(&self) -> &str {
        self.kind.rsplit_once('.').map_or("", |(resource, _)| resource)
    }

    /// Last part of the kind: `create` of `stripe.checkout.create`.
    pub fn verb(&self) -> &str {
        self.kind.rsplit_once('.').map_or(self.kind.as_str(), |(_, verb)| verb)
    }

    /// True for the four verbs of a resource, `database.ensure`. `secret.ensure` is none: what it makes is handed over
    /// once and never changed, observed or destroyed.
    pub fn is_resource_call(&self) -> bool {
        let resource = self.resource();
        matches!(self.verb(), "observe" | "ensure" | "change" | "destroy")
            && !resource.is_empty()
            && !resource.contains('.')
            && resource != "secret"
    }

    /// A text argument of the payload.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.payload.get(name).and_then(Value::as_str)
    }

    /// The plain value behind a reference (`secret:database/1`) of the payload, read now.
    pub fn secret(&self, reference: &str) -> Result<Secret, SecretError> {
        self.secrets.resolve(&self.scope, reference)
    }

    /// A random secret of this name, made now or by an earlier call; [`Secrets::make`](crate::Secrets::make).
    pub fn make_secret(&self, name: &str, bytes: usize) -> Result<MadeSecret, SecretError> {
        self.secrets.make(&self.scope, name, bytes)
    }

    /// Forget a secret that was made, by its reference.
    pub fn forget_secret(&self, reference: &str) -> Result<(), SecretError> {
        self.secrets.forget(&self.scope, reference)
    }

    /// Which resource the call is about.
    pub fn resource_id(&self) -> ResourceId {
        ResourceId::of(self)
    }
}

/// What became of one call.
#[derive(Clone, Debug, PartialEq)]
pub enum CallOutcome {
    /// Done; the outputs as the kind declares them, an object without secrets.
    Done(Value),
    /// Begun and not done yet. A look follows: the same call with the token. Looks use no attempts up.
    InProgress {
        /// Milliseconds until the look.
        after_ms: i64,
        /// What the provider needs to find its work again; without secrets.
        token: String,
    },
    /// Not done as far as is known, and trying again may help.
    Retry {
        /// Milliseconds until the next attempt, where the other side named them; else the effect's retry policy says.
        after_ms: Option<i64>,
        /// For programs, for example `throttled`.
        code: String,
        /// For operators; without secrets.
        message: String,
    },
    /// Not done, and trying again cannot help.
    Refused {
        /// For programs, for example `quota-exceeded`.
        code: String,
        /// For operators; without secrets.
        message: String,
    },
}

impl CallOutcome {
    /// A failure that trying again cannot help.
    pub fn refused(code: &str, message: impl Into<String>) -> Self {
        CallOutcome::Refused { code: code.to_owned(), message: message.into() }
    }

    /// A failure that another attempt may help, at a time that the effect's retry policy says.
    pub fn retry(code: &str, message: impl Into<String>) -> Self {
        CallOutcome::Retry { after_ms: None, code: code.to_owned(), message: message.into() }
    }
}

/// What a call brought: an answer, or none.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// The provider answered.
    Answer(CallOutcome),
    /// It did not. The lease stays open; when it runs out, the effect is called again under the same key.
    Silence {
        /// Milliseconds until the lease runs out; none if it never does.
        lease_ms: Option<i64>,
    },
}

/// A secret that is not known is not going to be; one that can't be read now may be read later.
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

/// A name that the other side would refuse never becomes a right one.
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
