//! Ownership marks: tags that record which account's resource a bucket, function, distribution or instance belongs to,
//! and the latest generation and state of that resource.

use crate::aws::provider::errors::name_taken;
use crate::aws::provider::payload::bad;
use host_provider_api::{Call, CallOutcome, Held, ResourceId};
use std::collections::BTreeMap;

/// Key of the tag that marks every created resource. Its value is [`OWNER`].
pub const MANAGED_BY: &str = "managed-by";
/// Value of the tag [`MANAGED_BY`].
pub const OWNER: &str = "solobase-provisioner";

const SCOPE: &str = "scope";
const RESOURCE: &str = "resource";
const RESOURCE_ID: &str = "resource-id";
const GENERATION: &str = "generation";
const STATE: &str = "state";

/// Maximum length of a tag value in characters; all services accept this length.
const VALUE_MAX: usize = 256;
/// Bytes of a tag value that are not escaped, in addition to letters and digits. `=` begins an escape, so it is itself
/// escaped.
const PLAIN: &[u8] = b" _.:/+-@";

pub(crate) const RUNNING: &str = "running";
pub(crate) const SUSPENDED: &str = "suspended";

/// The ownership marks of a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Marks {
    pub(crate) id: ResourceId,
    pub(crate) generation: u32,
    /// [`RUNNING`] or [`SUSPENDED`].
    pub(crate) state: String,
    /// Additional tags of this resource kind.
    pub(crate) more: BTreeMap<String, String>,
}

impl Marks {
    /// Builds the marks for the resource that this call creates.
    pub(crate) fn of(call: &Call) -> Result<Marks, CallOutcome> {
        let (id, state) = (call.resource_id(), RUNNING.to_owned());
        for (field, value) in [("scope", &id.scope), ("key", &id.id), ("kind", &id.resource)] {
            if escape(value).len() > VALUE_MAX {
                return Err(bad(field, value, "at most 256 characters after escaping"));
            }
        }
        Ok(Marks { id, generation: call.generation, state, more: BTreeMap::new() })
    }

    /// Returns these marks with the generation of the call, if that is later.
    pub(crate) fn after(&self, call: &Call) -> Marks {
        Marks { generation: call.generation.max(self.generation), ..self.clone() }
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Marks {
        self.more.insert(name.to_owned(), value.to_owned());
        self
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.more.get(name).map(String::as_str)
    }

    /// Returns the tags, in a fixed order.
    pub(crate) fn tags(&self) -> Vec<(String, String)> {
        let generation = self.generation.to_string();
        let own = [
            (MANAGED_BY, OWNER),
            (SCOPE, &self.id.scope),
            (RESOURCE, &self.id.resource),
            (RESOURCE_ID, &self.id.id),
            (GENERATION, &generation),
            (STATE, &self.state),
        ];
        let more = self.more.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        own.into_iter().chain(more).map(|(name, value)| (name.to_owned(), escape(value))).collect()
    }

    /// Parses tags. None if a required tag is missing or the value of [`MANAGED_BY`] is not [`OWNER`].
    pub(crate) fn read<'t>(tags: impl IntoIterator<Item = (&'t str, &'t str)>) -> Option<Marks> {
        let mut all: BTreeMap<String, String> =
            tags.into_iter().map(|(name, value)| (name.to_owned(), unescape(value))).collect();
        let owner = all.remove(MANAGED_BY)?;
        let id =
            ResourceId { scope: all.remove(SCOPE)?, resource: all.remove(RESOURCE)?, id: all.remove(RESOURCE_ID)? };
        let (generation, state) = (all.remove(GENERATION)?.parse().ok()?, all.remove(STATE)?);
        (owner == OWNER).then_some(Marks { id, generation, state, more: all })
    }

    /// Refuses a call whose generation is older than the recorded generation.
    pub(crate) fn admit(&self, call: &Call) -> Result<(), CallOutcome> {
        match call.generation < self.generation {
            true => Err(CallOutcome::refused(
                host_provider_api::SUPERSEDED,
                format!(
                    "the call has generation {}, but generation {} has been applied",
                    call.generation, self.generation
                ),
            )),
            false => Ok(()),
        }
    }

    /// Refuses the call if its resource does not match the marks.
    pub(crate) fn check_owner(&self, call: &Call, name: &str) -> Result<(), CallOutcome> {
        if self.id == call.resource_id() { Ok(()) } else { Err(name_taken(name)) }
    }

    pub(crate) fn held(self, name: &str, state: &str) -> Held {
        Held { id: self.id, name: name.to_owned(), state: state.to_owned() }
    }
}

/// Returns true if both ids are variants of one resource, for example `i/compute@a` and `i/compute@b`. One variant
/// replaces the other.
pub(crate) fn are_variants(one: &ResourceId, other: &ResourceId) -> bool {
    let base = |id: &ResourceId| id.id.rsplit_once('@').map(|(base, _)| base.to_owned());
    one.scope == other.scope && one.resource == other.resource && base(one).is_some() && base(one) == base(other)
}

/// Returns the state that a change sets; none if it only changes settings.
pub(crate) fn wanted_state(call: &Call) -> Result<Option<&'static str>, CallOutcome> {
    match crate::aws::provider::payload::text(call, STATE)? {
        None => Ok(None),
        Some(RUNNING) => Ok(Some(RUNNING)),
        Some(SUSPENDED) => Ok(Some(SUSPENDED)),
        Some(other) => Err(bad(STATE, other, "`running` or `suspended`")),
    }
}

/// Escapes characters that a tag value can't have.
pub(crate) fn escape(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || PLAIN.contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("={byte:02X}"));
        }
    }
    out
}

/// Reverses [`escape`]; invalid escapes stay unchanged.
fn unescape(value: &str) -> String {
    let (mut out, mut rest) = (Vec::with_capacity(value.len()), value.as_bytes());
    while let Some((&first, after)) = rest.split_first() {
        let escaped = (first == b'=').then(|| after.get(..2)).flatten();
        match escaped.and_then(|digits| hex::decode(digits).ok()) {
            Some(byte) => {
                out.extend(byte);
                rest = &after[2..];
            }
            None => {
                out.push(first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(scope: &str, key: &str, generation: u32) -> Call {
        let (kind, scope, key) = ("bucket.ensure".to_owned(), scope.to_owned(), key.to_owned());
        Call { kind, scope, key, generation, ..Call::default() }
    }

    #[test]
    fn marks_survive_a_round_trip_through_tags_with_any_id() {
        for scope in ["b/live/user:u_1", "b/live/user:=41é|,%\"", "b/test/org:a b=="] {
            let marks = Marks::of(&call(scope, "inst_1/bucket@x/ensure", 7)).expect("marks").with("settings", "ab");
            let tags = marks.tags();
            let allowed = |c: char| c.is_ascii_alphanumeric() || " _.:/=+-@".contains(c);
            assert!(tags.iter().all(|(_, value)| value.chars().all(allowed)), "{tags:?}");
            let read = Marks::read(tags.iter().map(|(name, value)| (name.as_str(), value.as_str())));
            assert_eq!(read, Some(marks));
        }
    }

    #[test]
    fn foreign_tags_are_not_parsed_as_marks() {
        let marks = Marks::of(&call("b/live/user:u", "i/bucket", 1)).expect("marks");
        let tags = marks.tags();
        for (left_out, _) in &tags {
            let rest = tags.iter().filter(|(name, _)| name != left_out);
            assert_eq!(Marks::read(rest.map(|(name, value)| (name.as_str(), value.as_str()))), None, "{left_out}");
        }
        let others = tags.iter().map(|(name, value)| (name.as_str(), if value == OWNER { "them" } else { value }));
        assert_eq!(Marks::read(others), None);
    }

    #[test]
    fn an_older_generation_is_superseded_and_a_too_long_id_is_refused() {
        let marks = Marks::of(&call("s", "k", 3)).expect("marks");
        assert_eq!(marks.admit(&call("s", "k", 3)), Ok(()));
        assert!(
            matches!(marks.admit(&call("s", "k", 2)), Err(CallOutcome::Refused { code, .. }) if code == "superseded")
        );
        assert!(matches!(Marks::of(&call("s", &"k".repeat(257), 1)), Err(CallOutcome::Refused { .. })));
    }

    #[test]
    fn variants_of_one_resource_differ_from_two_resources() {
        let of = |key: &str| call("s", key, 1).resource_id();
        assert!(are_variants(&of("i/compute@a"), &of("i/compute@b")));
        assert!(!are_variants(&of("i/compute@a"), &of("i2/compute@b")));
        assert!(!are_variants(&of("i/compute"), &of("i/files")));
    }
}
