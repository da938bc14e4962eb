//! Guards the characters of values, so that a value cannot create a list, a link or a new line in a text.

/// First character of the private-use area for guarded characters: `!` is U+E021.
const BASE: u32 = 0xE000;
/// Number of guarded characters: all of ASCII.
const COUNT: u32 = 0x80;

/// Returns a value with its special characters guarded.
pub(crate) fn guarded(value: &str) -> String {
    let guard = |letter: char| match letter {
        letter if u32::from(letter).wrapping_sub(BASE) < COUNT => char::REPLACEMENT_CHARACTER,
        letter if letter.is_ascii_punctuation() || letter.is_ascii_control() => {
            char::from_u32(BASE + u32::from(letter)).unwrap_or(char::REPLACEMENT_CHARACTER)
        }
        letter => letter,
    };
    value.chars().map(guard).collect()
}

/// Returns a text with its guarded characters restored.
pub(crate) fn unguarded(text: &str) -> String {
    let restore = |letter: char| match u32::from(letter).checked_sub(BASE) {
        Some(code) if code < COUNT => char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER),
        _ => letter,
    };
    text.chars().map(restore).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guarded_value_has_no_special_character_and_becomes_itself_again() {
        let value = "- [a](https://b.example)\n: é <x>";
        let guarded = guarded(value);
        assert!(!guarded.contains(|letter: char| letter.is_ascii_punctuation() || letter == '\n'), "{guarded}");
        assert_eq!(unguarded(&guarded), value);
        assert_eq!(super::guarded("\u{E021}"), "\u{FFFD}", "a value brings no guarded characters of its own");
    }
}
