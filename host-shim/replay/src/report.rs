//! What a replay looks like from outside: a table for people, JSON lines, JUnit.

mod human;
mod json;
mod junit;

pub use human::Human;
pub use json::Json;
pub use junit::junit;

use std::borrow::Cow;

/// A text for a terminal: control characters, which would move the cursor or change colours, are escaped.
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.contains(char::is_control) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c.is_control() {
            true => safe.extend(c.escape_default()),
            false => safe.push(c),
        }
    }
    Cow::Owned(safe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_escaped_and_others_kept() {
        assert_eq!(printable("a\x1b[31mb\r\n\u{9b}ä"), "a\\u{1b}[31mb\\r\\n\\u{9b}ä");
        assert!(matches!(printable("Blöd – ok"), Cow::Borrowed(_)));
    }
}
