//! The former spelling of placeholders, `{name}`.

/// The tags of the language: a placeholder, a statement, a comment.
const TAGS: [(&str, &str); 3] = [("{{", "}}"), ("{%", "%}"), ("{#", "#}")];

/// Returns the first word in single braces outside of tags, and its line. Other text in braces, such as a CSS rule, is
/// literal.
pub(crate) fn find(text: &str) -> Option<(usize, &str)> {
    let mut at = 0;
    while let Some(brace) = text[at..].find('{') {
        at += brace;
        let rest = &text[at..];
        if let Some((begin, end)) = TAGS.iter().find(|(begin, _)| rest.starts_with(begin)) {
            at += begin.len() + rest[begin.len()..].find(end)? + end.len();
            continue;
        }
        let placeholder = rest[1..].split_once('}').map_or("", |(placeholder, _)| placeholder.trim());
        if !placeholder.is_empty() && placeholder.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            return Some((1 + text[..at].matches('\n').count(), placeholder));
        }
        at += 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_word_in_single_braces_is_found() {
        for (text, expected) in [
            ("Hello {name}", Some((1, "name"))),
            ("a\n\nb { name }", Some((3, "name"))),
            ("{{ a }}{b}", Some((1, "b"))),
            ("{ {b}", Some((1, "b"))),
            ("{{a}}", None),
            ("{{ \"{a}\" }}{# {a} #}{% if a == '{a}' %}{% endif %}", None),
            ("p { color: red } {} {a b} { {ä}", None),
            ("{{ {a}", None),
        ] {
            assert_eq!(find(text), expected, "{text}");
        }
    }
}
