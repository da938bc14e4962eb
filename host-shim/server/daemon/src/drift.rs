//! Compares the resources of the providers with the records at regular times, on a thread of its own.
//!
//! The records are read a page at a time by the threads that answer questions, so that neither the writer nor a question waits.
//! A difference counts only if it is still there a minute later: a resource exists a moment before its result is stored.

use crate::background::Stop;
use host::outbox::Recorded;
use host_front::Metrics;
use host_provider_api::{Registry, Unlisted};
use host_provider_set::{Drift, Vault, drift, unreadable_secrets};
use host_site::questions::{NotAsked, Questioner};
use host_store::{Partition, StoreError};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

/// Time until the differences are looked at again.
const AGAIN: Duration = Duration::from_mins(1);
/// Time until the next attempt after a failed comparison.
const AFTER_FAILURE: Duration = Duration::from_mins(10);

/// The reason why a comparison stopped.
#[derive(Debug, thiserror::Error)]
enum DriftError {
    /// A provider does not list its resources.
    #[error(transparent)]
    Unlisted(#[from] Unlisted),
    /// The site is busy or has stopped.
    #[error(transparent)]
    NotAsked(#[from] NotAsked),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Everything that the thread needs.
pub(crate) struct DriftSetup {
    pub(crate) partition: Partition,
    pub(crate) questioner: Questioner,
    pub(crate) registry: Registry,
    pub(crate) vault: Arc<Vault>,
    pub(crate) metrics: Arc<Metrics>,
    /// Time between two comparisons.
    pub(crate) every: Duration,
    /// The records that earlier comparisons have read.
    pub(crate) recorded: Recorded,
}

impl DriftSetup {
    /// Compares. Returns the time until the next comparison.
    pub(crate) fn compare(&mut self, stop: &Stop) -> Duration {
        match self.confirmed(stop) {
            Ok(Some(found)) => {
                self.tell(&found);
                self.every
            }
            Ok(None) => self.every,
            Err(error) => {
                self.metrics.drift_failed(&self.partition);
                let (business, minutes) = (self.partition.name(), AFTER_FAILURE.as_secs() / 60);
                tracing::error!(business, minutes, %error, "the providers' resources cannot be compared with the records");
                AFTER_FAILURE.min(self.every)
            }
        }
    }

    /// Returns the differences that are still there after a while; none if the thread is to stop.
    fn confirmed(&mut self, stop: &Stop) -> Result<Option<Vec<Drift>>, DriftError> {
        let Some(first) = self.differences(stop)? else { return Ok(None) };
        if first.is_empty() {
            return Ok(Some(first));
        }
        if !stop.wait(AGAIN.min(self.every)) {
            return Ok(None);
        }
        let again = self.differences(stop)?;
        Ok(again.map(|again| again.into_iter().filter(|one| first.contains(one)).collect()))
    }

    fn differences(&mut self, stop: &Stop) -> Result<Option<Vec<Drift>>, DriftError> {
        // The records are read last: what exists then was requested before.
        let own = format!("{}/", self.partition.name());
        let mut held = self.registry.held()?;
        held.retain(|held| held.id.scope.starts_with(&own));
        let unreadable = self.registry.unreadable()?;
        while self.read_page()? {
            if stop.is_asked() {
                return Ok(None);
            }
        }
        let recorded: Vec<_> = self.recorded.resources().into_iter().map(|it| (it.id, it.state)).collect();
        let takes = |resource: &str| self.registry.takes(&format!("{resource}.ensure"));
        let mut found = drift(&recorded, &held, &unreadable, takes);
        found.extend(unreadable_secrets(&self.vault, &self.recorded.secrets()));
        Ok(Some(found))
    }

    /// Reads the next page of records. Returns false at the end.
    fn read_page(&mut self) -> Result<bool, DriftError> {
        let (mut recorded, partition) = (std::mem::take(&mut self.recorded), self.partition.clone());
        let (sender, answer) = sync_channel(1);
        self.questioner.try_ask(move |answerer| {
            let more = answerer.read(|store| recorded.read_page(store, Some(&partition)));
            // The thread may have ended.
            let _ = sender.send((recorded, more));
        })?;
        let (recorded, more) = answer.recv().map_err(|_| NotAsked::Ended)?;
        self.recorded = recorded;
        Ok(more?)
    }

    fn tell(&self, found: &[Drift]) {
        let counts = Drift::KINDS.map(|kind| (kind, found.iter().filter(|one| one.kind() == kind).count()));
        self.metrics.drifted(&self.partition, &counts);
        let business = self.partition.name();
        let mut by_resource: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        for one in found {
            // The id of a resource may have a word that a customer has chosen.
            let resource = one.id().map_or("unknown", |id| id.resource.as_str());
            *by_resource.entry((one.kind(), resource)).or_default() += 1;
        }
        for ((kind, resource), count) in by_resource {
            tracing::warn!(
                business,
                kind,
                resource,
                count,
                "resources differ from their records; `host-shim drift` names them"
            );
        }
    }
}
