//! How a provider signs, and whether a delivery is signed so.

use crate::headers::Headers;
use crate::signature::{HEADER_BYTES_MAX, SIGNATURES_MAX, SignatureError, TOLERANCE_S_DEFAULT};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use extension_contract::{ID_BYTES_MAX, Timestamp};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::fmt;

/// What the headers of Standard Webhooks begin with, and what they begin with at Svix, where the scheme comes from.
const STANDARD_PREFIXES: [&str; 2] = ["webhook-", "svix-"];
/// What comes before the base64 of a secret of Standard Webhooks. Supabase also puts the version in front.
const SECRET_PREFIX: &str = "whsec_";
/// The version of a symmetric signature.
const VERSION: &str = "v1,";
/// Bytes of a secret of Standard Webhooks, as its specification says.
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// How the bytes of a signature are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Hexadecimal digits.
    Hex,
    /// Base64 with padding.
    Base64,
}

/// How a provider signs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// Standard Webhooks (<https://www.standardwebhooks.com>): id, time and body are signed.
    Standard,
    /// An HMAC-SHA256 of the body alone, in one header. A delivery has no time that could be relied on.
    Hmac {
        /// Name of the header.
        header: String,
        /// What stands before the signature, as `sha256=`.
        prefix: String,
        /// How the signature is written.
        encoding: Encoding,
    },
}

/// Why a secret can't be used. No variant holds it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// It is empty, or has a space or a control character in it.
    #[error("the secret is empty or holds whitespace: expected the text alone")]
    NoText,
    /// It is no secret of Standard Webhooks.
    #[error("the secret is none of Standard Webhooks: expected `whsec_` and the base64 of 24 to 64 bytes")]
    NotStandard,
}

/// A secret, ready to be used.
#[derive(Clone)]
pub struct Key(Hmac<Sha256>);

/// Without the key.
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key")
    }
}

impl Key {
    /// The key of a provider's secret, as its text says.
    ///
    /// # Errors
    /// [`KeyError`], without the secret.
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

    /// A key of these bytes.
    pub fn of_bytes(bytes: &[u8]) -> Key {
        Key(Hmac::new_from_slice(bytes).expect("HMAC takes a key of any length"))
    }

    fn over(&self, parts: &[&[u8]]) -> Hmac<Sha256> {
        parts.iter().fold(self.0.clone(), |mac, part| mac.chain_update(part))
    }
}

/// What a signature vouches for beside the body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Signed {
    /// The delivery's id.
    pub(super) id: Option<String>,
    /// When the provider sent it.
    pub(super) time: Option<Timestamp>,
}

impl Scheme {
    /// What a provider with this key sends beside a body; `id` and `time` are left out where the scheme has none.
    pub fn sign(&self, key: &Key, id: &str, time: Timestamp, body: &[u8]) -> Vec<(String, String)> {
        match self {
            Scheme::Standard => {
                let time_s = time.div_euclid(1000).to_string();
                let mac = key.over(&[id.as_bytes(), b".", time_s.as_bytes(), b".", body]);
                let signature = format!("{VERSION}{}", STANDARD.encode(mac.finalize().into_bytes()));
                let [prefix, _] = STANDARD_PREFIXES;
                let named = |name: &str, value: String| (format!("{prefix}{name}"), value);
                vec![named("id", id.to_owned()), named("timestamp", time_s), named("signature", signature)]
            }
            Scheme::Hmac { header, prefix, encoding } => {
                let bytes = key.over(&[body]).finalize().into_bytes();
                let text = match encoding {
                    Encoding::Hex => hex::encode(bytes),
                    Encoding::Base64 => STANDARD.encode(bytes),
                };
                vec![(header.clone(), format!("{prefix}{text}"))]
            }
        }
    }

    /// Whether a delivery is signed with the key; signatures are compared in constant time.
    pub(super) fn verify(
        &self,
        key: &Key,
        headers: Headers<'_>,
        body: &[u8],
        now: Timestamp,
    ) -> Result<Signed, SignatureError> {
        match self {
            Scheme::Standard => standard(key, headers, body, now),
            Scheme::Hmac { header, prefix, encoding } => {
                let value = only(headers, header)?;
                let text = value.strip_prefix(prefix.as_bytes()).ok_or(SignatureError::BadElement)?;
                let signature = match encoding {
                    Encoding::Hex => hex::decode(text).ok(),
                    Encoding::Base64 => STANDARD.decode(text).ok(),
                };
                let signature = signature.ok_or(SignatureError::NoSignature)?;
                match key.over(&[body]).verify_slice(&signature) {
                    Ok(()) => Ok(Signed { id: None, time: None }),
                    Err(_) => Err(SignatureError::Mismatch),
                }
            }
        }
    }
}

fn standard(key: &Key, headers: Headers<'_>, body: &[u8], now: Timestamp) -> Result<Signed, SignatureError> {
    let of = |prefix: &&str| headers.has(&format!("{prefix}signature"));
    let prefix = STANDARD_PREFIXES.into_iter().find(|prefix| of(prefix)).ok_or(SignatureError::Missing)?;
    let header = |name: &str| only(headers, &format!("{prefix}{name}"));
    let (id, time, signatures) = (header("id")?, header("timestamp")?, header("signature")?);
    // A full stop would let the end of the id be taken for the time.
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
    let mac = key.over(&[id.as_bytes(), b".", time, b".", body]);
    let of_version = |text: &[u8]| text.strip_prefix(VERSION.as_bytes()).and_then(|text| STANDARD.decode(text).ok());
    let mut found = signatures.split(|byte| *byte == b' ').take(SIGNATURES_MAX).filter_map(of_version).peekable();
    if found.peek().is_none() {
        return Err(SignatureError::NoSignature);
    }
    match found.any(|signature| mac.clone().verify_slice(&signature).is_ok()) {
        true => Ok(Signed { id: Some(id.to_owned()), time: time_s.checked_mul(1000) }),
        false => Err(SignatureError::Mismatch),
    }
}

/// The only header of a name, of a length that is looked at.
fn only<'h>(headers: Headers<'h>, name: &str) -> Result<&'h [u8], SignatureError> {
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
