//! The output formats of a replay: a table for the terminal, JSON lines, JUnit, GitHub annotations.

mod businesses;
mod failures;
pub mod github;
mod human;
mod json;
mod junit;

pub use failures::{Told, failures};
pub use human::Human;
pub use json::Json;
pub use junit::junit;

use host_provider_api::scripted::PassedOver;
use std::borrow::Cow;

/// Returns the sentence about a case that needs these answers.
fn missing_answers(passed_over: &[PassedOver]) -> String {
    format!("needs scripted answers for {}", answers(passed_over))
}

/// Returns the number of cases that need answers, as text.
fn needing(cases: u64) -> String {
    format!("{cases} {} scripted answers", if cases == 1 { "needs" } else { "need" })
}

/// Returns the kinds of the effects with the patterns of their answers.
fn answers(passed_over: &[PassedOver]) -> String {
    let all: Vec<String> = passed_over.iter().map(|one| format!("{} (`{}`)", one.kind, one.pattern)).collect();
    all.join(", ")
}

/// Escapes a text for a terminal: control characters, invisible characters, and characters that change the writing
/// direction.
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.contains(is_deceptive) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match is_deceptive(c) {
            true => safe.extend(c.escape_default()),
            false => safe.push(c),
        }
    }
    Cow::Owned(safe)
}

/// Returns true for control characters, line and paragraph separators, and Unicode's format characters, which change
/// the writing direction or are invisible.
fn is_deceptive(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(c, '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invisible_and_direction_characters_are_escaped() {
        for c in ['\u{202e}', '\u{2066}', '\u{200b}', '\u{200f}', '\u{2028}', '\u{feff}', '\u{e0041}'] {
            assert_eq!(printable(&format!("a{c}b")), format!("a{}b", c.escape_unicode()));
        }
    }

    #[test]
    fn control_characters_are_escaped_and_letters_kept() {
        assert_eq!(printable("a\x1b[31mb\r\n\u{9b}ä"), "a\\u{1b}[31mb\\r\\n\\u{9b}ä");
        assert!(matches!(printable("Blöd – ok, \u{5e9}\u{5dc}\u{5d5}\u{5dd}"), Cow::Borrowed(_)));
    }
}
