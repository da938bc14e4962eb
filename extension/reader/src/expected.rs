//! Translates the expectations of serde's derive and types, which name Rust types, into terms of JSON.

use serde::de::Unexpected;
use std::borrow::Cow;

/// Returns the kind of a value for a message. The kind does not contain the value.
pub(crate) fn kind(found: Unexpected<'_>) -> &'static str {
    match found {
        Unexpected::Bool(_) => "a boolean",
        Unexpected::Unsigned(_) | Unexpected::Signed(_) => "a whole number",
        Unexpected::Float(_) => "another number",
        Unexpected::Char(_) | Unexpected::Str(_) | Unexpected::UnitVariant => "a text",
        Unexpected::Unit | Unexpected::Option => "null",
        Unexpected::Seq | Unexpected::Bytes(_) | Unexpected::TupleVariant => "a list",
        Unexpected::Map | Unexpected::StructVariant | Unexpected::Enum | Unexpected::NewtypeVariant => "an object",
        _ => "something else",
    }
}

/// Returns the kind of a value by its first byte.
pub(crate) fn kind_from(byte: u8) -> Option<&'static str> {
    Some(match byte {
        b'"' => "a text",
        b'{' => "an object",
        b'[' => "a list",
        b't' | b'f' => "a boolean",
        b'n' => "null",
        b'-' | b'0'..=b'9' => "a number",
        _ => return None,
    })
}

/// Returns the expectation without names of Rust types. The text of a custom visitor is returned unchanged.
pub(crate) fn plain(expected: &str) -> Cow<'_, str> {
    let words = match expected {
        "i8" | "nonzero i8" => "a whole number from -128 to 127",
        "i16" => "a whole number from -32768 to 32767",
        "i32" => "a whole number from -2147483648 to 2147483647",
        "u8" => "a whole number from 0 to 255",
        "u16" => "a whole number from 0 to 65535",
        "u32" => "a whole number from 0 to 4294967295",
        "u64" | "u128" | "usize" => "a whole number, not negative",
        "i64" | "i128" | "isize" => "a whole number",
        "f32" | "f64" => "a number",
        "a string" | "a borrowed string" | "string" | "a character" => "a text",
        "a sequence" | "byte array" | "a borrowed byte array" => "a list",
        "a map" | "map" => "an object",
        "unit" | "option" => "null",
        _ => match expected.split_once(' ').map_or((expected, ""), |(first, rest)| (first, rest)) {
            ("a" | "an", rest) if rest.starts_with("tuple of size ") || rest.starts_with("array of length ") => {
                let length = rest.rsplit(' ').next().unwrap_or_default();
                return Cow::Owned(format!("a list of {length}"));
            }
            ("a", rest) if rest.starts_with("nonzero ") => "a whole number, not 0",
            ("unit", rest) if rest.starts_with("struct ") => "null",
            ("unit" | "newtype" | "tuple", rest) if rest.starts_with("variant ") => "another shape of this variant",
            ("tuple", _) => "a list",
            ("variant" | "field", "identifier") => "a name",
            ("struct", rest) if rest.starts_with("variant ") => "an object",
            ("struct" | "internally" | "adjacently", _) => "an object",
            ("enum", _) => "a text or an object",
            _ => return Cow::Borrowed(expected),
        },
    };
    Cow::Borrowed(words)
}
