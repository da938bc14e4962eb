//! Counts the events of types that nothing handles, by type.

use super::SiteLabels;
use extension_contract::{IgnoreReason, Outcome};
use host_engine::processor::Report;
use host_store::Partition;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

/// Maximum number of types that have their own counter. The sender chooses the types, and each counter needs memory.
const TYPES_MAX: usize = 200;
/// The label of all further types.
const OTHER: &str = "other";

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct TypeLabels {
    #[prometheus(flatten)]
    site: SiteLabels,
    source: String,
    r#type: String,
}

/// The counters.
pub(super) struct Unhandled {
    events: Family<TypeLabels, Counter>,
    types: Mutex<BTreeSet<String>>,
}

impl Unhandled {
    pub fn register(registry: &mut Registry) -> Unhandled {
        let events = Family::default();
        registry.register("unhandled_events", "Events of types that nothing handles, by type", events.clone());
        Unhandled { events, types: Mutex::default() }
    }

    /// Counts an event whose type is not handled.
    pub fn note(&self, partition: &Partition, report: &Report) {
        if !matches!(report.result.outcome(), Some(Outcome::Ignored(IgnoreReason::UnhandledKind))) {
            return;
        }
        let (site, source) = (SiteLabels::of(partition), report.source.clone());
        let labels = TypeLabels { site, source, r#type: self.label(&report.kind) };
        self.events.get_or_create(&labels).inc();
    }

    fn label(&self, kind: &str) -> String {
        let mut types = self.types.lock().unwrap_or_else(PoisonError::into_inner);
        match types.contains(kind) || (types.len() < TYPES_MAX && types.insert(kind.to_owned())) {
            true => kind.to_owned(),
            false => OTHER.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_beyond_the_limit_are_counted_together() {
        let unhandled = Unhandled::register(&mut Registry::default());
        let kinds: Vec<String> = (0..TYPES_MAX).map(|n| format!("kind.{n}")).collect();
        assert!(kinds.iter().all(|kind| unhandled.label(kind) == *kind));
        assert_eq!((unhandled.label("kind.next").as_str(), unhandled.label("kind.7").as_str()), (OTHER, "kind.7"));
    }
}
