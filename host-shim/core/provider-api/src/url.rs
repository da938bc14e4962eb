//! Percent-encodes text so that it can be part of a URL.

use std::fmt::Write;

/// Percent-encodes all bytes except letters, digits, `-._~` and the bytes of `plain`.
pub fn encoded(text: &str, plain: &[u8]) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || plain.contains(&byte) {
            true => out.push(char::from(byte)),
            // Writing to a string cannot fail.
            false => drop(write!(out, "%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_bytes_than_plain_ones_are_encoded() {
        assert_eq!(encoded("a-b._~/ü:", b""), "a-b._~%2F%C3%BC%3A");
        assert_eq!(encoded("a b/c:d", b"/:"), "a%20b/c:d");
    }
}
