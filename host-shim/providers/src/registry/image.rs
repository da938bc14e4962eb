//! The name of an image: `registry.example:5000/team/editor:1`. Only the repository (`team/editor`) is in a token.

/// Maximum length of a repository's name in bytes.
const NAME_BYTES_MAX: usize = 255;

/// Returns the repository of an image; none if the name is invalid.
///
/// The first part is a registry if it contains a dot or a port, or is `localhost`, by the same rule as in `docker pull`. Tag and digest are
/// left out, because a token is for the whole repository.
pub(crate) fn repository(image: &str) -> Option<&str> {
    let name = image.split_once('@').map_or(image, |(name, _)| name);
    let name = match name.rsplit_once(':') {
        Some((before, tag)) if !tag.contains('/') => before,
        _ => name,
    };
    let repository = match name.split_once('/') {
        Some((first, rest)) if first.contains(['.', ':']) || first == "localhost" => rest,
        _ => name,
    };
    let is_right = repository.len() <= NAME_BYTES_MAX && repository.split('/').all(is_component);
    is_right.then_some(repository)
}

/// True for words of lower-case letters and digits between separators: one dot, one or two underscores, or hyphens.
fn is_component(text: &str) -> bool {
    let is_word = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit();
    let mut parts = text.as_bytes().chunk_by(|a, b| is_word(*a) == is_word(*b));
    let is_begun = text.bytes().next().is_some_and(is_word) && text.bytes().next_back().is_some_and(is_word);
    is_begun
        && parts.all(|part| {
            is_word(part[0]) || matches!(part, b"." | b"_" | b"__") || part.iter().all(|separator| *separator == b'-')
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_names_a_repository_with_or_without_registry_tag_and_digest() {
        for (image, expected) in [
            ("sample-editor", "sample-editor"),
            ("registry.example/sample-editor", "sample-editor"),
            ("registry.example/sample-editor:1", "sample-editor"),
            ("registry.example:5000/team/sample_editor:1.2-rc", "team/sample_editor"),
            ("localhost/a__b/c--d.e", "a__b/c--d.e"),
            ("team/editor@sha256:00ff", "team/editor"),
            ("registry.example/editor:1@sha256:00ff", "editor"),
        ] {
            assert_eq!(repository(image), Some(expected), "{image}");
        }
        let long = "a".repeat(NAME_BYTES_MAX + 1);
        for image in [
            "",
            "registry.example/",
            "Editor",
            "a//b",
            "/a",
            "a/",
            "a..b",
            "a___b",
            "-a",
            "a_",
            "a b",
            "a,b",
            "a*",
            &long,
        ] {
            assert_eq!(repository(image), None, "{image}");
        }
    }
}
