//! Marks strings that look like JSON. A platform's database returns a string that starts with a brace or a bracket and parses as JSON
//! as the parsed value, so the original bytes are lost. Most bodies of rows are such strings.

use std::borrow::Cow;

/// The tables contain one more space before each string that starts with a brace or a bracket, after any spaces. A marked string is
/// still JSON that SQL can read, and every string is read back as it was written. Row ids need no mark, because each starts with a
/// letter or a digit.
const MARK: char = ' ';

fn looks_like_json(text: &str) -> bool {
    text.trim_start_matches(MARK).starts_with(['{', '['])
}

/// Returns a string in the form written to the tables.
pub(crate) fn marked(text: &str) -> Cow<'_, str> {
    if looks_like_json(text) { Cow::Owned(format!("{MARK}{text}")) } else { Cow::Borrowed(text) }
}

/// Returns the string that was passed to [`marked`].
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
