//! Texts of a catalog with places such as `{product.id}`, held against what came of them.

use host_intake::webhook::split_place;

/// Whether a text may have come of a template: the parts between its places stand in it, in their order.
pub(crate) fn came_of(text: &str, template: &str) -> bool {
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

/// What stands before, between and behind the places.
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
    fn places_may_be_anything_and_the_rest_is_as_it_stands() {
        for (text, template) in [
            ("agent:a1", "agent:{product.id}"),
            ("shows", "shows"),
            ("https://x.example/y", "https://{a}.example/{b}"),
            ("https://x.example/", "https://{a}.example/"),
            ("anything", "{a}"),
            ("open{", "open{"),
        ] {
            assert!(came_of(text, template), "{text} {template}");
        }
        for (text, template) in
            [("agents", "agent:{product.id}"), ("shows2", "shows"), ("x", "{a}y"), ("a-b", "{x}-{y}-{z}"), ("", "a")]
        {
            assert!(!came_of(text, template), "{text} {template}");
        }
    }
}
