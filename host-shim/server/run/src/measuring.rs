//! Measures the sizes of resources at their providers on a schedule, on its own thread (SOL-31), and reports what has changed.

use crate::background::{Stop, Work};
use crate::records::Records;
use crate::reports::{Measurement, Reports};
use host_business::folder::MeasuredSize;
use host_provider_api::names::letters;
use host_provider_api::scripted::Resource;
use host_provider_api::{Call, CallOutcome, Registry, Reply, ResourceId};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Seconds after which an unchanged quantity is reported again.
const AGAIN_S: i64 = 24 * 60 * 60;

/// Everything that the thread needs. It must be dropped before the site stops, which would otherwise wait for it.
pub(crate) struct MeasuringWork {
    pub(crate) records: Arc<Records>,
    /// The providers without simulated ones.
    pub(crate) registry: Registry,
    pub(crate) sizes: Vec<MeasuredSize>,
    pub(crate) reports: Reports,
    /// Time between two measurements.
    pub(crate) every: Duration,
    /// The last reports.
    pub(crate) told: Told,
}

/// The last reports: quantity and time in seconds since the epoch, by meter and resource.
#[derive(Default)]
pub(crate) struct Told(BTreeMap<(String, ResourceId), (u64, i64)>);

impl Told {
    /// Returns true if a quantity was reported less than a day ago and has not changed.
    fn is_known(&self, of: &(String, ResourceId), quantity: u64, at_s: i64) -> bool {
        self.0.get(of).is_some_and(|(told, told_at_s)| {
            *told == quantity && (*told_at_s..told_at_s.saturating_add(AGAIN_S)).contains(&at_s)
        })
    }
}

impl Work for MeasuringWork {
    fn name(&self) -> &'static str {
        "measuring"
    }

    /// Measures all running resources. Returns the time until the next measurement.
    fn work(&mut self, stop: &Stop) -> Duration {
        let resources = match self.records.read() {
            Ok(recorded) => recorded.resources(),
            Err(error) => {
                let business = self.records.partition().name();
                tracing::error!(business, %error, "it is not known which resources are to be measured");
                return self.every;
            }
        };
        let sizes = std::mem::take(&mut self.sizes);
        for size in &sizes {
            let measured = |one: &&Resource| one.id.resource == size.resource && one.state == "running";
            for resource in resources.iter().filter(measured) {
                if stop.is_asked() {
                    break;
                }
                self.measure(size, resource);
            }
        }
        self.sizes = sizes;
        self.told.0.retain(|(_, id), _| resources.iter().any(|resource| resource.id == *id));
        self.every
    }
}

impl MeasuringWork {
    fn measure(&mut self, size: &MeasuredSize, resource: &Resource) {
        let Some(bytes) = self.bytes(resource) else { return };
        let (quantity, at_s) = (size.quantity(bytes), self.reports.clock.now().div_euclid(1_000));
        let of = (size.meter.clone(), resource.id.clone());
        if self.told.is_known(&of, quantity, at_s) {
            return;
        }
        // Several hosts measure at about the same time; their reports of one slot count as one.
        let slot = at_s.div_euclid(i64::try_from(self.every.as_secs()).unwrap_or(i64::MAX).max(1));
        let id = format!("measured:{}:{}:{slot}", size.meter, letters(&resource.id));
        let measurement = Measurement { id: &id, resource: &resource.id, meter: &size.meter, quantity, at_s };
        match self.reports.send(measurement) {
            Ok(()) => drop(self.told.0.insert(of, (quantity, at_s))),
            Err(error) => {
                let business = self.records.partition().name();
                tracing::warn!(business, %error, meter = size.meter, "a measurement is not stored, and is made again");
            }
        }
    }

    /// Returns the size of a resource; none if its provider does not report it now.
    fn bytes(&self, resource: &Resource) -> Option<u64> {
        let kind = format!("{}.observe", resource.id.resource);
        if !self.registry.takes(&kind) {
            return None;
        }
        let call = Call {
            kind,
            scope: resource.id.scope.clone(),
            key: resource.id.id.clone(),
            generation: resource.generation,
            attempt: 1,
            payload: serde_json::Value::Object(resource.settings.clone()),
            secrets: self.registry.secret_access(),
            ..Call::default()
        };
        match self.registry.call(&call) {
            Reply::Answer(CallOutcome::Done(found)) => found["bytes"].as_u64(),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantity_is_reported_when_it_changes_and_once_a_day() {
        let id = |id: &str| ResourceId { scope: "b/test/user:u".into(), resource: "database".into(), id: id.into() };
        let of = |name: &str| ("database_gb".to_owned(), id(name));
        let told = Told([(of("a/database"), (2, 1_000))].into());
        assert!(told.is_known(&of("a/database"), 2, 1_000 + AGAIN_S - 1));
        assert!(!told.is_known(&of("a/database"), 2, 1_000 + AGAIN_S), "a day later");
        assert!(!told.is_known(&of("a/database"), 3, 1_001), "it has changed");
        assert!(!told.is_known(&of("a/database"), 2, 999), "the clock was set back");
        assert!(!told.is_known(&of("b/database"), 2, 1_001), "another database");
    }
}
