//! Gives calls access to plain secrets. Payloads hold references; a plain value exists only during a call.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// Prefix of every reference.
pub const SECRET_PREFIX: &str = "secret:";

/// The plain value of a secret. `Debug` does not print it; use [`Secret::expose`].
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Creates a secret with this plain value.
    pub fn new(value: impl Into<String>) -> Self {
        Secret(value.into())
    }

    /// Returns the plain value. Use it only for the request that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// The reason why a secret cannot be read, created or deleted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// The string does not start with [`SECRET_PREFIX`]. The error omits the string, since it may be a plain value.
    #[error("the text is not a secret reference")]
    NoReference,
    /// This scope has no secret under this reference.
    #[error("no secret under `{0}`")]
    Unknown(String),
    /// The secret store is not available now; a retry may succeed.
    #[error("the secret under `{reference}` can't be read: {reason}")]
    Unavailable {
        /// Reference of the secret.
        reference: String,
        /// Reason, for operators.
        reason: String,
    },
}

/// A secret store.
pub trait Secrets: Send + Sync {
    /// Returns the plain value of a secret of `scope` (`business/mode/account`) by its reference.
    ///
    /// # Errors
    /// Fails with [`SecretError::Unknown`] if the scope has no secret under this reference, even if another scope has
    /// one. Fails with [`SecretError::Unavailable`] if the store is not available.
    fn resolve(&self, scope: &str, reference: &str) -> Result<Secret, SecretError>;

    /// Creates a random secret of `scope` with this name. Until the secret is deleted, further calls with the same name
    /// return the same reference, and the value stays the same. `bytes` is the number of random bytes, at least
    /// [`SECRET_BYTES_MIN`].
    ///
    /// # Errors
    /// Fails if the store is not available.
    fn make(&self, scope: &str, name: &str, bytes: usize) -> Result<MadeSecret, SecretError>;

    /// Stores a value under a name of `scope`, replacing an earlier one. The same name has the same reference.
    ///
    /// # Errors
    /// Fails if the store is not available. By default it also fails because the store does not accept values from
    /// outside.
    fn put(&self, scope: &str, name: &str, plain: &str) -> Result<MadeSecret, SecretError> {
        let _ = (scope, plain);
        let reason = "this store has no given values".to_owned();
        Err(SecretError::Unavailable { reference: name.to_owned(), reason })
    }

    /// Deletes a created secret by its reference; succeeds if it does not exist.
    ///
    /// # Errors
    /// Fails if the store is not available.
    fn forget(&self, scope: &str, reference: &str) -> Result<(), SecretError>;
}

/// Minimum number of random bytes of a created secret: 256 bits.
pub const SECRET_BYTES_MIN: usize = 32;

/// A created secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MadeSecret {
    /// Reference, for payloads and outputs.
    pub reference: String,
    /// SHA-256 of the plain value, in hex, to check a value that was handed over.
    pub sha256: String,
}

/// The access of one call to secrets. It keeps the resolved values, so that it can remove them from the call's answer.
#[derive(Clone, Default)]
pub struct SecretAccess {
    secrets: Option<Arc<dyn Secrets>>,
    resolved: Arc<Mutex<Vec<(String, Secret)>>>,
}

impl SecretAccess {
    /// Creates an access to `secrets` for one call. With none, as in the default, every reference is unknown.
    pub fn new(secrets: Option<Arc<dyn Secrets>>) -> Self {
        SecretAccess { secrets, resolved: Arc::default() }
    }

    pub(crate) fn resolve(&self, scope: &str, reference: &str) -> Result<Secret, SecretError> {
        if !reference.starts_with(SECRET_PREFIX) {
            return Err(SecretError::NoReference);
        }
        let unknown = || SecretError::Unknown(reference.to_owned());
        let secret = self.secrets.as_ref().ok_or_else(unknown)?.resolve(scope, reference)?;
        let mut resolved = self.resolved.lock().unwrap_or_else(PoisonError::into_inner);
        resolved.push((reference.to_owned(), secret.clone()));
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

    /// Returns a function that replaces each resolved plain value in a text with its reference.
    pub(crate) fn redaction(&self) -> impl Fn(String) -> String {
        let mut resolved = self.resolved.lock().unwrap_or_else(PoisonError::into_inner).clone();
        resolved.retain(|(_, secret)| !secret.expose().is_empty());
        // Longer values are replaced first, since a longer value may contain a shorter value.
        resolved.sort_by_key(|(_, secret)| std::cmp::Reverse(secret.expose().len()));
        move |text| resolved.iter().fold(text, |text, (name, secret)| text.replace(secret.expose(), name))
    }
}

impl fmt::Debug for SecretAccess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretAccess")
    }
}

/// Always returns true, so that the comparison of two calls ignores their access to secrets.
impl PartialEq for SecretAccess {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}
