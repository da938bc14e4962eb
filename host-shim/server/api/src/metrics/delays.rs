//! Metrics of everything that has waited too long: providers whose calls all fail, due effects that nobody starts, and
//! payments that no account has accepted. The numbers are computed when the metrics are read.

use super::SiteLabels;
use crate::ask::read;
use crate::site::Site;
use extension_contract::Timestamp;
use host_provider_api::Outage;
use host_store::{DueQuery, OF_HOST, Partition, Read, Stored, Wait};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

/// Maximum number of kinds of due effects that are examined.
const KINDS_MAX: usize = 200;
/// How old a parked event must be to count: its customer's account may still be on its way.
const PARKED_MS: i64 = 10 * 60 * 1_000;
/// Maximum number of parked events that are examined, oldest first.
const PARKED_MAX: usize = 500;
/// The Stripe event types which report that somebody has paid.
const PAID: [&str; 5] = [
    "checkout.session.completed",
    "checkout.session.async_payment_succeeded",
    "invoice.paid",
    "payment_intent.succeeded",
    "charge.succeeded",
];

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ProviderLabels {
    #[prometheus(flatten)]
    site: SiteLabels,
    provider: String,
}

/// The metrics of everything that has waited too long.
#[derive(Default)]
pub(super) struct Delays {
    outages: Family<ProviderLabels, Gauge>,
    waiting: Family<ProviderLabels, Gauge>,
    paid: Family<SiteLabels, Gauge>,
    /// The providers that a site has had in these metrics. They drop to 0 when nothing waits any longer.
    known: Mutex<BTreeSet<(Partition, String)>>,
}

/// The delays found in the store.
struct StoredDelays {
    /// The time since which the oldest due effect of each kind has been waiting, in milliseconds.
    waiting_ms: BTreeMap<String, i64>,
    paid: usize,
}

impl Delays {
    /// Registers the metrics.
    pub(super) fn register(registry: &mut Registry) -> Delays {
        let delays = Delays::default();
        registry.register(
            "provider_outage_seconds",
            "Time since which no call of a provider succeeds; 0 if the last one did",
            delays.outages.clone(),
        );
        registry.register(
            "effects_waiting_seconds",
            "Time since which the oldest due effect of a provider waits for its next attempt",
            delays.waiting.clone(),
        );
        registry.register(
            "parked_paid_events",
            "Payments that no account has taken for 10 minutes, counted among the 500 oldest events that wait",
            delays.paid.clone(),
        );
        delays
    }

    /// Reads what is waiting in a site. If the store does not answer, the previous numbers stay.
    pub(super) async fn look(&self, site: &Site) {
        let (partition, now) = (site.partition().clone(), site.clock().now());
        let outages = site.outages();
        self.note_outages(&partition, &outages);
        let of = partition.clone();
        if let Ok(found) = read(site, move |store| find(store, &of, now)).await {
            let mut waiting: BTreeMap<String, i64> = BTreeMap::new();
            for (kind, waits_ms) in found.waiting_ms {
                let longest = waiting.entry(site.provider_of(&kind)).or_default();
                *longest = waits_ms.max(*longest);
            }
            self.set(&partition, &self.waiting, waiting);
            self.paid.get_or_create(&SiteLabels::of(&partition)).set(found.paid.try_into().unwrap_or(i64::MAX));
        }
    }

    fn note_outages(&self, partition: &Partition, outages: &[Outage]) {
        let lasts = |outage: &Outage| i64::try_from(outage.lasts_ms).unwrap_or(i64::MAX);
        // One that has just begun counts too.
        let out = outages.iter().map(|outage| (outage.provider.to_owned(), lasts(outage).max(1_000)));
        self.set(partition, &self.outages, out.collect());
    }

    /// Sets the seconds of each provider of a site, and 0 for the other known ones.
    fn set(&self, partition: &Partition, gauges: &Family<ProviderLabels, Gauge>, lasts_ms: BTreeMap<String, i64>) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.extend(lasts_ms.keys().map(|provider| (partition.clone(), provider.clone())));
        for (_, provider) in known.iter().filter(|(of, _)| of == partition) {
            let labels = ProviderLabels { site: SiteLabels::of(partition), provider: provider.clone() };
            gauges.get_or_create(&labels).set(lasts_ms.get(provider).map_or(0, |lasts| lasts / 1_000));
        }
    }
}

fn find(store: &dyn Read, partition: &Partition, now: Timestamp) -> Stored<StoredDelays> {
    let mut waiting_ms = BTreeMap::new();
    let mut passed: Vec<String> = OF_HOST.iter().map(|kind| (*kind).to_owned()).collect();
    // The first due effect of each kind.
    while waiting_ms.len() < KINDS_MAX {
        let query = DueQuery { timers: false, busy: &passed, ..DueQuery::of(partition, now, 1) };
        let Some(row) = store.effects_due(&query)?.pop() else { break };
        let since = row.effect.not_before.unwrap_or(row.created_at).max(row.created_at);
        let kind = row.effect.kind;
        if passed.contains(&kind) {
            // It has passed its deadline, so it needs no call and ends at once.
            break;
        }
        waiting_ms.insert(kind.clone(), now.saturating_sub(since).max(0));
        passed.push(kind);
    }
    let mut paid = 0;
    for seq in store.waiting_before(partition, Wait::Parked, now.saturating_sub(PARKED_MS), PARKED_MAX)? {
        let is_paid = store.inbox(seq)?.is_some_and(|row| PAID.contains(&row.event.kind.as_str()));
        paid += usize::from(is_paid);
    }
    Ok(StoredDelays { waiting_ms, paid })
}
