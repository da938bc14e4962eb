//! Finds the callers of bearer tokens.

use host_identity::access::{AccessError, Caller, Keys, Token};

/// Finds the caller of a bearer token.
pub trait Authenticator: Send + Sync {
    /// Returns the caller of a token; none if the token is not valid.
    ///
    /// # Errors
    /// Fails if the tokens cannot be read.
    fn caller(&self, token: &str) -> Result<Option<Caller>, AccessError>;
}

impl Authenticator for Keys {
    fn caller(&self, token: &str) -> Result<Option<Caller>, AccessError> {
        match Token::parse(token) {
            Ok(token) => self.verify(&token),
            Err(_) => Ok(None),
        }
    }
}
