//! Short hashes, by which ids and claims are derived from texts.

use sha2::{Digest, Sha256};
use std::fmt::Write;

/// Prefix of the claims `address:HASH`. Such a claim places checkouts without an account by the buyer's e-mail address.
pub const ADDRESS_CLAIMS: &str = "address:";
/// Number of bytes of an address's hash.
const ADDRESS_BYTES: usize = 16;

/// Returns the hexadecimal digits of the first `bytes` bytes of a text's SHA-256.
pub fn short_sha256(text: &str, bytes: usize) -> String {
    let digest = Sha256::digest(text.as_bytes());
    let mut out = String::with_capacity(2 * bytes);
    for byte in digest.iter().take(bytes) {
        // Writing to a String can't fail.
        let _ = write!(out, "{byte:02x}");
    }
    out
}

/// Returns the hash by which an e-mail address is claimed. A claim outlives what is personal, so it has no address.
pub fn address_hash(email: &str) -> String {
    short_sha256(&email.trim().to_lowercase(), ADDRESS_BYTES)
}
