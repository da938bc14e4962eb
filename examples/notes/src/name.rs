//! Names of notes, and how URLs and headers contain names.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Maximum characters of a note's name.
pub(crate) const NAME_MAX: usize = 128;

/// Characters that are encoded in paths and header values: all but letters, digits, `-`, `.` and `_`.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_');

/// Returns true for an allowed name of a note: 1 to 128 letters, digits, `-` and `_`.
pub(crate) fn is_name(name: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=NAME_MAX).contains(&name.len()) && name.bytes().all(is_allowed)
}

/// Encodes a name for a path or for an extended parameter of a header.
pub(crate) fn encoded(name: &str) -> String {
    utf8_percent_encode(name, ENCODED).to_string()
}
