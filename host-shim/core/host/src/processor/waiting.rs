//! What does a parked or deferred event wait for? Builds its wake keys, for `Read::woken_by`.

use super::decide::Deciding;
use crate::snapshot::full_key;
use extension_contract::{Account, DeferReason, Event, ID_BYTES_MAX};
use host_store::Scope;

impl Deciding {
    /// Returns the full form of short claim keys; omits keys of invalid length.
    pub(super) fn full_claim_keys(&self, event: &Event, keys: &[String]) -> Vec<String> {
        let connected = connected_account(event);
        let claimable = keys.iter().filter(|key| (1..=ID_BYTES_MAX).contains(&key.len()));
        claimable.map(|key| full_key(&self.partition, connected, key)).collect()
    }

    /// Returns the wake keys of a parked event: the keys of its claims, and of the lists that an eviction reads.
    pub(super) fn parked_waits_for(&self, event: &Event, keys: &[String], marked: bool) -> Vec<String> {
        let mut waits_for: Vec<String> =
            self.full_claim_keys(event, keys).iter().map(|full| claim_wake_key(full)).collect();
        waits_for.push(self.parked_key(marked));
        waits_for.extend(marked.then(|| self.parked_mark(event)));
        waits_for.extend(connected_account(event).map(|account| self.parked_of_connected(account)));
        waits_for
    }

    /// Returns the wake keys of a deferred event of an account.
    pub(super) fn deferred_waits_for(&self, event: &Event, account: Account, reason: &DeferReason) -> Vec<String> {
        let scope = self.partition.scope(account);
        match reason {
            DeferReason::Claim(keys) => {
                self.full_claim_keys(event, keys).iter().map(|full| claim_wake_key(full)).collect()
            }
            DeferReason::Fact(fact) => vec![fact_wake_key(&scope, fact)],
            DeferReason::Effect(key) => vec![effect_wake_key(&scope, key)],
        }
    }

    /// Returns the key of the list of parked events with or without this host's mark.
    pub(super) fn parked_key(&self, marked: bool) -> String {
        let mark = if marked { "ours" } else { "unmarked" };
        format!("parked:{}/{mark}", self.partition.name())
    }

    /// Returns the key of one parked event with this host's mark.
    pub(super) fn parked_mark(&self, event: &Event) -> String {
        format!("parked:{}/mark/{}/{}", self.partition.name(), event.source, event.id)
    }

    /// Returns the key of the list of parked events of a connected account.
    pub(super) fn parked_of_connected(&self, account: &str) -> String {
        format!("parked:{}/connected/{account}", self.partition.name())
    }
}

/// Returns the connected account in an event's claim keys.
pub(super) fn connected_account(event: &Event) -> Option<&str> {
    event.provider.as_ref().and_then(|facts| facts.connected_account.as_deref())
}

pub(super) fn claim_wake_key(full_key: &str) -> String {
    format!("claim:{full_key}")
}

pub(super) fn fact_wake_key(scope: &Scope, fact: &str) -> String {
    format!("fact:{}/{fact}", scope.name())
}

pub(super) fn effect_wake_key(scope: &Scope, key: &str) -> String {
    format!("effect:{}/{key}", scope.name())
}
