//! Compares the resources of the providers with the records on a schedule, on its own thread.
//!
//! The records are read one page at a time by the threads that answer questions, so that neither the writer nor a question
//! waits. A difference counts only if it still exists a minute later, because a resource is created a moment before its result
//! is stored.

use crate::background::{Stop, Work};
use crate::inspect::{InspectError, Inspection, Inspector};
use host_api::Metrics;
use host_providers::Drift;
use host_store::Partition;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Time until the differences are checked again.
const AGAIN: Duration = Duration::from_mins(1);
/// Time until the next attempt after a failed comparison.
const AFTER_FAILURE: Duration = Duration::from_mins(10);

/// Everything that the thread needs.
pub(crate) struct DriftWork {
    pub(crate) partition: Partition,
    pub(crate) inspector: Arc<Inspector>,
    pub(crate) metrics: Arc<Metrics>,
    /// Time between two comparisons.
    pub(crate) every: Duration,
}

impl Work for DriftWork {
    fn name(&self) -> &'static str {
        "drift"
    }

    /// Compares. Returns the time until the next comparison.
    fn work(&mut self, stop: &Stop) -> Duration {
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
}

impl DriftWork {
    /// Compares, and keeps the differences that still exist after a while; none if the thread should stop.
    fn confirmed(&self, stop: &Stop) -> Result<Option<Inspection>, InspectError> {
        let Some(first) = self.inspector.compare_until(stop)? else { return Ok(None) };
        if first.found.is_empty() {
            return Ok(Some(first));
        }
        if !stop.wait(AGAIN.min(self.every)) {
            return Ok(None);
        }
        let Some(mut again) = self.inspector.compare_until(stop)? else { return Ok(None) };
        again.found.retain(|one| first.found.contains(one));
        Ok(Some(again))
    }

    fn tell(&self, Inspection { found, not_compared }: &Inspection) {
        let counts = Drift::KINDS.map(|kind| (kind, found.iter().filter(|one| one.kind() == kind).count()));
        self.metrics.drifted(&self.partition, &counts);
        let business = self.partition.name();
        for (resource, count) in not_compared {
            tracing::info!(business, %resource, count, "resources are not compared: no provider has a list of them");
        }
        let mut by_resource: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        for one in found {
            // The id of a resource may contain a word chosen by a customer.
            let resource = one.id().map_or("unknown", |id| id.resource.as_str());
            *by_resource.entry((one.kind(), resource)).or_default() += 1;
        }
        for ((kind, resource), count) in by_resource {
            tracing::warn!(
                business,
                kind,
                resource,
                count,
                "resources differ from their records; `provisioner drift` names them"
            );
        }
    }
}
