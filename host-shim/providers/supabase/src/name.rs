//! What a project's name says: a project takes no other mark.

use host_provider_api::{ResourceId, names};

/// Characters of what people read of a name.
const SHOWN_CHARS_MAX: usize = 180;
/// What ends the name of a project that a person made and that was taken over.
const ADOPTED: char = 'a';

/// The mark of a resource on its project: `orchestra-acme-k3jx….2` is generation 2 of the resource whose letters are `k3jx…`,
/// and `orchestra-acme-k3jx….2a` is one that a person made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// What people read: `orchestra-acme`.
    pub shown: String,
    /// Which resource it is, [`names::letters`].
    pub letters: String,
    /// Generation of the effect that changed it last.
    pub generation: u32,
    /// Whether a person made it.
    pub is_adopted: bool,
}

impl Mark {
    /// The mark of a resource, with the name that was wished for.
    pub fn new(wanted: Option<&str>, id: &ResourceId, generation: u32) -> Mark {
        let plain = |c: char| if c.is_ascii_alphanumeric() || "._ ".contains(c) { c } else { '-' };
        let shown: String = wanted.unwrap_or(&id.resource).chars().take(SHOWN_CHARS_MAX).map(plain).collect();
        Mark { shown, letters: names::letters(id), generation, is_adopted: false }
    }

    /// The mark that a project's name bears.
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

    /// The project's name.
    pub fn name(&self) -> String {
        let end = if self.is_adopted { ADOPTED.to_string() } else { String::new() };
        format!("{}.{}{end}", self.lasting(), self.generation)
    }

    /// What of the name stays as long as the project.
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
    fn a_mark_that_was_written_is_read_as_the_same() {
        for (wanted, is_adopted) in [(Some("orchestra-acme"), false), (None, true), (Some("a - b.c"), false)] {
            let mark = Mark { is_adopted, ..Mark::new(wanted, &id("inst_1/database"), 7) };
            assert_eq!(Mark::read(&mark.name()), Some(mark));
        }
    }

    #[test]
    fn a_name_without_a_mark_is_somebody_elses() {
        let mark = Mark::new(Some("acme"), &id("inst_1/database"), 1);
        for name in ["acme", "acme-1.1", &mark.lasting(), &format!("{}.x", mark.lasting()), &mark.name()[5..], ""] {
            assert_eq!(Mark::read(name), None, "{name}");
        }
        assert_ne!(mark.letters, Mark::new(Some("acme"), &id("inst_2/database"), 1).letters);
    }

    #[test]
    fn a_name_has_a_bound_and_plain_letters() {
        let mark = Mark::new(Some(&"ü/".repeat(300)), &id("k"), u32::MAX);
        assert!(mark.name().len() < 256 && mark.name().is_ascii());
    }
}
