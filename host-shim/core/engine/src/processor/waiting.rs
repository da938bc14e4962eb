//! Builds wake keys, for `Read::woken_by`: those for which a parked or deferred event waits, and those of a commit.

use crate::decision::PreparedDecision;
use crate::snapshot::full_key;
use extension_contract::{Account, DeferReason, Event, ID_BYTES_MAX, Payload};
use host_store::{EffectChange, EffectState, Partition, Scope};

/// Builds the wake keys of a business in one mode.
pub(super) struct WakeKeys<'p>(pub &'p Partition);

impl WakeKeys<'_> {
    /// Returns short claim keys in full form; omits keys of invalid length.
    pub(super) fn full_claim_keys(&self, event: &Event, keys: &[String]) -> Vec<String> {
        let connected = connected_account(event);
        let claimable = keys.iter().filter(|key| (1..=ID_BYTES_MAX).contains(&key.len()));
        claimable.map(|key| full_key(self.0, connected, key)).collect()
    }

    /// Returns the wake keys of a parked event: the keys of its claims, and of the lists that an eviction reads.
    pub(super) fn of_parked(&self, event: &Event, keys: &[String], marked: bool) -> Vec<String> {
        let mut waits_for: Vec<String> =
            self.full_claim_keys(event, keys).iter().map(|full| claim_wake_key(full)).collect();
        waits_for.push(self.parked_key(marked));
        waits_for.extend(marked.then(|| self.parked_mark(event)));
        waits_for.extend(connected_account(event).map(|account| self.parked_of_connected(account)));
        waits_for
    }

    /// Returns the wake keys of a deferred event of an account.
    pub(super) fn of_deferred(&self, event: &Event, account: Account, reason: &DeferReason) -> Vec<String> {
        let scope = self.0.scope(account);
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
        format!("parked:{}/{mark}", self.0.name())
    }

    /// Returns the key of a single parked event with this host's mark.
    pub(super) fn parked_mark(&self, event: &Event) -> String {
        format!("parked:{}/mark/{}/{}", self.0.name(), event.source, event.id)
    }

    /// Returns the key of the list of parked events of a connected account.
    pub(super) fn parked_of_connected(&self, account: &str) -> String {
        format!("parked:{}/connected/{account}", self.0.name())
    }
}

/// Returns the connected account in an event's claim keys.
pub(super) fn connected_account(event: &Event) -> Option<&str> {
    event.payment.as_ref().and_then(|facts| facts.connected_account.as_deref())
}

fn claim_wake_key(full_key: &str) -> String {
    format!("claim:{full_key}")
}

fn fact_wake_key(scope: &Scope, fact: &str) -> String {
    format!("fact:{}/{fact}", scope.name())
}

fn effect_wake_key(scope: &Scope, key: &str) -> String {
    format!("effect:{}/{key}", scope.name())
}

/// Returns the wake keys of a commit: of the claims that the commit takes, the facts that it records, and the effects
/// that end.
///
/// For waiting events, an effect ends when its result is decided, not when the outbox finishes it, because only then
/// are the result's changes visible.
pub(super) fn woken_by(event: &Event, prepared: &PreparedDecision) -> Vec<String> {
    let mut keys: Vec<String> = prepared.claims_taken.iter().map(|full| claim_wake_key(full)).collect();
    let Some(scope) = &prepared.changes.scope else { return keys };
    keys.extend(prepared.changes.facts.iter().map(|fact| fact_wake_key(scope, fact)));
    for change in &prepared.changes.effects {
        if let EffectChange::Update { key, state: EffectState::Finished | EffectState::Cancelled, .. } = change {
            keys.push(effect_wake_key(scope, key));
        }
    }
    match &event.payload {
        Payload::EffectResult(report) => keys.push(effect_wake_key(scope, &report.key)),
        Payload::Timer(delivery) => keys.push(effect_wake_key(scope, &delivery.key)),
        _ => {}
    }
    keys
}
