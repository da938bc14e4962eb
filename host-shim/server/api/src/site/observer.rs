//! Observers of a site: metrics, logs and live pages.

use extension_contract::Account;
use host_engine::outbox::OutboxError;
use host_engine::processor::Report;
use host_provider_api::{Call, Outage, Reply};
use std::sync::Arc;
use std::time::Duration;

/// Observes a site, for metrics, logs and live pages. Called on the threads of the site, so it must be quick.
pub trait Observer: Send + Sync {
    /// Called with committed runs.
    fn committed(&self, reports: &[Report]) {
        let _ = reports;
    }
    /// Called with accounts about which another host has made a decision.
    fn elsewhere(&self, accounts: &[Account]) {
        let _ = accounts;
    }
    /// Called with the answer to a provider call and its duration.
    fn called(&self, call: &Call, provider: &str, reply: &Reply, took: Duration) {
        let _ = (call, provider, reply, took);
    }
    /// Called when calls of a provider no longer succeed.
    fn outage_began(&self, outage: &Outage) {
        let _ = outage;
    }
    /// Called when a call of a provider has succeeded after an outage.
    fn outage_ended(&self, provider: &str) {
        let _ = provider;
    }
    /// Called with a store failure.
    fn failed(&self, error: &OutboxError) {
        let _ = error;
    }
}

/// Several observers of the same site.
pub(crate) struct Observers(pub(crate) Vec<Arc<dyn Observer>>);

impl Observer for Observers {
    fn committed(&self, reports: &[Report]) {
        self.0.iter().for_each(|one| one.committed(reports));
    }

    fn elsewhere(&self, accounts: &[Account]) {
        self.0.iter().for_each(|one| one.elsewhere(accounts));
    }

    fn called(&self, call: &Call, provider: &str, reply: &Reply, took: Duration) {
        self.0.iter().for_each(|one| one.called(call, provider, reply, took));
    }

    fn outage_began(&self, outage: &Outage) {
        self.0.iter().for_each(|one| one.outage_began(outage));
    }

    fn outage_ended(&self, provider: &str) {
        self.0.iter().for_each(|one| one.outage_ended(provider));
    }

    fn failed(&self, error: &OutboxError) {
        self.0.iter().for_each(|one| one.failed(error));
    }
}
