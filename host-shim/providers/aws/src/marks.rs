//! The tags that say whose a resource is, and what was asked of it last.

use crate::errors::name_taken;
use crate::payload::bad;
use host_provider_api::{Call, CallOutcome, Held, ResourceId};
use std::collections::BTreeMap;

/// Key of the tag that everything made here bears.
pub const MANAGED_BY: &str = "managed-by";
/// Value of that tag.
pub const OWNER: &str = "solobase-provisioner";

const SCOPE: &str = "scope";
const RESOURCE: &str = "resource";
const RESOURCE_ID: &str = "resource-id";
const GENERATION: &str = "generation";
const STATE: &str = "state";

/// Characters of a tag's value at most; all services agree on it.
const VALUE_MAX: usize = 256;
/// What a tag's value may have beside letters and digits. `=` begins an escape, so it is one itself.
const PLAIN: &[u8] = b" _.:/+-@";

pub(crate) const RUNNING: &str = "running";
pub(crate) const SUSPENDED: &str = "suspended";

/// What the tags of a resource say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Marks {
    pub(crate) id: ResourceId,
    pub(crate) generation: u32,
    /// [`RUNNING`] or [`SUSPENDED`].
    pub(crate) state: String,
    /// What a kind of resource remembers beside that.
    pub(crate) more: BTreeMap<String, String>,
}

impl Marks {
    /// The marks that this call puts on what it makes.
    pub(crate) fn of(call: &Call) -> Result<Marks, CallOutcome> {
        let (id, state) = (call.resource_id(), RUNNING.to_owned());
        for (field, value) in [("scope", &id.scope), ("key", &id.id), ("kind", &id.resource)] {
            if escape(value).len() > VALUE_MAX {
                return Err(bad(field, value, "no more than a tag of 256 characters holds"));
            }
        }
        Ok(Marks { id, generation: call.generation, state, more: BTreeMap::new() })
    }

    /// These marks after the call: with its generation, and what it made them say.
    pub(crate) fn after(&self, call: &Call) -> Marks {
        Marks { generation: call.generation.max(self.generation), ..self.clone() }
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Marks {
        self.more.insert(name.to_owned(), value.to_owned());
        self
    }

    pub(crate) fn says(&self, name: &str) -> Option<&str> {
        self.more.get(name).map(String::as_str)
    }

    /// The tags, in order.
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

    /// What tags say; none if they are not all there, or not from here.
    pub(crate) fn read<'t>(tags: impl IntoIterator<Item = (&'t str, &'t str)>) -> Option<Marks> {
        let mut all: BTreeMap<String, String> =
            tags.into_iter().map(|(name, value)| (name.to_owned(), unescape(value))).collect();
        let owner = all.remove(MANAGED_BY)?;
        let id =
            ResourceId { scope: all.remove(SCOPE)?, resource: all.remove(RESOURCE)?, id: all.remove(RESOURCE_ID)? };
        let (generation, state) = (all.remove(GENERATION)?.parse().ok()?, all.remove(STATE)?);
        (owner == OWNER).then_some(Marks { id, generation, state, more: all })
    }

    /// Refuses a call of an older generation.
    pub(crate) fn admit(&self, call: &Call) -> Result<(), CallOutcome> {
        match call.generation < self.generation {
            true => Err(CallOutcome::refused(
                "superseded",
                format!("generation {} was asked for, and {} has been done", call.generation, self.generation),
            )),
            false => Ok(()),
        }
    }

    /// Refuses what is another resource's.
    pub(crate) fn belongs(&self, call: &Call, name: &str) -> Result<(), CallOutcome> {
        if self.id == call.resource_id() { Ok(()) } else { Err(name_taken(name)) }
    }

    pub(crate) fn held(self, name: &str, state: &str) -> Held {
        Held { id: self.id, name: name.to_owned(), state: state.to_owned() }
    }
}

/// True if these are the same resource in two variants, `i/compute@a` and `i/compute@b`, of which one replaces the other.
pub(crate) fn are_variants(one: &ResourceId, other: &ResourceId) -> bool {
    let base = |id: &ResourceId| id.id.rsplit_once('@').map(|(base, _)| base.to_owned());
    one.scope == other.scope && one.resource == other.resource && base(one).is_some() && base(one) == base(other)
}

/// The state that a change asks for; none if it asks for settings only.
pub(crate) fn wanted_state(call: &Call) -> Result<Option<&'static str>, CallOutcome> {
    match crate::payload::text(call, STATE)? {
        None => Ok(None),
        Some(RUNNING) => Ok(Some(RUNNING)),
        Some(SUSPENDED) => Ok(Some(SUSPENDED)),
        Some(other) => Err(bad(STATE, other, "`running` or `suspended`")),
    }
}

fn escape(value: &str) -> String {
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

/// What was escaped; what wasn't stays as it is.
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
    fn marks_come_back_from_their_tags_whatever_an_id_has() {
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
    fn tags_of_others_are_no_marks() {
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
    fn an_older_generation_is_superseded_and_an_id_too_long_is_refused() {
        let marks = Marks::of(&call("s", "k", 3)).expect("marks");
        assert_eq!(marks.admit(&call("s", "k", 3)), Ok(()));
        assert!(
            matches!(marks.admit(&call("s", "k", 2)), Err(CallOutcome::Refused { code, .. }) if code == "superseded")
        );
        assert!(matches!(Marks::of(&call("s", &"k".repeat(257), 1)), Err(CallOutcome::Refused { .. })));
    }

    #[test]
    fn variants_of_one_resource_are_told_from_two_resources() {
        let of = |key: &str| call("s", key, 1).resource_id();
        assert!(are_variants(&of("i/compute@a"), &of("i/compute@b")));
        assert!(!are_variants(&of("i/compute@a"), &of("i2/compute@b")));
        assert!(!are_variants(&of("i/compute"), &of("i/files")));
    }
}
