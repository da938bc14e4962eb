//! Parses the `Stripe-Signature` header.

use super::{HEADER_BYTES_MAX, SIGNATURES_MAX, SignatureError};

/// Length of an HMAC-SHA256 in bytes.
const SIGNATURE_BYTES: usize = 32;

/// A parsed header.
pub(super) struct Header<'h> {
    /// The text of the time, which is part of the signed text.
    pub(super) time: &'h [u8],
    /// Time in seconds since the Unix epoch.
    pub(super) time_s: i64,
    signatures: [[u8; SIGNATURE_BYTES]; SIGNATURES_MAX],
    count: usize,
}

impl<'h> Header<'h> {
    pub(super) fn parse(header: &'h [u8]) -> Result<Self, SignatureError> {
        if header.is_empty() {
            return Err(SignatureError::Missing);
        }
        if header.len() > HEADER_BYTES_MAX {
            return Err(SignatureError::HeaderTooLong);
        }
        let mut time = None;
        let mut signatures = [[0; SIGNATURE_BYTES]; SIGNATURES_MAX];
        let mut count = 0;
        let mut v1_count = 0;
        for element in header.split(|byte| *byte == b',') {
            let mut parts = element.split(|byte| *byte == b'=');
            let (Some(scheme), Some(value), None) = (parts.next(), parts.next(), parts.next()) else {
                return Err(SignatureError::BadElement);
            };
            match scheme {
                b"t" if time.is_some() => return Err(SignatureError::SeveralTimes),
                b"t" => time = Some((value, seconds(value).ok_or(SignatureError::BadTime)?)),
                b"v1" if v1_count < SIGNATURES_MAX => {
                    v1_count += 1;
                    // An unreadable signature is skipped: another signature may be valid.
                    if let Some(signature) = signature(value) {
                        signatures[count] = signature;
                        count += 1;
                    }
                }
                // Other schemes are ignored.
                _ => {}
            }
        }
        let (time, time_s) = time.ok_or(SignatureError::NoTime)?;
        if count == 0 {
            return Err(SignatureError::NoSignature);
        }
        Ok(Header { time, time_s, signatures, count })
    }

    pub(super) fn signatures(&self) -> impl Iterator<Item = &[u8; SIGNATURE_BYTES]> {
        self.signatures[..self.count].iter()
    }
}

/// Parses decimal digits, without sign or exponent.
fn seconds(value: &[u8]) -> Option<i64> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(value).ok()?.parse().ok()
}

/// Parses lower-case hex, as Stripe writes it. Refuses upper case, so that a signature has only one valid text.
fn signature(value: &[u8]) -> Option<[u8; SIGNATURE_BYTES]> {
    if value.iter().any(u8::is_ascii_uppercase) {
        return None;
    }
    let mut signature = [0; SIGNATURE_BYTES];
    hex::decode_to_slice(value, &mut signature).ok()?;
    Some(signature)
}
