//! The mark of texts that look like JSON: a platform's database returns a text that begins with a brace or a bracket and parses as JSON
//! as the parsed value, and the bytes that were written are lost. Most bodies of rows are such texts.

use std::borrow::Cow;

/// The tables have one more space before each text that begins with a brace or a bracket, after any spaces. A marked text is still JSON
/// that SQL can read, and every text is read as it was written. Ids of rows need no mark: each begins with a letter or a digit.
const MARK: char = ' ';

fn looks_like_json(text: &str) -> bool {
    text.trim_start_matches(MARK).starts_with(['{', '['])
}

/// Returns a text as it is written into the tables.
pub(crate) fn marked(text: &str) -> Cow<'_, str> {
    if looks_like_json(text) { Cow::Owned(format!("{MARK}{text}")) } else { Cow::Borrowed(text) }
}

/// Returns the text that [`marked`] was called with.
pub(crate) fn unmarked(text: &str) -> &str {
    text.strip_prefix(MARK).filter(|rest| looks_like_json(rest)).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::{marked, unmarked};

    #[test]
    fn a_marked_text_does_not_begin_like_json_and_is_read_as_it_was() {
        for text in ["", " ", "  ", "text", " text", "{}", " {}", "  {}", "[", " [1]", "  [ {", "t{}", "\n{}"] {
            let stored = marked(text);
            assert!(!stored.starts_with(['{', '[']), "{stored:?}");
            assert_eq!(unmarked(&stored), text, "{stored:?}");
        }
    }
}
