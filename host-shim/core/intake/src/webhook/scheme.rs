//! Signature schemes of webhooks: signs and verifies deliveries.

use crate::headers::Headers;
use crate::signature::{HEADER_BYTES_MAX, SIGNATURES_MAX, SignatureError, TOLERANCE_S_DEFAULT};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use extension_contract::{ID_BYTES_MAX, Timestamp};
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use std::fmt;

/// Header prefixes of Standard Webhooks and of Svix, which invented the scheme.
const STANDARD_PREFIXES: [&str; 2] = ["webhook-", "svix-"];
/// Prefix of a Standard Webhooks secret, before its base64. Supabase also adds the version before the prefix.
const SECRET_PREFIX: &str = "whsec_";
/// Version prefix of a symmetric signature, including the comma.
const VERSION: &str = "v1,";
/// Length of a Standard Webhooks secret in bytes, from its specification.
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// The text encoding of a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    /// Hexadecimal digits.
    Hex,
    /// Base64 with padding.
    Base64,
}

/// The signature scheme of a webhook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scheme {
    /// Standard Webhooks (<https://www.standardwebhooks.com>): signs id, time and body.
    Standard,
    /// An HMAC-SHA256 of the body only, in one header. A delivery has no signed time.
    Hmac {
        /// Name of the header.
        header: String,
        /// Text before the signature, for example `sha256=`.
        prefix: String,
        /// Encoding of the signature.
        encoding: Encoding,
    },
}

/// The reason why a secret cannot be used. No variant contains the secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The secret is empty, or contains whitespace or a control character.
    #[error("the secret is empty or contains whitespace: expected only the secret")]
    NoText,
    /// The secret does not have the format of Standard Webhooks.
    #[error("the secret is not a Standard Webhooks secret: expected `whsec_` and the base64 of 24 to 64 bytes")]
    NotStandard,
}

/// A secret as an HMAC key.
#[derive(Clone)]
pub struct Key(Hmac<Sha256>);

/// Omits the key.
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key")
    }
}

impl Key {
    /// Parses the text of a webhook's secret.
    ///
    /// # Errors
    /// Fails with [`KeyError`] if the scheme cannot use the secret.
    pub fn new(scheme: &Scheme, secret: &str) -> Result<Key, KeyError> {
        if secret.is_empty() || secret.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(KeyError::NoText);
        }
        match scheme {
            Scheme::Hmac { .. } => Ok(Key::of_bytes(secret.as_bytes())),
            Scheme::Standard => {
                let text = secret.strip_prefix(VERSION).unwrap_or(secret);
                let bytes = text.strip_prefix(SECRET_PREFIX).and_then(|text| STANDARD.decode(text).ok());
                let bytes = bytes.filter(|bytes| SECRET_BYTES.contains(&bytes.len())).ok_or(KeyError::NotStandard)?;
                Ok(Key::of_bytes(&bytes))
            }
        }
    }

    /// Returns a key from bytes.
    pub fn of_bytes(bytes: &[u8]) -> Key {
        Key(Hmac::new_from_slice(bytes).expect("HMAC takes a key of any length"))
    }

    fn mac(&self, parts: &[&[u8]]) -> Hmac<Sha256> {
        parts.iter().fold(self.0.clone(), |mac, part| mac.chain_update(part))
    }
}

/// The data that a signature covers in addition to the body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SignedData {
    /// Id of the delivery.
    pub(super) id: Option<String>,
    /// Time at which the delivery was sent.
    pub(super) time: Option<Timestamp>,
}

impl Scheme {
    /// Returns the signature headers of a delivery. Schemes without id and time ignore `id` and `time`.
    pub fn sign(&self, key: &Key, id: &str, time: Timestamp, body: &[u8]) -> Vec<(String, String)> {
        match self {
            Scheme::Standard => {
                let time_s = time.div_euclid(1000).to_string();
                let mac = key.mac(&[id.as_bytes(), b".", time_s.as_bytes(), b".", body]);
                let signature = format!("{VERSION}{}", STANDARD.encode(mac.finalize().into_bytes()));
                let [prefix, _] = STANDARD_PREFIXES;
                let named = |name: &str, value: String| (format!("{prefix}{name}"), value);
                vec![named("id", id.to_owned()), named("timestamp", time_s), named("signature", signature)]
            }
            Scheme::Hmac { header, prefix, encoding } => {
                let bytes = key.mac(&[body]).finalize().into_bytes();
                let text = match encoding {
                    Encoding::Hex => hex::encode(bytes),
                    Encoding::Base64 => STANDARD.encode(bytes),
                };
                vec![(header.clone(), format!("{prefix}{text}"))]
            }
        }
    }

    /// Verifies that a delivery is signed with the key. Compares signatures in constant time.
    pub(super) fn verify(
        &self,
        key: &Key,
        headers: Headers<'_>,
        body: &[u8],
        now: Timestamp,
    ) -> Result<SignedData, SignatureError> {
        match self {
            Scheme::Standard => standard(key, headers, body, now),
            Scheme::Hmac { header, prefix, encoding } => {
                let value = single_header(headers, header)?;
                let text = value.strip_prefix(prefix.as_bytes()).ok_or(SignatureError::BadElement)?;
                let signature = match encoding {
                    Encoding::Hex => hex::decode(text).ok(),
                    Encoding::Base64 => STANDARD.decode(text).ok(),
                };
                let signature = signature.ok_or(SignatureError::NoSignature)?;
                match key.mac(&[body]).verify_slice(&signature) {
                    Ok(()) => Ok(SignedData { id: None, time: None }),
                    Err(_) => Err(SignatureError::Mismatch),
                }
            }
        }
    }
}

fn standard(key: &Key, headers: Headers<'_>, body: &[u8], now: Timestamp) -> Result<SignedData, SignatureError> {
    let of = |prefix: &&str| headers.has(&format!("{prefix}signature"));
    let prefix = STANDARD_PREFIXES.into_iter().find(|prefix| of(prefix)).ok_or(SignatureError::Missing)?;
    let header = |name: &str| single_header(headers, &format!("{prefix}{name}"));
    let (id, time, signatures) = (header("id")?, header("timestamp")?, header("signature")?);
    // With a full stop in the id, part of the id could pass as the time.
    let id = std::str::from_utf8(id).map_err(|_| SignatureError::BadElement)?;
    if id.len() > ID_BYTES_MAX || id.contains('.') || id.chars().any(char::is_control) {
        return Err(SignatureError::BadElement);
    }
    if !time.iter().all(u8::is_ascii_digit) {
        return Err(SignatureError::BadTime);
    }
    let time_s: i64 =
        std::str::from_utf8(time).ok().and_then(|text| text.parse().ok()).ok_or(SignatureError::BadTime)?;
    let age_s = i128::from(now.div_euclid(1000)) - i128::from(time_s);
    if age_s > i128::from(TOLERANCE_S_DEFAULT) {
        return Err(SignatureError::TooOld);
    }
    if age_s < -i128::from(TOLERANCE_S_DEFAULT) {
        return Err(SignatureError::TooNew);
    }
    let mac = key.mac(&[id.as_bytes(), b".", time, b".", body]);
    let of_version = |text: &[u8]| text.strip_prefix(VERSION.as_bytes()).and_then(|text| STANDARD.decode(text).ok());
    let mut found = signatures.split(|byte| *byte == b' ').take(SIGNATURES_MAX).filter_map(of_version).peekable();
    if found.peek().is_none() {
        return Err(SignatureError::NoSignature);
    }
    match found.any(|signature| mac.clone().verify_slice(&signature).is_ok()) {
        true => Ok(SignedData { id: Some(id.to_owned()), time: time_s.checked_mul(1000) }),
        false => Err(SignatureError::Mismatch),
    }
}

/// Returns a header that must occur exactly once. Fails if it is missing, repeated or too long.
fn single_header<'h>(headers: Headers<'h>, name: &str) -> Result<&'h [u8], SignatureError> {
    let mut values = headers.all(name);
    let value = values.next().filter(|value| !value.is_empty()).ok_or(SignatureError::Missing)?;
    if values.next().is_some() {
        return Err(SignatureError::SeveralHeaders);
    }
    match value.len() > HEADER_BYTES_MAX {
        true => Err(SignatureError::HeaderTooLong),
        false => Ok(value),
    }
}
