//! Signs deliveries as Stripe does, for tests.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Returns the `v1` signature of `body` in hexadecimal, signed at `time_s` seconds since the Unix epoch.
pub fn signature(secret: &str, time_s: i64, body: &[u8]) -> String {
    let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes a key of any length");
    hex::encode(mac.chain_update(time_s.to_string()).chain_update(b".").chain_update(body).finalize().into_bytes())
}

/// Returns the `Stripe-Signature` header for `body`, signed at `time_s` seconds since the Unix epoch.
pub fn sign(secret: &str, time_s: i64, body: &[u8]) -> String {
    format!("t={time_s},v1={}", signature(secret, time_s, body))
}
