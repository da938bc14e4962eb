//! Collects what happened at the sites since the last look: which accounts had decisions, and why effects fail. Wakes the streams and
//! pages that wait for changes.

use crate::site::Observer;
use crate::tries::Tries;
use crate::wakes::Wakes;
use extension_contract::Account;
use host_engine::processor::Report;
use host_provider_api::{Call, Reply};
use host_store::Partition;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The accounts of all sites that had a decision.
#[derive(Debug, Default)]
pub(crate) struct Changed(Mutex<BTreeMap<Partition, BTreeSet<Account>>>);

impl Changed {
    /// Adds accounts of a site.
    fn add(&self, partition: &Partition, accounts: impl Iterator<Item = Account>) {
        self.lock().entry(partition.clone()).or_default().extend(accounts);
    }

    /// Takes out the accounts of a site.
    pub(crate) fn take(&self, partition: &Partition) -> BTreeSet<Account> {
        self.lock().get_mut(partition).map(std::mem::take).unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Partition, BTreeSet<Account>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What happened at the sites of a server.
#[derive(Debug, Default)]
pub struct Changes {
    /// The accounts that had a decision.
    pub(crate) changed: Changed,
    /// Wakes streams after commits.
    pub(crate) wakes: Arc<Wakes>,
    /// Why effects fail.
    pub(crate) tries: Tries,
}

impl Changes {
    /// Returns the observer of a site.
    pub fn observer(self: &Arc<Self>, partition: Partition) -> Arc<dyn Observer> {
        Arc::new(SiteChanges { changes: self.clone(), partition })
    }
}

/// Records what happens at one site.
struct SiteChanges {
    changes: Arc<Changes>,
    partition: Partition,
}

impl Observer for SiteChanges {
    fn committed(&self, reports: &[Report]) {
        let accounts = reports.iter().filter_map(|report| report.account.as_ref());
        self.changes.changed.add(&self.partition, accounts.clone().cloned());
        if !reports.is_empty() {
            self.changes.wakes.committed(&self.partition, accounts);
        }
    }

    fn elsewhere(&self, accounts: &[Account]) {
        self.changes.changed.add(&self.partition, accounts.iter().cloned());
        self.changes.wakes.committed(&self.partition, accounts.iter());
    }

    fn called(&self, call: &Call, _provider: &str, reply: &Reply, _took: Duration) {
        self.changes.tries.note(call, reply);
    }
}
