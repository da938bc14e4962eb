//! Stripe's signature over a delivery: which of an endpoint's secrets made it, and whether it is fresh.
//!
//! The header is `t=<unix s>,v1=<hex>[,v1=<hex>…]`; signed are `t`, a dot and the body's bytes
//! (<https://docs.stripe.com/webhooks#verify-manually>). The parser runs before anybody is authenticated, so all its work is
//! bounded: by the header's length, by the signatures looked at and by the secrets of an endpoint.

mod header;
mod secrets;

pub use secrets::{ConfigError, EndpointSecret, EndpointSecrets, Mode, SecretConfig};

use extension_contract::Timestamp;
use header::Header;
use hmac::Mac;
use std::fmt;

/// Name of the header.
pub const HEADER_NAME: &str = "stripe-signature";
/// Longest header in bytes. Two signatures need 150; while many secrets are rolled it stays far below this.
pub const HEADER_BYTES_MAX: usize = 4096;
/// Signatures of a header that are looked at. Stripe sends one for each live secret of the endpoint.
pub const SIGNATURES_MAX: usize = 8;
/// Secrets of one endpoint, so that one delivery costs at most that many passes over its body.
pub const SECRETS_MAX: usize = 4;
/// How far a delivery's time may be from ours, either way, in seconds. Stripe's own default.
pub const TOLERANCE_S_DEFAULT: u32 = 300;

/// Why a delivery is not authentic. `Display` is the same for all, since it may reach the sender; [`SignatureError::label`]
/// tells them apart for counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SignatureError {
    /// There is no header, or it is empty.
    Missing,
    /// There are several headers.
    SeveralHeaders,
    /// The header is longer than [`HEADER_BYTES_MAX`].
    HeaderTooLong,
    /// An element of the header is no `scheme=value`.
    BadElement,
    /// It has no time.
    NoTime,
    /// It has several times.
    SeveralTimes,
    /// Its time is no count of seconds.
    BadTime,
    /// It has no `v1` signature of 64 lower-case hex digits among the first [`SIGNATURES_MAX`].
    NoSignature,
    /// Its time is too long ago.
    TooOld,
    /// Its time is too far ahead.
    TooNew,
    /// No secret made any of its signatures.
    Mismatch,
}

impl SignatureError {
    /// Name for counters; never for the sender.
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
    /// Say which secret signed `body`, from all `Stripe-Signature` headers of the request, at `now`.
    ///
    /// # Errors
    /// [`SignatureError`], whose text tells the sender nothing.
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
        let made_by = |secret: &&EndpointSecret| {
            let mac = secret.keyed().chain_update(header.time).chain_update(b".").chain_update(body);
            header.signatures().any(|signature| mac.clone().verify_slice(signature).is_ok())
        };
        self.secrets().iter().find(made_by).ok_or(SignatureError::Mismatch)
    }
}
