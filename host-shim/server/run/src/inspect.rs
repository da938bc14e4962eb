//! Compares the providers' resources with the records, on request of an operator and on a schedule.

use crate::background::Stop;
use crate::records::{Records, UnreadRecords};
use host_api::{Differences, DriftCheck, DriftEntry};
use host_engine::outbox::ResourceUse;
use host_provider_api::{Held, Listed, Registry, Unlisted, Unreadable};
use host_providers::{Drift, Referrer, Vault, drift, not_compared, settle, unreadable_secrets};
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

/// Interval between checks whether a comparison should stop.
const LOOK: Duration = Duration::from_millis(50);

/// The reason why a comparison stopped.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InspectError {
    /// A provider does not list its resources.
    #[error(transparent)]
    Unlisted(#[from] Unlisted),
    /// The records were not read.
    #[error(transparent)]
    Unread(#[from] UnreadRecords),
    /// A thread cannot be started.
    #[error("a thread cannot be started: {0}")]
    Thread(io::Error),
    /// A provider has panicked.
    #[error("the list of a provider's resources has panicked")]
    Panicked,
}

/// The result of a comparison.
#[derive(Clone, Debug, Default)]
pub(crate) struct Inspection {
    /// The differences.
    pub(crate) found: Vec<Drift>,
    /// The number of recorded resources, by kind, that no provider can list.
    pub(crate) not_compared: BTreeMap<String, usize>,
}

/// Compares the resources of one business in one mode.
pub(crate) struct Inspector {
    records: Arc<Records>,
    registry: Registry,
    vault: Arc<Vault>,
}

impl Inspector {
    /// Creates an inspector. `registry` contains the providers without simulated ones.
    pub(crate) fn new(records: Arc<Records>, registry: Registry, vault: Arc<Vault>) -> Inspector {
        Inspector { records, registry, vault }
    }

    /// Compares.
    pub(crate) fn compare(&self) -> Result<Inspection, InspectError> {
        let listed = listed(&self.registry)?;
        self.compared(listed, &|| false).map(Option::unwrap_or_default)
    }

    /// Compares; none if the thread is asked to stop in the meantime. The providers list their resources on another
    /// thread: a list that nobody is waiting for ends on its own, or with the process.
    pub(crate) fn compare_until(&self, stop: &Stop) -> Result<Option<Inspection>, InspectError> {
        let (sender, answer) = sync_channel(1);
        let registry = self.registry.clone();
        let list = move || {
            // The comparison may have ended.
            let _ = sender.send(listed(&registry));
        };
        thread::Builder::new().name("list".to_owned()).spawn(list).map_err(InspectError::Thread)?;
        let listed = loop {
            match answer.recv_timeout(LOOK) {
                Ok(listed) => break listed?,
                Err(RecvTimeoutError::Timeout) if stop.is_asked() => return Ok(None),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Err(InspectError::Panicked),
            }
        };
        self.compared(listed, &|| stop.is_asked())
    }

    /// Compares what the providers have listed with the records; none if that is stopped.
    fn compared(
        &self,
        (mut listed, unreadable): (Listed, Vec<Unreadable>),
        is_stopped: &dyn Fn() -> bool,
    ) -> Result<Option<Inspection>, InspectError> {
        let own = format!("{}/", self.records.partition().name());
        listed.held.retain(|held| held.id.scope.starts_with(&own));
        // The records are read last: whatever exists by then was requested before.
        let Some(recorded) = self.records.read_unless(is_stopped)? else { return Ok(None) };
        let states: Vec<_> = recorded.resources().into_iter().map(|it| (it.id, it.state)).collect();
        let lists = |resource: &str| self.registry.lists(&listed, resource);
        let found = drift(&states, &listed.held, &unreadable, lists);
        let not_compared = not_compared(&states, lists);
        let secrets = recorded.secrets();
        drop(recorded);
        let orphans: Vec<_> = found.iter().filter_map(Drift::orphan).map(|held| held.id.clone()).collect();
        let uses = if orphans.is_empty() { BTreeMap::new() } else { self.records.uses(orphans)? };
        let mut found = settle(found, |id| Ok::<_, InspectError>(uses.get(id).map(referrer)))?;
        found.extend(unreadable_secrets(&self.vault, &secrets));
        Ok(Some(Inspection { found, not_compared }))
    }
}

/// Returns the resources of all providers, and those that cannot be read.
fn listed(registry: &Registry) -> Result<(Listed, Vec<Unreadable>), Unlisted> {
    Ok((registry.held()?, registry.unreadable()?))
}

impl DriftCheck for Inspector {
    fn differences(&self) -> Result<Differences, String> {
        let Inspection { found, not_compared } = self.compare().map_err(|error| error.to_string())?;
        Ok(Differences { entries: found.iter().map(entry).collect(), not_compared })
    }

    fn resources(&self) -> Result<BTreeMap<String, usize>, String> {
        let recorded = self.records.read().map_err(|error| error.to_string())?;
        let mut counts = BTreeMap::new();
        for resource in recorded.resources() {
            *counts.entry(resource.id.resource).or_default() += 1;
        }
        Ok(counts)
    }
}

fn referrer(used: &ResourceUse) -> Referrer {
    if used.state.is_open() { Referrer::Open } else { Referrer::Ended(used.to_string()) }
}

fn entry(one: &Drift) -> DriftEntry {
    let id = one.id();
    let of = DriftEntry {
        kind: one.kind().to_owned(),
        scope: id.map(|id| id.scope.clone()),
        resource: id.map(|id| id.resource.clone()),
        id: id.map(|id| id.id.clone()),
        ..DriftEntry::default()
    };
    let held = |held: &Held| (Some(held.name.clone()), Some(held.state.clone()));
    let (name, is) = match one {
        Drift::Orphan(it)
        | Drift::Twice(it)
        | Drift::Unsettled { held: it, .. }
        | Drift::Otherwise { held: it, .. } => held(it),
        Drift::Broken { found, .. } => (Some(found.name.clone()), None),
        Drift::Secret { reference, .. } => (Some(reference.clone()), None),
        Drift::Lost { .. } => (None, None),
    };
    let recorded = match one {
        Drift::Lost { state, .. } | Drift::Otherwise { recorded: state, .. } => Some(state.clone()),
        _ => None,
    };
    let problem = match one {
        Drift::Broken { found, .. } => Some(found.problem.clone()),
        Drift::Secret { problem, .. } => Some(problem.clone()),
        Drift::Unsettled { by, .. } => Some(by.clone()),
        _ => None,
    };
    DriftEntry { name, is, recorded, problem, ..of }
}

#[cfg(test)]
mod tests {
    use super::*;
    use host_provider_api::ResourceId;

    #[test]
    fn each_difference_says_what_is_there_and_what_is_recorded() {
        let id = ResourceId { scope: "b/test/user:u".into(), resource: "bucket".into(), id: "i/bucket".into() };
        let held = Held { id: id.clone(), name: "n".into(), state: "suspended".into() };
        let shown = |one: Drift| {
            let DriftEntry { kind, id, name, is, recorded, problem, .. } = entry(&one);
            (kind, id.is_some(), [name, is, recorded, problem].map(|it| it.unwrap_or_default()))
        };
        let texts =
            |name: &str, is: &str, recorded: &str, problem: &str| [name, is, recorded, problem].map(str::to_owned);
        let otherwise = Drift::Otherwise { held: held.clone(), recorded: "running".into() };
        assert_eq!(shown(otherwise), ("otherwise".into(), true, texts("n", "suspended", "running", "")));
        assert_eq!(shown(Drift::Orphan(held)), ("orphan".into(), true, texts("n", "suspended", "", "")));
        let lost = Drift::Lost { id, state: "running".into() };
        assert_eq!(shown(lost), ("lost".into(), true, texts("", "", "running", "")));
        let found = Unreadable { name: "odd".into(), problem: "not JSON".into() };
        let broken = Drift::Broken { id: None, found };
        assert_eq!(shown(broken), ("broken".into(), false, texts("odd", "", "", "not JSON")));
    }
}
