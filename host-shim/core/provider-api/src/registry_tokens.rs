//! Interface of a provider that signs the tokens of an image registry. A server uses it at the registry's token
//! endpoint; a token that gives access to an image is the result of an effect.

/// A token that a registry can verify without asking the provider.
#[derive(Clone, PartialEq, Eq)]
pub struct RegistryToken {
    /// The token. It is a secret.
    pub token: String,
    /// How many seconds it is valid.
    pub expires_in: i64,
    /// Time when it was signed, RFC 3339.
    pub issued_at: String,
}

/// Keeps the token itself out of logs.
impl std::fmt::Debug for RegistryToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RegistryToken").field("expires_in", &self.expires_in).finish_non_exhaustive()
    }
}

/// A provider that signs tokens for a registry. A token that gives access to an image is the result of an effect; this
/// trait has the other functions that a token endpoint needs.
pub trait RegistryTokens: Send + Sync {
    /// Returns the name by which the registry calls itself (`service`).
    fn service(&self) -> &str;

    /// Signs a token for a subject that gives no access, as an answer to a client that only logs in. None if it cannot be signed
    /// now.
    fn without_access(&self, subject: &str) -> Option<RegistryToken>;
}
