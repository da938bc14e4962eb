//! JSON text, which exists at the edges only.

use extension_contract::{Failure, Fallible};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// A JSON object: metadata, payloads, outputs.
pub(crate) type Object = Map<String, Value>;

/// Decode a stored JSON text; what was stored by us and can't be read is damaged data.
pub(crate) fn decode<T: DeserializeOwned>(collection: &str, id: &str, text: &str) -> Fallible<T> {
    extension_reader::from_str_small(text).map_err(|error| damaged(collection, id, &error))
}

#[cold]
#[inline(never)]
fn damaged(collection: &str, id: &str, error: &extension_reader::Error) -> Failure {
    Failure::Internal(format!("{collection}/{id} can't be read: {error}"))
}

/// Encode a value as JSON text.
pub(crate) fn encode<T: Serialize>(value: &T) -> Fallible<String> {
    serde_json::to_string(value).map_err(|error| not_encoded(&error))
}

#[cold]
#[inline(never)]
fn not_encoded(error: &serde_json::Error) -> Failure {
    Failure::Internal(format!("can't encode: {error}"))
}

/// Sixteen hexadecimal digits that derive from a text: ids without a counter.
pub(crate) fn short_hash(text: &str) -> String {
    use sha2::{Digest, Sha256};
    use std::fmt::Write;
    let digest = Sha256::digest(text.as_bytes());
    let mut out = String::with_capacity(16);
    for byte in digest.iter().take(8) {
        // Writing to a String can't fail.
        let _ = write!(out, "{byte:02x}");
    }
    out
}

/// For `skip_serializing_if`.
pub(crate) fn is_false(flag: &bool) -> bool {
    !flag
}

/// For numbers that are left out where they are nothing.
pub(crate) fn is_zero(number: &i64) -> bool {
    *number == 0
}
