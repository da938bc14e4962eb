//! What a parked or deferred event waits for, as keys of `Store::woken_by`.

use super::Processor;
use crate::snapshot::full_key;
use extension_contract::{Account, DeferReason, Event, ID_BYTES_MAX};
use host_store::Scope;

impl Processor {
    /// Short claim keys in their full form; without those that nobody can claim.
    fn full_claim_keys(&self, event: &Event, keys: &[String]) -> Vec<String> {
        let connected = connected_account(event);
        let claimable = keys.iter().filter(|key| (1..=ID_BYTES_MAX).contains(&key.len()));
        claimable.map(|key| full_key(&self.partition, connected, key)).collect()
    }

    /// What a parked event waits for: its claims; and the lists that it is found in when there are too many.
    pub(super) fn parked_waits_for(&self, event: &Event, keys: &[String], marked: bool) -> Vec<String> {
        let mut waits_for: Vec<String> =
            self.full_claim_keys(event, keys).iter().map(|full| claim_wake_key(full)).collect();
        waits_for.push(self.parked_key(marked));
        waits_for.extend(marked.then(|| self.parked_mark(event)));
        waits_for.extend(connected_account(event).map(|account| self.parked_of_connected(account)));
        waits_for
    }

    /// What a deferred event of an account waits for.
    pub(super) fn deferred_waits_for(&self, event: &Event, account: Account, reason: &DeferReason) -> Vec<String> {
        let scope = self.scope(account);
        match reason {
            DeferReason::Claim(keys) => {
                self.full_claim_keys(event, keys).iter().map(|full| claim_wake_key(full)).collect()
            }
            DeferReason::Fact(fact) => vec![fact_wake_key(&scope, fact)],
            DeferReason::Effect(key) => vec![effect_wake_key(&scope, key)],
        }
    }

    /// Under this key stand the parked events with or without a mark of ours.
    pub(super) fn parked_key(&self, marked: bool) -> String {
        let mark = if marked { "ours" } else { "unmarked" };
        format!("parked:{}/{mark}", self.partition.name())
    }

    /// Under this key stands a parked event that has a mark of ours, and no other.
    pub(super) fn parked_mark(&self, event: &Event) -> String {
        format!("parked:{}/mark/{}/{}", self.partition.name(), event.source, event.id)
    }

    /// Under this key stand the parked events of a connected account.
    pub(super) fn parked_of_connected(&self, account: &str) -> String {
        format!("parked:{}/connected/{account}", self.partition.name())
    }
}

/// The connected account that an event's claim keys bear.
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
