//! Encoding and decoding of JSON text, used only where rows, payloads and contexts enter or leave.

use extension_contract::{Failure, Fallible};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// A JSON object: metadata, payloads, outputs.
pub(crate) type Object = Map<String, Value>;

/// Decodes stored JSON text. Fails if the text cannot be decoded. Since this component wrote it, it must then be
/// damaged.
pub(crate) fn decode<T: DeserializeOwned>(collection: &str, id: &str, text: &str) -> Fallible<T> {
    extension_reader::from_str(text)
        .map_err(|error| Failure::Internal(format!("row {collection}/{id} can't be decoded: {error}")))
}

/// Encodes a value as JSON text.
pub(crate) fn encode<T: Serialize>(value: &T) -> Fallible<String> {
    serde_json::to_string(value).map_err(|error| Failure::Internal(format!("JSON value can't be encoded: {error}")))
}

/// Returns the first sixteen hexadecimal digits of a text's SHA-256, to derive an id from the text.
pub(crate) fn short_hash(text: &str) -> String {
    extension_contract::short_sha256(text, 8)
}

/// Returns whether a number is 0, for `skip_serializing_if`.
pub(crate) fn is_zero(number: &i64) -> bool {
    *number == 0
}
