//! Checks whether a text can be the result of a catalog template with placeholders such as `{product.id}`.

use host_intake::webhook::split_place;

/// True if `text` equals the template with some text in place of each placeholder.
pub(crate) fn matches_template(text: &str, template: &str) -> bool {
    let mut parts = literals(template).into_iter();
    let Some(first) = parts.next() else { return text.is_empty() };
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    true
}

/// The parts before, between and after the placeholders.
fn literals(template: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = template;
    while let Some((before, _, behind)) = split_place(rest) {
        found.push(before);
        rest = behind;
    }
    found.push(rest);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_match_any_text_and_the_rest_must_be_equal() {
        for (text, template) in [
            ("agent:a1", "agent:{product.id}"),
            ("shows", "shows"),
            ("https://x.example/y", "https://{a}.example/{b}"),
            ("https://x.example/", "https://{a}.example/"),
            ("anything", "{a}"),
            ("open{", "open{"),
        ] {
            assert!(matches_template(text, template), "{text} {template}");
        }
        for (text, template) in
            [("agents", "agent:{product.id}"), ("shows2", "shows"), ("x", "{a}y"), ("a-b", "{x}-{y}-{z}"), ("", "a")]
        {
            assert!(!matches_template(text, template), "{text} {template}");
        }
    }
}
