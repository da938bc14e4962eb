//! Chooses the names of resources in the remote system. A resource's name never changes, and follows the rules of the
//! remote system.

use crate::resource::ResourceId;
use sha2::{Digest, Sha256};

/// Alphabet of the letters in a derived name: lower case, without characters that look alike.
const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
/// Number of letters in a derived name. 24 letters of 5 bits contain 120 bits of the hash, enough to exclude
/// collisions.
pub const DERIVED_LETTERS: usize = 24;

/// The rules for a name in a remote system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Kind of the named resource, for error messages; for example `bucket`.
    pub what: &'static str,
    /// Minimum length in bytes.
    pub shortest: usize,
    /// Maximum length in bytes.
    pub longest: usize,
    /// Bytes allowed in addition to `a-z` and `0-9`; a name must not begin or end with such a byte.
    pub others: &'static [u8],
}

/// A name that breaks the rules of the remote system.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is not a valid {} name: expected {} to {} of a-z, 0-9{}, with a letter or digit at both ends", .rules.what, .rules.shortest, .rules.longest, others(.rules))]
pub struct BadName {
    /// The requested name, truncated to 80 characters.
    pub name: String,
    /// The rules; the name breaks at least one of them.
    pub rules: Rules,
}

fn others(rules: &Rules) -> String {
    rules.others.iter().map(|byte| format!(", `{}`", char::from(*byte))).collect()
}

impl Rules {
    /// Returns the name if it obeys the rules.
    ///
    /// # Errors
    /// Fails if the name breaks a rule.
    pub fn check<'n>(&self, name: &'n str) -> Result<&'n str, BadName> {
        let plain = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let bytes = name.as_bytes();
        let is_right = (self.shortest..=self.longest).contains(&bytes.len())
            && bytes.iter().all(|byte| plain(byte) || self.others.contains(byte))
            && bytes.first().is_some_and(plain)
            && bytes.last().is_some_and(plain);
        match is_right {
            true => Ok(name),
            false => Err(BadName { name: name.chars().take(80).collect(), rules: *self }),
        }
    }

    /// Returns an opaque name that is unique to this resource: `prefix`, followed by the [`letters`] of the id.
    ///
    /// # Errors
    /// Fails if the prefix leaves no room for [`DERIVED_LETTERS`] or contains a byte that the rules refuse.
    pub fn derive(&self, prefix: &str, id: &ResourceId) -> Result<String, BadName> {
        let name = format!("{prefix}{}", letters(id));
        self.check(&name).map(str::to_owned)
    }

    /// Returns the wanted name if there is one, otherwise the derived name.
    ///
    /// # Errors
    /// Fails if the wanted name, or without one the derived name, breaks a rule.
    pub fn name(&self, wanted: Option<&str>, prefix: &str, id: &ResourceId) -> Result<String, BadName> {
        match wanted {
            Some(wanted) => self.check(wanted).map(str::to_owned),
            None => self.derive(prefix, id),
        }
    }
}

/// Returns [`DERIVED_LETTERS`] characters of `a-z` and `2-9`, derived from scope, resource and id.
pub fn letters(id: &ResourceId) -> String {
    let mut hash = Sha256::new();
    // The length before each part ensures that the concatenations of different ids differ.
    for part in [&id.scope, &id.resource, &id.id] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    let hash = hash.finalize();
    hash.iter().take(DERIVED_LETTERS).map(|byte| char::from(LETTERS[usize::from(*byte) % LETTERS.len()])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUCKET: Rules = Rules { what: "bucket", shortest: 3, longest: 63, others: b"-." };

    fn id(scope: &str, resource: &str, id: &str) -> ResourceId {
        ResourceId { scope: scope.into(), resource: resource.into(), id: id.into() }
    }

    #[test]
    fn a_derived_name_is_unique_and_stable() {
        let of = |scope, resource, key| BUCKET.derive("sb-", &id(scope, resource, key)).expect("a name");
        let name = of("b/live/user:u", "bucket", "inst_1/bucket");
        assert_eq!(name, of("b/live/user:u", "bucket", "inst_1/bucket"));
        assert_eq!(name.len(), 3 + DERIVED_LETTERS);
        for other in [
            of("b/test/user:u", "bucket", "inst_1/bucket"),
            of("b/live/user:u2", "bucket", "inst_1/bucket"),
            of("b/live/user:u", "bucket", "inst_2/bucket"),
            of("b/live/user:u", "buckets", "inst_1/bucket"),
            of("b/live/user:ub", "ucket", "inst_1/bucket"),
        ] {
            assert_ne!(name, other);
        }
    }

    #[test]
    fn a_name_that_breaks_a_rule_is_refused_and_the_error_states_the_rule() {
        for name in ["ab", &"a".repeat(64), "Acme", "-acme", "acme-", "ac_me", "acmé", ""] {
            assert!(BUCKET.check(name).is_err(), "{name}");
        }
        assert_eq!(BUCKET.check("acme-1.files"), Ok("acme-1.files"));
        let message = BUCKET.check("Acme").expect_err("an upper case letter").to_string();
        let expected = "`Acme` is not a valid bucket name: expected 3 to 63 of a-z, 0-9, `-`, `.`, with a letter or digit at both ends";
        assert_eq!(message, expected);
    }

    #[test]
    fn a_valid_wanted_name_wins_over_the_derived_name() {
        let it = id("s", "bucket", "i");
        assert_eq!(BUCKET.name(Some("acme"), "sb-", &it), Ok("acme".to_owned()));
        assert!(BUCKET.name(Some("Acme"), "sb-", &it).is_err());
        assert_eq!(BUCKET.name(None, "sb-", &it), BUCKET.derive("sb-", &it));
        assert!(BUCKET.derive(&"p".repeat(60), &it).is_err());
    }
}
