//! Reports drift: differences between the recorded resources and the resources that providers report.

use host_provider_api::{Held, ResourceId, Unreadable, names};
use std::collections::BTreeMap;

/// A difference between the records and the providers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Drift {
    /// The resource exists but is not recorded, and nothing refers to it. It costs money and serves nobody.
    Orphan(Held),
    /// The resource exists and an effect refers to it, but no result confirms that it was created.
    Unsettled {
        /// The resource as reported by its provider.
        held: Held,
        /// The effect that refers to it.
        by: String,
    },
    /// The resource is recorded but does not exist.
    Lost {
        /// Id of the resource.
        id: ResourceId,
        /// Recorded state, `running` or `suspended`.
        state: String,
    },
    /// The resource exists, but not in the recorded state.
    Otherwise {
        /// The resource as reported by its provider.
        held: Held,
        /// Recorded state, `running` or `suspended`.
        recorded: String,
    },
    /// The provider reports the resource more than once.
    Twice(Held),
    /// The resource's record at the provider can't be read.
    Broken {
        /// Id of the recorded resource with this name; none if no recorded resource has it.
        id: Option<ResourceId>,
        /// The name and the problem.
        found: Unreadable,
    },
    /// A recorded resource refers to a secret that can't be read.
    Secret {
        /// Id of the resource or of the effect that created the secret.
        id: ResourceId,
        /// Reference of the secret.
        reference: String,
        /// Reason, without a secret.
        problem: String,
    },
}

impl Drift {
    /// The names of all kinds.
    pub const KINDS: [&str; 7] = ["orphan", "unsettled", "lost", "otherwise", "twice", "broken", "secret"];

    /// Returns the name of the kind.
    pub fn kind(&self) -> &'static str {
        match self {
            Drift::Orphan(_) => "orphan",
            Drift::Unsettled { .. } => "unsettled",
            Drift::Lost { .. } => "lost",
            Drift::Otherwise { .. } => "otherwise",
            Drift::Twice(_) => "twice",
            Drift::Broken { .. } => "broken",
            Drift::Secret { .. } => "secret",
        }
    }

    /// Returns the resource if it is an orphan.
    pub fn orphan(&self) -> Option<&Held> {
        match self {
            Drift::Orphan(held) => Some(held),
            _ => None,
        }
    }

    /// Returns the id of the resource; none for an unreadable record that does not belong to a recorded resource.
    pub fn id(&self) -> Option<&ResourceId> {
        match self {
            Drift::Orphan(held)
            | Drift::Unsettled { held, .. }
            | Drift::Otherwise { held, .. }
            | Drift::Twice(held) => Some(&held.id),
            Drift::Lost { id, .. } | Drift::Secret { id, .. } => Some(id),
            Drift::Broken { id, .. } => id.as_ref(),
        }
    }
}

/// The origin of a reference to a resource that is not recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Referrer {
    /// An effect that has not ended, so the resource is being created, changed or destroyed.
    Open,
    /// An effect that has ended, described for operators.
    Ended(String),
}

/// Looks up what refers to each orphan. A resource with an open effect does not count as a difference; one with an ended effect is
/// unsettled rather than an orphan.
///
/// # Errors
///
/// Fails with the first error of `referrer`.
pub fn settle<E>(
    found: Vec<Drift>,
    mut referrer: impl FnMut(&ResourceId) -> Result<Option<Referrer>, E>,
) -> Result<Vec<Drift>, E> {
    let mut kept = Vec::with_capacity(found.len());
    for one in found {
        kept.extend(match one {
            Drift::Orphan(held) => match referrer(&held.id)? {
                None => Some(Drift::Orphan(held)),
                Some(Referrer::Open) => None,
                Some(Referrer::Ended(by)) => Some(Drift::Unsettled { held, by }),
            },
            other => Some(other),
        });
    }
    kept.sort();
    Ok(kept)
}

/// Returns the number of recorded resources, by kind, that no provider lists and that are therefore not compared.
pub fn not_compared(recorded: &[(ResourceId, String)], lists: impl Fn(&str) -> bool) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for (id, _) in recorded.iter().filter(|(id, _)| !lists(&id.resource)) {
        *counts.entry(id.resource.clone()).or_default() += 1;
    }
    counts
}

/// Returns all differences, sorted. `recorded` contains the state of each resource that was created and not destroyed.
/// `lists` returns true if a provider has listed the resources of a kind; recorded resources of other kinds are ignored.
pub fn drift(
    recorded: &[(ResourceId, String)],
    held: &[Held],
    unreadable: &[Unreadable],
    lists: impl Fn(&str) -> bool,
) -> Vec<Drift> {
    let recorded: BTreeMap<&ResourceId, &str> =
        recorded.iter().filter(|(id, _)| lists(&id.resource)).map(|(id, state)| (id, state.as_str())).collect();
    let mut seen: BTreeMap<&ResourceId, usize> = BTreeMap::new();
    let mut found = Vec::new();
    for held in held {
        let times = seen.entry(&held.id).or_default();
        *times += 1;
        match recorded.get(&held.id) {
            _ if *times > 1 => found.push(Drift::Twice(held.clone())),
            None => found.push(Drift::Orphan(held.clone())),
            Some(state) if *state != held.state => {
                found.push(Drift::Otherwise { held: held.clone(), recorded: (*state).to_owned() });
            }
            Some(_) => {}
        }
    }
    let mut broken: Vec<&Unreadable> = unreadable.iter().collect();
    for (id, state) in recorded {
        if seen.contains_key(id) {
            continue;
        }
        // A derived name consists of the letters of the id, in some systems with a prefix.
        let letters = names::letters(id);
        if let Some(place) = broken.iter().position(|found| found.name.ends_with(&letters)) {
            found.push(Drift::Broken { id: Some(id.clone()), found: broken.swap_remove(place).clone() });
        } else {
            found.push(Drift::Lost { id: id.clone(), state: state.to_owned() });
        }
    }
    found.extend(broken.into_iter().map(|unreadable| Drift::Broken { id: None, found: unreadable.clone() }));
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use host_provider_api::{Call, CallOutcome, Provider, Registry, Unlisted};
    use std::sync::Arc;

    fn id(resource: &str, id: &str) -> ResourceId {
        ResourceId { scope: "b/test/user:u".into(), resource: resource.into(), id: id.into() }
    }

    fn held(of: ResourceId, state: &str) -> Held {
        Held { name: format!("n-{}", of.id), id: of, state: state.into() }
    }

    #[test]
    fn each_difference_is_reported_once() {
        let recorded = [
            (id("bucket", "same"), "running".to_owned()),
            (id("bucket", "lost"), "running".to_owned()),
            (id("function", "stopped"), "running".to_owned()),
            (id("database", "twice"), "running".to_owned()),
            (id("workspace", "scripted"), "running".to_owned()),
        ];
        let reported = [
            held(id("bucket", "same"), "running"),
            held(id("bucket", "orphan"), "running"),
            held(id("function", "stopped"), "suspended"),
            held(id("database", "twice"), "running"),
            held(id("database", "twice"), "running"),
        ];
        let found = drift(&recorded, &reported, &[], |resource| resource != "workspace");
        let expected = [
            Drift::Orphan(held(id("bucket", "orphan"), "running")),
            Drift::Lost { id: id("bucket", "lost"), state: "running".into() },
            Drift::Otherwise { held: held(id("function", "stopped"), "suspended"), recorded: "running".into() },
            Drift::Twice(held(id("database", "twice"), "running")),
        ];
        assert_eq!(found, expected);
        assert_eq!(drift(&recorded[..1], &reported[..1], &[], |_| true), []);
    }

    /// A provider that creates resources; only the first one has a list of them.
    struct Maker(Option<Vec<Held>>);
    impl Provider for Maker {
        fn call(&self, _: &Call) -> CallOutcome {
            CallOutcome::Done(serde_json::json!({}))
        }

        fn held(&self) -> Result<Option<Vec<Held>>, Unlisted> {
            Ok(self.0.clone())
        }
    }

    #[test]
    fn resources_of_which_no_provider_has_a_list_are_counted_and_not_lost() {
        let mut registry = Registry::new();
        registry.register(&["bucket"], Arc::new(Maker(Some(Vec::new()))));
        registry.register(&["disk"], Arc::new(Maker(None)));
        let recorded = ["bucket", "disk", "scripted"].map(|resource| (id(resource, "one"), "running".to_owned()));
        let listed = registry.held().expect("lists");
        let lists = |resource: &str| registry.lists(&listed, resource);
        let lost = Drift::Lost { id: id("bucket", "one"), state: "running".into() };
        assert_eq!(drift(&recorded, &listed.held, &[], lists), [lost], "an empty list says that nothing exists");
        let counts = [("disk".to_owned(), 1), ("scripted".to_owned(), 1)];
        assert_eq!(not_compared(&recorded, lists), counts.into());
    }

    #[test]
    fn an_orphan_is_what_nothing_refers_to() {
        let [orphan, made, unknown] = ["orphan", "made", "unknown"].map(|name| held(id("bucket", name), "running"));
        let found = vec![orphan.clone(), made, unknown.clone()].into_iter().map(Drift::Orphan).collect();
        let settled = settle(found, |id| -> Result<_, ()> {
            Ok(match id.id.as_str() {
                "made" => Some(Referrer::Open),
                "unknown" => Some(Referrer::Ended("unknown/ensure".to_owned())),
                _ => None,
            })
        });
        let expected = vec![Drift::Orphan(orphan), Drift::Unsettled { held: unknown, by: "unknown/ensure".to_owned() }];
        assert_eq!(settled, Ok(expected));
        assert_eq!(settle(vec![Drift::Orphan(held(id("bucket", "b"), "running"))], |_| Err("store")), Err("store"));
    }

    #[test]
    fn a_broken_record_is_one_difference_with_the_id_of_the_recorded_resource() {
        let recorded = [(id("bucket", "broken"), "running".to_owned()), (id("bucket", "lost"), "running".to_owned())];
        let unreadable = |name: String| Unreadable { name, problem: "not JSON".into() };
        let (known, unknown) = (unreadable(names::letters(&recorded[0].0)), unreadable("nobody".into()));
        let found = drift(&recorded, &[], &[known.clone(), unknown.clone()], |_| true);
        let expected = [
            Drift::Lost { id: id("bucket", "lost"), state: "running".into() },
            Drift::Broken { id: None, found: unknown },
            Drift::Broken { id: Some(id("bucket", "broken")), found: known },
        ];
        assert_eq!(found, expected);
    }
}
