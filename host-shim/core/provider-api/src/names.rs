//! What resources are called on the other side: the same resource always alike, and nothing that its rules refuse.

use crate::resource::ResourceId;
use sha2::{Digest, Sha256};

/// Letters of a derived name's last part: lower case, without those that are read for others.
const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
/// Letters of that part: 120 bits, more than anybody finds a second resource for.
pub const DERIVED_LETTERS: usize = 24;

/// What a name on the other side may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// What it names, for errors: `bucket`.
    pub what: &'static str,
    /// Bytes at least.
    pub shortest: usize,
    /// Bytes at most.
    pub longest: usize,
    /// Bytes beside `a-z` and `0-9`; a name neither begins nor ends with one of them.
    pub others: &'static [u8],
}

/// A name that the other side would refuse.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is no name of a {}: expected {} to {} of a-z, 0-9{}, with a letter or digit at both ends", .rules.what, .rules.shortest, .rules.longest, others(.rules))]
pub struct BadName {
    /// What was asked for, cut to 80 characters.
    pub name: String,
    /// What was expected.
    pub rules: Rules,
}

fn others(rules: &Rules) -> String {
    rules.others.iter().map(|byte| format!(", `{}`", char::from(*byte))).collect()
}

impl Rules {
    /// The name if it keeps the rules.
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

    /// A name that tells nothing and is this resource's only: `prefix` and letters of a hash of the whole id.
    ///
    /// An error if the prefix leaves no room for [`DERIVED_LETTERS`] or has a byte that the rules refuse.
    pub fn derive(&self, prefix: &str, id: &ResourceId) -> Result<String, BadName> {
        let name = format!("{prefix}{}", letters(id));
        self.check(&name).map(str::to_owned)
    }

    /// The wanted name if there is one and it keeps the rules, else the derived one.
    pub fn name(&self, wanted: Option<&str>, prefix: &str, id: &ResourceId) -> Result<String, BadName> {
        match wanted {
            Some(wanted) => self.check(wanted).map(str::to_owned),
            None => self.derive(prefix, id),
        }
    }
}

/// [`DERIVED_LETTERS`] of `a-z` and `2-9` that derive from scope, resource and id.
pub fn letters(id: &ResourceId) -> String {
    let mut hash = Sha256::new();
    // With its length before it, no part is read as a piece of the next one.
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
    fn a_name_is_the_resources_own_and_always_the_same() {
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
    fn a_name_that_breaks_a_rule_is_refused_with_the_rule() {
        for name in ["ab", &"a".repeat(64), "Acme", "-acme", "acme-", "ac_me", "acmé", ""] {
            assert!(BUCKET.check(name).is_err(), "{name}");
        }
        assert_eq!(BUCKET.check("acme-1.files"), Ok("acme-1.files"));
        let told = BUCKET.check("Acme").expect_err("an upper case letter").to_string();
        let expected = "`Acme` is no name of a bucket: expected 3 to 63 of a-z, 0-9, `-`, `.`, with a letter or digit at both ends";
        assert_eq!(told, expected);
    }

    #[test]
    fn a_wanted_name_wins_if_it_may_be_one() {
        let it = id("s", "bucket", "i");
        assert_eq!(BUCKET.name(Some("acme"), "sb-", &it), Ok("acme".to_owned()));
        assert!(BUCKET.name(Some("Acme"), "sb-", &it).is_err());
        assert_eq!(BUCKET.name(None, "sb-", &it), BUCKET.derive("sb-", &it));
        assert!(BUCKET.derive(&"p".repeat(60), &it).is_err());
    }
}
