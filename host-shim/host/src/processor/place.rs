//! Which account an event belongs to.

use super::Processor;
use super::run::{Decided, Failed, Work, connected_account, inconsistent};
use crate::runner::RunError;
use host_store::{Access, InboxState, LogEntry, Scope};
use products_contract::{
    Account, DeferReason, Event, Failure, ID_BYTES_MAX, IgnoreReason, Mark, Outcome, Payload, Placement, StoreError,
    Stored,
};

/// Where an event goes.
pub(super) enum Placed {
    /// To this account.
    At(Account),
    /// Nowhere, and this is its outcome.
    Decided(Box<Decided>),
    /// It could not be worked out.
    Failed(Failed),
}

impl Processor {
    /// Place an event: it says so itself, or by claims, then metadata, then its mark (see `placement` in the WIT).
    pub(super) fn place(&mut self, work: &mut Work) -> Stored<Placed> {
        let Work { event, fuel, logs, .. } = work;
        if let Some(account) = &event.account {
            return Ok(Placed::At(account.clone()));
        }
        if !matches!(event.payload, Payload::Provider(_)) {
            return Ok(Placed::At(Account::Platform));
        }
        let placement = match self.correlate(event, fuel, logs) {
            Ok(placement) => placement,
            Err(error) => return Ok(Placed::Failed(Failed { error, account: None })),
        };
        let full_keys = self.full_claim_keys(event, &placement.keys);
        let mut holder: Option<(&str, Account)> = None;
        for (key, full) in &full_keys {
            let claim = self.store().claim(full)?;
            let held = claim.filter(|row| row.until.is_none_or(|until| until > event.received_at));
            let Some(account) = held.and_then(|row| row.holder) else { continue };
            match &holder {
                None => holder = Some((key, account)),
                Some((_, first)) if *first == account => {}
                Some((first_key, _)) => {
                    let outcome = inconsistent(first_key, key);
                    return Ok(Placed::Decided(Box::new(Decided::by_host(outcome))));
                }
            }
        }
        if let Some((_, account)) = holder {
            return Ok(Placed::At(account));
        }
        if let Some(account) = placement.account.filter(|_| connected_account(event).is_none()) {
            return Ok(Placed::At(account));
        }
        if placement.mark == Mark::Foreign {
            let outcome = Outcome::Ignored(IgnoreReason::NotOurs);
            return Ok(Placed::Decided(Box::new(Decided::by_host(outcome))));
        }
        if full_keys.is_empty() {
            return Ok(Placed::At(Account::Platform));
        }
        let mut waits_for: Vec<String> = full_keys.into_iter().map(|(_, full)| claim_wake_key(&full)).collect();
        waits_for.push(self.mark_key(placement.mark));
        Ok(Placed::Decided(Box::new(Decided {
            state: InboxState::Parked,
            waits_for,
            ..Decided::by_host(Outcome::Deferred(DeferReason::Claim(placement.keys)))
        })))
    }

    /// Ask the extension how to place an event; add up what that took and logged.
    fn correlate(&mut self, event: &Event, fuel: &mut u64, logs: &mut Vec<LogEntry>) -> Result<Placement, RunError> {
        let context = self.context(event, Account::Platform, Access::CatalogOnly);
        let (_, mut trace, placed) = self.call(context, |runner, tx| runner.correlate(tx, event));
        logs.append(&mut trace.logs);
        if let Some(text) = trace.unavailable {
            return Err(RunError::Failure(Failure::Store(StoreError::Unavailable(text))));
        }
        let (placement, used) = placed?;
        *fuel += used.fuel;
        Ok(placement)
    }

    /// Short keys with their full forms; without those that nobody can claim.
    pub(super) fn full_claim_keys<'a>(&self, event: &Event, keys: &'a [String]) -> Vec<(&'a str, String)> {
        let space = self.scope(Account::Platform).claim_space();
        let connected = connected_account(event).unwrap_or_default();
        let claimable = keys.iter().filter(|key| (1..=ID_BYTES_MAX).contains(&key.len()));
        claimable.map(|key| (key.as_str(), format!("{space}/{connected}/{key}"))).collect()
    }

    /// What a deferred event waits for, as keys of `Store::woken_by`.
    pub(super) fn waits_for(&self, event: &Event, account: Account, reason: &DeferReason) -> Vec<String> {
        let scope = self.scope(account);
        let mut keys = match reason {
            DeferReason::Claim(keys) => {
                let full_keys = self.full_claim_keys(event, keys);
                full_keys.into_iter().map(|(_, full)| claim_wake_key(&full)).collect()
            }
            DeferReason::Fact(fact) => vec![fact_wake_key(&scope, fact)],
            DeferReason::Effect(key) => vec![effect_wake_key(&scope, key)],
        };
        keys.push(self.deferred_key());
        keys
    }

    /// Under this key stand the parked events of a mark, so that they are found without being placed again.
    pub(super) fn mark_key(&self, mark: Mark) -> String {
        let mark = if mark == Mark::Ours { "ours" } else { "unmarked" };
        format!("parked:{}/{mark}", self.scope(Account::Platform).claim_space())
    }

    /// Under this key stand all deferred events, so that those that wait too long are found.
    pub(super) fn deferred_key(&self) -> String {
        format!("deferred:{}", self.scope(Account::Platform).claim_space())
    }
}

pub(super) fn claim_wake_key(full_key: &str) -> String {
    format!("claim:{full_key}")
}

pub(super) fn fact_wake_key(scope: &Scope, fact: &str) -> String {
    format!("fact:{}/{fact}", scope.partition())
}

pub(super) fn effect_wake_key(scope: &Scope, key: &str) -> String {
    format!("effect:{}/{key}", scope.partition())
}
