//! Identifies the resource that a call acts on, and describes the resources that exist in the remote system.

use std::fmt;

/// Marks the id of a resource that turned up after somebody had already replaced it manually: `inst_1/database@late-2`
/// is the database created by the second generation of `inst_1/database`.
const LATE: &str = "@late-";

/// Verbs that may be the last part of an effect's key.
pub const VERBS: [&str; 6] = ["backup", "change", "destroy", "ensure", "observe", "restore"];

/// The id of a resource.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceId {
    /// Scope that requested the resource: `business/mode/account`.
    pub scope: String,
    /// Kind of resource: `database`, `bucket`, …
    pub resource: String,
    /// Key of the effect without a trailing verb: `inst_1/database` for `inst_1/database/ensure`.
    pub id: String,
}

/// Formats the id as in scenarios: `database:inst_1/database`.
impl fmt::Display for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.resource, self.id)
    }
}

impl ResourceId {
    /// Returns the id and the generation with which a late resource was created; none for any other resource.
    pub fn made_late_as(&self) -> Option<(ResourceId, u32)> {
        let (id, generation) = self.id.rsplit_once(LATE)?;
        Some((ResourceId { id: id.to_owned(), ..self.clone() }, generation.parse().ok()?))
    }
}

/// A resource in the remote system that carries this host's marks.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Held {
    /// Id of the resource, read from the marks.
    pub id: ResourceId,
    /// Name in the remote system.
    pub name: String,
    /// State: `running` or `suspended`.
    pub state: String,
}

/// A resource in the remote system whose record cannot be read, so that its id is not known.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unreadable {
    /// Name in the remote system. If it is the [`letters`](crate::names::letters) of an id, the id can be found.
    pub name: String,
    /// Reason, for operators; without secrets.
    pub problem: String,
}

/// The error of a provider that cannot list its resources.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot list the resources of {provider}: {reason}")]
pub struct Unlisted {
    /// Name of the provider, for example `aws`.
    pub provider: &'static str,
    /// Reason, for operators; without secrets.
    pub reason: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_resource_names_the_id_and_the_generation_that_made_it() {
        let of = |id: &str| {
            let id = ResourceId { scope: "b/test/user:u".into(), resource: "database".into(), id: id.into() };
            id.made_late_as().map(|(made_as, generation)| (made_as.id, generation))
        };
        assert_eq!(of("inst_1/database@late-2"), Some(("inst_1/database".to_owned(), 2)));
        assert_eq!(of("inst_1/compute@ecs@late-3"), Some(("inst_1/compute@ecs".to_owned(), 3)));
        assert_eq!((of("inst_1/compute@ecs"), of("inst_1/database@late-x")), (None, None));
    }
}
