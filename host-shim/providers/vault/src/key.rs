//! Encryption keys of the vault.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use sha2::{Digest, Sha256};
use std::fmt;

/// Environment variable with the keys in the format of [`Keys::parse`].
pub const KEY_VARIABLE: &str = "PROVISIONER_SECRETS_KEY";
/// Bytes of a key.
const KEY_BYTES: usize = 32;
/// Bytes of a nonce, enough to choose nonces at random.
pub(crate) const NONCE_BYTES: usize = 24;
/// Hex digits of a key's id.
const ID_DIGITS: usize = 16;

/// A 256-bit encryption key. Its debug output shows only its id.
#[derive(Clone)]
pub struct Key {
    id: String,
    cipher: XChaCha20Poly1305,
}

/// Reasons why keys can't be parsed or created. The messages include no part of a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// There is no key.
    #[error("there is no key: expected 64 hex digits, for example of `openssl rand -hex 32`, in {KEY_VARIABLE}")]
    Missing,
    /// A key is malformed.
    #[error("key {number} is malformed: expected 64 hex digits, found {found} characters")]
    Malformed {
        /// Position of the key, from 1.
        number: usize,
        /// Number of characters of the malformed key.
        found: usize,
    },
    /// The operating system has no random bytes.
    #[error("can't get random bytes: {0}")]
    Random(String),
}

impl Key {
    /// Creates a key from bytes.
    pub fn new(bytes: &[u8; KEY_BYTES]) -> Key {
        let mut id = hex::encode(Sha256::digest([b"host-vault key id ".as_slice(), bytes].concat()));
        id.truncate(ID_DIGITS);
        Key { id, cipher: XChaCha20Poly1305::new(bytes.into()) }
    }

    /// Creates a random key.
    ///
    /// # Errors
    ///
    /// Fails if the operating system has no random bytes.
    pub fn random() -> Result<Key, KeyError> {
        let mut bytes = [0; KEY_BYTES];
        getrandom::fill(&mut bytes).map_err(|error| KeyError::Random(error.to_string()))?;
        Ok(Key::new(&bytes))
    }

    /// Returns the key's id, a part of its hash. The id is stored with each secret that the key encrypts.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Encrypts `plain`; none if it is too long. `about` is authenticated but not encrypted.
    pub(crate) fn seal(&self, nonce: &[u8; NONCE_BYTES], plain: &[u8], about: &[u8]) -> Option<Vec<u8>> {
        self.cipher.encrypt(XNonce::from_slice(nonce), Payload { msg: plain, aad: about }).ok()
    }

    /// Decrypts `sealed`; none if it was not encrypted with this key, `nonce` and `about`.
    pub(crate) fn open(&self, nonce: &[u8; NONCE_BYTES], sealed: &[u8], about: &[u8]) -> Option<Vec<u8>> {
        self.cipher.decrypt(XNonce::from_slice(nonce), Payload { msg: sealed, aad: about }).ok()
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.id)
    }
}

/// Encryption keys. The first key encrypts; all keys decrypt.
#[derive(Clone, Debug)]
pub struct Keys(Vec<Key>);

impl Keys {
    /// Creates a set of one key.
    pub fn one(key: Key) -> Keys {
        Keys(vec![key])
    }

    /// Parses keys of 64 hex digits each, separated by commas: first the key that encrypts, then older keys.
    ///
    /// # Errors
    ///
    /// Fails if there is no key or a key is malformed.
    pub fn parse(text: &str) -> Result<Keys, KeyError> {
        let mut keys = Vec::new();
        for (index, part) in text.split(',').map(str::trim).enumerate() {
            let malformed = || KeyError::Malformed { number: index + 1, found: part.chars().count() };
            if part.is_empty() && text.trim().is_empty() {
                return Err(KeyError::Missing);
            }
            let mut bytes = [0; KEY_BYTES];
            hex::decode_to_slice(part, &mut bytes).map_err(|_| malformed())?;
            keys.push(Key::new(&bytes));
        }
        Ok(Keys(keys))
    }

    /// Returns the ids of all keys, for messages.
    pub(crate) fn ids(&self) -> String {
        self.0.iter().map(Key::id).collect::<Vec<_>>().join(", ")
    }

    /// Returns the key that encrypts.
    pub(crate) fn first(&self) -> Option<&Key> {
        self.0.first()
    }

    /// Returns the key with this id.
    pub(crate) fn find(&self, id: &str) -> Option<&Key> {
        self.0.iter().find(|key| key.id == id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_64_hex_digits_each_and_never_printed() {
        let (new, old) = ("11".repeat(32), "22".repeat(32));
        let keys = Keys::parse(&format!("{new}, {old}")).expect("two keys");
        assert_eq!(keys.0.len(), 2);
        let told = format!("{keys:?}");
        assert!(!told.contains(&new) && !told.contains("1111"), "{told}");
        assert_eq!(Keys::parse(" ").expect_err("nothing"), KeyError::Missing);
        for bad in ["zz", "11,", &"zz".repeat(32), &"1".repeat(63)] {
            let error = Keys::parse(bad).expect_err(bad).to_string();
            assert!(error.contains("64 hex digits") && !error.contains("zz"), "{error}");
        }
    }
}
