//! Verifies Stripe's signature and the age of a delivery.
//!
//! The header is `t=<unix s>,v1=<hex>[,v1=<hex>…]`; the signed text is `t`, a dot and the body's bytes
//! (<https://docs.stripe.com/webhooks#verify-manually>). The parser runs before authentication, so its work is bounded:
//! by the header's length, the number of checked signatures and the number of secrets.

mod header;
mod secrets;

pub use secrets::{ConfigError, EndpointSecret, EndpointSecrets, Mode, SECRET_CHARS_MIN, SecretConfig, is_short};

use extension_contract::Timestamp;
use header::Header;
use hmac::Mac;
use std::fmt;

/// Name of the header.
pub const HEADER_NAME: &str = "stripe-signature";
/// Maximum length of the header in bytes. A header with two signatures has 150 bytes. Even with many rolled secrets,
/// the header stays far below this limit.
pub const HEADER_BYTES_MAX: usize = 4096;
/// Maximum number of signatures of a header that are checked. Stripe sends one for each active secret of the endpoint.
pub const SIGNATURES_MAX: usize = 8;
/// Maximum number of secrets of one endpoint. Verifying a delivery takes at most one pass over its body per secret.
pub const SECRETS_MAX: usize = 4;
/// Default of the maximum difference between a delivery's time and ours, in seconds. Stripe's libraries have the same
/// default.
pub const TOLERANCE_S_DEFAULT: u32 = 300;

/// The reason why a delivery is not authentic. `Display` gives the same message for all reasons, since it may reach the
/// sender. [`SignatureError::label`] distinguishes the reasons for counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SignatureError {
    /// The header is missing or empty.
    Missing,
    /// The request has several signature headers.
    SeveralHeaders,
    /// The header is longer than [`HEADER_BYTES_MAX`].
    HeaderTooLong,
    /// An element of the header is not `scheme=value`.
    BadElement,
    /// The header contains no time.
    NoTime,
    /// The header contains several times.
    SeveralTimes,
    /// The time is not a number of seconds.
    BadTime,
    /// The header contains no `v1` signature of 64 lower-case hex digits among the first [`SIGNATURES_MAX`].
    NoSignature,
    /// The time is too far in the past.
    TooOld,
    /// The time is too far in the future.
    TooNew,
    /// No signature matches a secret.
    Mismatch,
}

impl SignatureError {
    /// Returns the name of the reason for counters. The name must not be sent to the sender.
    pub fn label(&self) -> &'static str {
        match self {
            SignatureError::Missing => "missing",
            SignatureError::SeveralHeaders => "several-headers",
            SignatureError::HeaderTooLong => "header-too-long",
            SignatureError::BadElement => "bad-element",
            SignatureError::NoTime => "no-time",
            SignatureError::SeveralTimes => "several-times",
            SignatureError::BadTime => "bad-time",
            SignatureError::NoSignature => "no-signature",
            SignatureError::TooOld => "too-old",
            SignatureError::TooNew => "too-new",
            SignatureError::Mismatch => "mismatch",
        }
    }
}

impl fmt::Display for SignatureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("signature not valid")
    }
}

impl std::error::Error for SignatureError {}

impl EndpointSecrets {
    /// Verifies all `Stripe-Signature` headers of a request at `now`; returns the secret that signed `body`.
    ///
    /// # Errors
    /// Fails with [`SignatureError`] if the delivery is not authentic.
    pub fn verify<'h>(
        &self,
        headers: impl IntoIterator<Item = &'h [u8]>,
        body: &[u8],
        now: Timestamp,
    ) -> Result<&EndpointSecret, SignatureError> {
        let mut headers = headers.into_iter();
        let header = headers.next().ok_or(SignatureError::Missing)?;
        if headers.next().is_some() {
            return Err(SignatureError::SeveralHeaders);
        }
        let header = Header::parse(header)?;
        let age_s = i128::from(now.div_euclid(1000)) - i128::from(header.time_s);
        let tolerance_s = i128::from(self.tolerance_s());
        if age_s > tolerance_s {
            return Err(SignatureError::TooOld);
        }
        if age_s < -tolerance_s {
            return Err(SignatureError::TooNew);
        }
        let has_signed = |secret: &&EndpointSecret| {
            let mac = secret.keyed().chain_update(header.time).chain_update(b".").chain_update(body);
            header.signatures().any(|signature| mac.clone().verify_slice(signature).is_ok())
        };
        self.secrets().iter().find(has_signed).ok_or(SignatureError::Mismatch)
    }
}
