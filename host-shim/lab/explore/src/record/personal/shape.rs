//! Finds values that are personal by their shape.

use super::stand_in::PersonalKind;
use regex::Regex;

/// The domain suffix of addresses that were made up by a simulation.
const MADE_UP: &str = ".invalid";

/// The patterns. `\s` needs the feature `unicode-perl` of `regex`, `\p{L}` and `\p{N}` need `unicode-gencat`.
const PATTERNS: [(PersonalKind, &str); 3] = [
    (PersonalKind::Mail, r#"[^\s@<>"'(),:;/=?&]+@[\p{L}\p{N}-]+(?:\.[\p{L}\p{N}-]+)+"#),
    (PersonalKind::Phone, r"\+[0-9][0-9 ().-]{6,}[0-9]"),
    (
        PersonalKind::Ip,
        r"(?:[0-9]{1,3}\.){3}[0-9]{1,3}|(?:[0-9a-fA-F]{1,4}:){7}[0-9a-fA-F]{1,4}|(?:[0-9a-fA-F]{1,4}:){1,6}(?::[0-9a-fA-F]{1,4}){1,6}",
    ),
];

/// A search for addresses and numbers within texts.
pub(super) struct Shapes([(PersonalKind, Regex); 3]);

impl Shapes {
    pub fn new() -> Self {
        Shapes(PATTERNS.map(|(kind, pattern)| (kind, Regex::new(pattern).expect("a pattern that a test compiles"))))
    }

    /// Reports each personal value in a text.
    pub fn each(&self, text: &str, found: &mut dyn FnMut(PersonalKind, &str)) {
        for (kind, pattern) in &self.0 {
            for part in pattern.find_iter(text) {
                if is_personal(*kind, text, part.start(), part.as_str()) {
                    found(*kind, part.as_str());
                }
            }
        }
    }
}

fn is_personal(kind: PersonalKind, text: &str, start: usize, part: &str) -> bool {
    match kind {
        PersonalKind::Mail => !part.ends_with(MADE_UP),
        // Four numbers separated by dots may be part of a longer number.
        PersonalKind::Ip if part.contains('.') => {
            let before = text[..start].chars().next_back();
            let after = text[start + part.len()..].chars().next();
            let is_apart = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric() && c != '.');
            is_apart(before) && is_apart(after) && part.split('.').all(|number| number.parse::<u8>().is_ok())
        }
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The workspace's manifest, which lists the features of `regex`.
    const MANIFEST: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../Cargo.toml"));
    /// Parts of patterns, each with the feature that it needs.
    const NEEDED: [(&str, &str); 6] = [
        (r"\s", "unicode-perl"),
        (r"\d", "unicode-perl"),
        (r"\w", "unicode-perl"),
        (r"\b", "unicode-perl"),
        (r"\p{", "unicode-gencat"),
        ("(?i", "unicode-case"),
    ];

    // In tests, other packages enable more features of `regex` than the program has, so it is not enough that a pattern
    // compiles.
    #[test]
    fn each_pattern_compiles_with_the_features_of_the_program() {
        assert_eq!(Shapes::new().0.len(), PATTERNS.len());
        let regex = MANIFEST.lines().find(|line| line.starts_with("regex = ")).expect("the features of `regex`");
        for (_, pattern) in PATTERNS {
            for (part, feature) in NEEDED.iter().filter(|(part, _)| pattern.contains(part)) {
                assert!(regex.contains(&format!("\"{feature}\"")), "`{part}` needs {feature}: {regex}");
            }
        }
    }

    fn found(text: &str) -> Vec<String> {
        let mut all = Vec::new();
        Shapes::new().each(text, &mut |_, part| all.push(part.to_owned()));
        all
    }

    #[test]
    fn addresses_are_found_within_texts() {
        assert_eq!(found("to: Anna <anna.b+x@mail.example.org>!"), ["anna.b+x@mail.example.org"]);
        assert_eq!(found("mailto:jörg@bücher.de?x=1"), ["jörg@bücher.de"]);
        assert_eq!(found("call +49 (170) 123-4567 now"), ["+49 (170) 123-4567"]);
        assert_eq!(found("from 203.0.113.7, 2001:db8::1"), ["203.0.113.7", "2001:db8::1"]);
    }

    #[test]
    fn ids_times_and_versions_are_not_personal() {
        for text in [
            "cus_Nf4xyz",
            "2026-01-01T00:00:00+01:00",
            "2025-03-31.basil",
            "1.2.3",
            "300.1.1.1",
            "v1.2.3.4",
            "10:30:00",
            "<abc@mail.invalid>",
            "+5s",
            "price@2",
            "solobase/test/user:A/k@1",
            "stripe-customer:cus_1",
            "12:30",
        ] {
            assert_eq!(found(text), [""; 0], "{text}");
        }
    }
}
