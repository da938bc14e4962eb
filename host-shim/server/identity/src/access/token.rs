//! The text of a key: `key_ID_SECRET`. The secret has 256 random bits, so a plain hash of it is safe against guessing.

use sha2::{Digest, Sha256};
use std::fmt;
use subtle::ConstantTimeEq;

/// Prefix of the text, by which a scanner for leaked secrets recognises a key.
const PREFIX: &str = "key_";
/// Length of the id in bytes, before hexadecimal encoding.
const ID_BYTES: usize = 6;
/// Length of the secret in bytes, before hexadecimal encoding.
const SECRET_BYTES: usize = 32;

/// A string that is not a key. The error never contains the string.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an API key: expected `key_`, an id and a secret, as `provisioner keys make` prints them")]
pub struct BadToken;

/// A key as its holder has it.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    id: String,
    secret: String,
}

/// Omits the secret.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({})", self.id)
    }
}

impl Token {
    /// Generates a random key.
    ///
    /// # Errors
    /// Fails if the system has no random bytes.
    pub fn random() -> Result<Token, getrandom::Error> {
        let (mut id, mut secret) = ([0; ID_BYTES], [0; SECRET_BYTES]);
        getrandom::fill(&mut id)?;
        getrandom::fill(&mut secret)?;
        Ok(Token { id: hex::encode(id), secret: hex::encode(secret) })
    }

    /// Parses the text of a key.
    ///
    /// # Errors
    /// Fails if the text is not `key_ID_SECRET`.
    pub fn parse(text: &str) -> Result<Token, BadToken> {
        let (id, secret) = text.strip_prefix(PREFIX).and_then(|rest| rest.split_once('_')).ok_or(BadToken)?;
        let is_hex = |part: &str, bytes: usize| part.len() == 2 * bytes && part.bytes().all(|c| c.is_ascii_hexdigit());
        match is_hex(id, ID_BYTES) && is_hex(secret, SECRET_BYTES) {
            true => Ok(Token { id: id.to_owned(), secret: secret.to_owned() }),
            false => Err(BadToken),
        }
    }

    /// Returns the id, which is not secret.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns the text of the key, to be shown once.
    pub fn expose(&self) -> String {
        format!("{PREFIX}{}_{}", self.id, self.secret)
    }

    /// Returns the hash of the secret in lower-case hex.
    pub(crate) fn hash(&self) -> String {
        hex::encode(Sha256::digest(self.secret.as_bytes()))
    }

    /// Compares the hash of the secret in constant time.
    pub(crate) fn has_hash(&self, hash: &str) -> bool {
        self.hash().as_bytes().ct_eq(hash.as_bytes()).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_from_its_own_text_only() {
        let token = Token::random().expect("random bytes");
        assert_eq!(Token::parse(&token.expose()), Ok(token.clone()));
        assert_ne!(Token::random().expect("random bytes"), token);
        let text = token.expose();
        for wrong in
            ["", "key_", "key__", &text[1..], &text[..text.len() - 1], &format!("{text}0"), &text.replace('_', "-")]
        {
            assert_eq!(Token::parse(wrong), Err(BadToken), "{wrong}");
        }
        assert!(!format!("{token:?}").contains(&token.secret));
    }
}
