//! Secrets, which stand in payloads by reference and become plain for the time of a call.

use crate::call::CallOutcome;
use serde_json::Value;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// What every reference begins with.
pub const SECRET_PREFIX: &str = "secret:";

/// A plain value. It can't be printed: whoever needs it says so.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// A secret with this plain value.
    pub fn new(value: impl Into<String>) -> Self {
        Secret(value.into())
    }

    /// The plain value, for the request that needs it and nothing else.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Why there is no plain value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// The text does not begin with [`SECRET_PREFIX`]. It is not repeated, since it may be a plain value.
    #[error("a text that is no secret reference")]
    NoReference,
    /// There is none under this reference for this scope.
    #[error("no secret under `{0}`")]
    Unknown(String),
    /// It could not be read now; another attempt may succeed.
    #[error("the secret under `{reference}` can't be read: {reason}")]
    Unavailable {
        /// Which.
        reference: String,
        /// Why, for operators.
        reason: String,
    },
}

/// Where plain values are kept.
pub trait Secrets: Send + Sync {
    /// The value behind a reference that a payload of `scope` (`business/mode/account`) names. What another scope
    /// owns is [`SecretError::Unknown`].
    fn resolve(&self, scope: &str, reference: &str) -> Result<Secret, SecretError>;

    /// Make a random secret of `scope` with this name, or find the one that was made before; the same name gives the same
    /// reference and value until it is forgotten. `bytes` is what it has of randomness, [`SECRET_BYTES_MIN`] at least.
    fn make(&self, scope: &str, name: &str, bytes: usize) -> Result<MadeSecret, SecretError>;

    /// Forget a secret that was made, by its reference. One that there is not is forgotten already.
    fn forget(&self, scope: &str, reference: &str) -> Result<(), SecretError>;
}

/// Bytes of randomness of a secret that is made, at least: 256 bits.
pub const SECRET_BYTES_MIN: usize = 32;

/// A secret that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MadeSecret {
    /// What names it, for payloads and outputs.
    pub reference: String,
    /// SHA-256 of the plain value, in hex: whoever is handed the value can tell that it is the one.
    pub sha256: String,
}

/// A call's way to its secrets. It remembers what it gave out, so that no answer carries it back.
#[derive(Clone, Default)]
pub struct SecretAccess {
    secrets: Option<Arc<dyn Secrets>>,
    given: Arc<Mutex<Vec<(String, Secret)>>>,
}

impl SecretAccess {
    /// Access to `secrets`, for one call. The default resolves nothing.
    pub fn new(secrets: Option<Arc<dyn Secrets>>) -> Self {
        SecretAccess { secrets, given: Arc::default() }
    }

    pub(crate) fn resolve(&self, scope: &str, reference: &str) -> Result<Secret, SecretError> {
        if !reference.starts_with(SECRET_PREFIX) {
            return Err(SecretError::NoReference);
        }
        let unknown = || SecretError::Unknown(reference.to_owned());
        let secret = self.secrets.as_ref().ok_or_else(unknown)?.resolve(scope, reference)?;
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        given.push((reference.to_owned(), secret.clone()));
        Ok(secret)
    }

    fn secrets(&self, name: &str) -> Result<&dyn Secrets, SecretError> {
        self.secrets.as_deref().ok_or_else(|| SecretError::Unavailable {
            reference: format!("{SECRET_PREFIX}{name}"),
            reason: "no store of secrets is open".to_owned(),
        })
    }

    pub(crate) fn make(&self, scope: &str, name: &str, bytes: usize) -> Result<MadeSecret, SecretError> {
        self.secrets(name)?.make(scope, name, bytes)
    }

    pub(crate) fn forget(&self, scope: &str, reference: &str) -> Result<(), SecretError> {
        self.secrets(reference)?.forget(scope, reference)
    }

    /// The answer with the reference in place of each plain value that was given out.
    pub(crate) fn redact(&self, answer: CallOutcome) -> CallOutcome {
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner).clone();
        given.retain(|(_, secret)| !secret.expose().is_empty());
        if given.is_empty() {
            return answer;
        }
        // A longer value may hold a shorter one.
        given.sort_by_key(|(_, secret)| std::cmp::Reverse(secret.expose().len()));
        answer.map_text(&|text| given.iter().fold(text, |text, (name, secret)| text.replace(secret.expose(), name)))
    }
}

impl CallOutcome {
    /// The answer with each of its texts, names of members included, replaced by what `text` makes of it.
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
}

/// The value with each of its texts, names of members included, replaced by what `text` makes of it.
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

impl fmt::Debug for SecretAccess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretAccess")
    }
}

/// Two calls are the same whatever way to their secrets they have.
impl PartialEq for SecretAccess {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}
