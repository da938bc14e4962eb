//! Compares the providers' resources with the records, when an operator asks and at regular times.
//!
//! The records are read a page at a time by the threads that answer questions, so that neither the writer nor a question waits
//! for long. What an earlier comparison has read is kept.

use host::outbox::Recorded;
use host_front::{DriftCheck, DriftEntry};
use host_provider_api::{Held, Registry, Unlisted};
use host_provider_set::{Drift, Vault, drift, unreadable_secrets};
use host_site::questions::{NotAsked, Questioner};
use host_store::{Partition, StoreError};
use std::collections::BTreeMap;
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The reason why a comparison stopped.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InspectError {
    /// A provider does not list its resources.
    #[error(transparent)]
    Unlisted(#[from] Unlisted),
    /// The site is busy or has stopped.
    #[error(transparent)]
    NotAsked(#[from] NotAsked),
    /// The store failed.
    #[error("the records cannot be read")]
    Store(#[from] StoreError),
}

/// Compares the resources of one business in one mode. It must be dropped before its site stops, which would wait for it.
pub(crate) struct Inspector {
    partition: Partition,
    questioner: Questioner,
    registry: Registry,
    vault: Arc<Vault>,
    recorded: Mutex<Recorded>,
}

impl Inspector {
    /// Makes an inspector. `registry` has the providers alone, without simulated ones.
    pub(crate) fn new(
        partition: Partition,
        questioner: Questioner,
        registry: Registry,
        vault: Arc<Vault>,
    ) -> Inspector {
        Inspector { partition, questioner, registry, vault, recorded: Mutex::default() }
    }

    /// Returns the differences.
    pub(crate) fn compare(&self) -> Result<Vec<Drift>, InspectError> {
        // The records are read last: what exists then was requested before.
        let own = format!("{}/", self.partition.name());
        let mut held = self.registry.held()?;
        held.retain(|held| held.id.scope.starts_with(&own));
        let unreadable = self.registry.unreadable()?;
        let recorded = self.read()?;
        let states: Vec<_> = recorded.resources().into_iter().map(|it| (it.id, it.state)).collect();
        let takes = |resource: &str| self.registry.takes(&format!("{resource}.ensure"));
        let mut found = drift(&states, &held, &unreadable, takes);
        found.extend(unreadable_secrets(&self.vault, &recorded.secrets()));
        Ok(found)
    }

    /// Reads the records that were written since the last time.
    fn read(&self) -> Result<MutexGuard<'_, Recorded>, InspectError> {
        // A panic of a comparison leaves records that are still those of some page.
        let mut recorded = self.recorded.lock().unwrap_or_else(PoisonError::into_inner);
        while self.read_page(&mut recorded)? {}
        Ok(recorded)
    }

    /// Reads the next page of records. Returns false at the end.
    fn read_page(&self, recorded: &mut Recorded) -> Result<bool, InspectError> {
        let (mut so_far, partition) = (std::mem::take(recorded), self.partition.clone());
        let (sender, answer) = sync_channel(1);
        self.questioner.try_ask(move |answerer| {
            let more = answerer.read(|store| so_far.read_page(store, Some(&partition)));
            // The comparison may have ended.
            let _ = sender.send((so_far, more));
        })?;
        let (so_far, more) = answer.recv().map_err(|_| NotAsked::Ended)?;
        *recorded = so_far;
        Ok(more?)
    }
}

impl DriftCheck for Inspector {
    fn differences(&self) -> Result<Vec<DriftEntry>, String> {
        let found = self.compare().map_err(|error| error.to_string())?;
        Ok(found.iter().map(entry).collect())
    }

    fn resources(&self) -> Result<BTreeMap<String, usize>, String> {
        let recorded = self.read().map_err(|error| error.to_string())?;
        let mut counts = BTreeMap::new();
        for resource in recorded.resources() {
            *counts.entry(resource.id.resource).or_default() += 1;
        }
        Ok(counts)
    }
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
        Drift::Orphan(it) | Drift::Twice(it) | Drift::Otherwise { held: it, .. } => held(it),
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
        _ => None,
    };
    DriftEntry { name, is, recorded, problem, ..of }
}

#[cfg(test)]
mod tests {
    use super::*;
    use host_provider_api::{ResourceId, Unreadable};

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
