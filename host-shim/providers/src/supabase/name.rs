//! Ownership marks of projects. They are part of the project's name, because a project has no other place for them.

use host_provider_api::{ResourceId, names};

/// Maximum characters of a name's readable part.
const SHOWN_CHARS_MAX: usize = 180;
/// Suffix of an adopted project's name.
const ADOPTED: char = 'a';

/// The ownership mark in a project's name. `orchestra-acme-k3jx….2` is the project of the resource whose id has the
/// hash `k3jx…`, changed last by generation 2. `orchestra-acme-k3jx….2a` is an adopted project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Readable part: `orchestra-acme`.
    pub shown: String,
    /// Hash of the resource's id, [`names::letters`].
    pub letters: String,
    /// Latest generation that changed the project.
    pub generation: u32,
    /// Whether a person created the project.
    pub is_adopted: bool,
}

impl Mark {
    /// Creates the mark of a resource with the requested name.
    pub fn new(wanted: Option<&str>, id: &ResourceId, generation: u32) -> Mark {
        let plain = |c: char| if c.is_ascii_alphanumeric() || "._ ".contains(c) { c } else { '-' };
        let shown: String = wanted.unwrap_or(&id.resource).chars().take(SHOWN_CHARS_MAX).map(plain).collect();
        Mark { shown, letters: names::letters(id), generation, is_adopted: false }
    }

    /// Parses a project's name.
    pub fn read(name: &str) -> Option<Mark> {
        let (shown, mark) = name.rsplit_once('-')?;
        let (letters, generation) = mark.split_once('.')?;
        let (generation, is_adopted) = match generation.strip_suffix(ADOPTED) {
            Some(generation) => (generation, true),
            None => (generation, false),
        };
        let is_letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let is_mark = letters.len() == names::DERIVED_LETTERS && letters.bytes().all(is_letter);
        let generation = generation.parse().ok().filter(|_| is_mark)?;
        Some(Mark { shown: shown.to_owned(), letters: letters.to_owned(), generation, is_adopted })
    }

    /// Returns the project's name.
    pub fn name(&self) -> String {
        let end = if self.is_adopted { ADOPTED.to_string() } else { String::new() };
        format!("{}.{}{end}", self.lasting(), self.generation)
    }

    /// Returns the part of the name that stays the same in all generations.
    pub fn lasting(&self) -> String {
        format!("{}-{}", self.shown, self.letters)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(key: &str) -> ResourceId {
        ResourceId { scope: "b/test/user:u".into(), resource: "database".into(), id: key.into() }
    }

    #[test]
    fn a_mark_survives_a_round_trip() {
        for (wanted, is_adopted) in [(Some("orchestra-acme"), false), (None, true), (Some("a - b.c"), false)] {
            let mark = Mark { is_adopted, ..Mark::new(wanted, &id("inst_1/database"), 7) };
            assert_eq!(Mark::read(&mark.name()), Some(mark));
        }
    }

    #[test]
    fn a_name_without_a_mark_is_not_ours() {
        let mark = Mark::new(Some("acme"), &id("inst_1/database"), 1);
        for name in ["acme", "acme-1.1", &mark.lasting(), &format!("{}.x", mark.lasting()), &mark.name()[5..], ""] {
            assert_eq!(Mark::read(name), None, "{name}");
        }
        assert_ne!(mark.letters, Mark::new(Some("acme"), &id("inst_2/database"), 1).letters);
    }

    #[test]
    fn a_name_is_bounded_and_ascii() {
        let mark = Mark::new(Some(&"ü/".repeat(300)), &id("k"), u32::MAX);
        assert!(mark.name().len() < 256 && mark.name().is_ascii());
    }
}
