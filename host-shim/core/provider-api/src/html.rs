//! How does a text become a part of an HTML page? Providers that write pages or mails use this.

use std::borrow::Cow;

/// Replaces the characters of a text that have a meaning in HTML, so that it is safe in an element and in a quoted
/// attribute.
pub fn escaped(text: &str) -> Cow<'_, str> {
    if !text.contains(['&', '<', '>', '"', '\'']) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_with_a_meaning_are_replaced_and_others_stay() {
        assert_eq!(escaped("<a b='1' c=\"2\">&amp;é"), "&lt;a b=&#39;1&#39; c=&quot;2&quot;&gt;&amp;amp;é");
        assert!(matches!(escaped("Zoë {x}"), Cow::Borrowed("Zoë {x}")));
    }
}
