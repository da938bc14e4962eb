//! Which resource a call is about, and what a provider holds of it.

use crate::call::Call;
use std::fmt;

/// The verbs of a resource, which end an effect's key.
const VERBS: [&str; 6] = ["backup", "change", "destroy", "ensure", "observe", "restore"];

/// Which resource.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceId {
    /// `business/mode/account` that asked for it.
    pub scope: String,
    /// `database`, `bucket`, …
    pub resource: String,
    /// The effect's key without a last part that names the verb: `inst_1/database` for `inst_1/database/ensure`.
    pub id: String,
}

/// As people and scenarios name it: `database:inst_1/database`.
impl fmt::Display for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.resource, self.id)
    }
}

impl ResourceId {
    /// The resource that a call is about.
    pub fn of(call: &Call) -> ResourceId {
        let id = match call.key.rsplit_once(['/', ':']) {
            Some((id, verb)) if VERBS.contains(&verb) => id,
            _ => call.key.as_str(),
        };
        ResourceId { scope: call.scope.clone(), resource: call.resource().to_owned(), id: id.to_owned() }
    }
}

/// Something that the other side of a provider holds and that bears this host's marks.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Held {
    /// Which resource it is, by the marks.
    pub id: ResourceId,
    /// What the other side calls it.
    pub name: String,
    /// `running` or `suspended`.
    pub state: String,
}

/// Why a provider can't say what it holds.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("what {provider} holds can't be listed: {reason}")]
pub struct Unlisted {
    /// Name of the provider, for example `aws`.
    pub provider: &'static str,
    /// Why, for operators; without secrets.
    pub reason: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_is_its_effects_key_without_the_verb() {
        let of = |key: &str| {
            let call = Call { kind: "database.ensure".into(), key: key.into(), ..Call::default() };
            ResourceId::of(&call).id
        };
        assert_eq!(of("inst_1/database/ensure"), "inst_1/database");
        assert_eq!(of("inst_1/database/backup"), "inst_1/database");
        assert_eq!(of("inst_1/compute@lambda/change"), "inst_1/compute@lambda");
        assert_eq!(of("inst_1/database"), "inst_1/database");
        assert_eq!(of("inst_1/ensured"), "inst_1/ensured");
    }
}
