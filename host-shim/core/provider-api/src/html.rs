//! Escapes text so that it can be inserted into HTML. Providers that write pages or mails use [`escaped`].

use std::borrow::Cow;

/// Replaces the special characters of HTML with character references, so that the text is safe in an element and in a
/// quoted attribute.
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
    fn special_characters_are_escaped_and_others_stay() {
        assert_eq!(escaped("<a b='1' c=\"2\">&amp;é"), "&lt;a b=&#39;1&#39; c=&quot;2&quot;&gt;&amp;amp;é");
        assert!(matches!(escaped("Zoë {x}"), Cow::Borrowed("Zoë {x}")));
    }
}
