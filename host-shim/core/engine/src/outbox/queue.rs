//! Reads and writes outbox rows. Within the outbox, only this file changes them and stores results.

use super::LEASE_MS;
use super::events::{delivery, result};
use crate::payment_event::PaymentEvent;
use crate::processor::{Processor, Report};
use extension_contract::{Account, Actor, EffectFailure, Event, Timestamp};
use host_store::{
    Applied, Changes, DueQuery, ERASE, EffectChange, EffectRow, EffectState, ExpectedEffect, Lease, LeaseRequest,
    MESSAGE, PAYMENT_EVENT, Scope, StoreError,
};
use serde_json::Value;
use std::collections::BTreeSet;

/// Default delays after failed attempts, in milliseconds; used if neither the effect nor its kind has a retry policy.
pub const DEFAULT_DELAYS_MS: [u32; 4] = [1_000, 2_000, 4_000, 8_000];
/// Maximum number of due rows among which the next calls are chosen.
const CANDIDATES: usize = 128;
/// Maximum number of them for one account and kind: more than a provider begins at once for an account.
const CANDIDATES_OF_ACCOUNT: usize = 16;

/// A transition of an outbox row.
pub(super) enum EffectTransition {
    /// The effect ends, and its result becomes an event of this actor.
    End { answer: Result<Value, EffectFailure>, by: Actor },
    /// The host carries out the effect itself: the effect becomes an event, or its account is erased.
    Deliver,
    /// The effect is retried at this time.
    Retry(Timestamp),
    /// The effect stays running, under its current lease.
    Keep,
    /// The effect ended earlier; its late success becomes an event.
    Late(Value),
    /// The effect ended earlier, but its provider is still working on it: the row keeps the token of the next poll.
    Await,
    /// The effect ended earlier, and its provider is no longer working on it.
    GiveUp,
}

/// The outbox rows of one business in one mode, and the processor that accepts the results.
pub(super) struct Queue {
    processor: Processor,
    /// Accounts that receive messages; none means all accounts.
    receivers: Option<BTreeSet<Account>>,
}

impl Queue {
    pub(super) fn new(processor: Processor) -> Self {
        Queue { processor, receivers: None }
    }

    pub(super) fn set_receivers(&mut self, receivers: Option<BTreeSet<Account>>) {
        self.receivers = receivers;
    }

    /// Returns false for a message to an account that does not receive messages.
    fn is_received(&self, row: &EffectRow) -> bool {
        let (Some(receivers), Some(to)) = (&self.receivers, &row.effect.to) else { return true };
        row.effect.kind != MESSAGE || receivers.contains(to)
    }

    pub(super) fn processor(&self) -> &Processor {
        &self.processor
    }

    pub(super) fn processor_mut(&mut self) -> &mut Processor {
        &mut self.processor
    }

    pub(super) fn into_processor(self) -> Processor {
        self.processor
    }

    /// Returns the rows that may start at `now`, in time order: see [`Read::effects_due`](host_store::Read::effects_due).
    pub(super) fn due(&self, now: Timestamp, timers: bool, limit: usize) -> Result<Vec<EffectRow>, StoreError> {
        let query = DueQuery { timers, ..DueQuery::of(self.processor.partition(), now, limit) };
        self.processor.store().effects_due(&query)
    }

    /// Returns the rows that may start at `now`, with accounts taking turns, without those of busy kinds that need a call.
    pub(super) fn due_in_turn(
        &self,
        now: Timestamp,
        timers: bool,
        busy: &[String],
    ) -> Result<Vec<EffectRow>, StoreError> {
        let query = DueQuery::of(self.processor.partition(), now, CANDIDATES);
        self.processor.store().effects_due(&DueQuery { timers, busy, turns: Some(CANDIDATES_OF_ACCOUNT), ..query })
    }

    /// Returns the time at which the next row becomes due after `after`.
    pub(super) fn next_due(&self, after: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        self.processor.store().next_due(self.processor.partition(), after)
    }

    /// Returns the running rows of this business and mode.
    pub(super) fn running(&self) -> Result<Vec<EffectRow>, StoreError> {
        self.processor.store().effects_running(self.processor.partition())
    }

    /// Returns the finished rows whose providers were still working on them at the deadline.
    pub(super) fn awaited(&self) -> Result<Vec<EffectRow>, StoreError> {
        self.processor.store().effects_awaited(self.processor.partition())
    }

    /// Returns the current row of a generation of an effect.
    pub(super) fn row(&self, scope: &Scope, key: &str, generation: u32) -> Result<Option<EffectRow>, StoreError> {
        let rows = self.processor.store().effect(scope, key)?;
        Ok(rows.into_iter().find(|row| row.effect.generation == generation))
    }

    /// Returns the milliseconds until a failed row is retried, by its own policy or that of its kind; none without a retry.
    pub(super) fn retry_delay_ms(&self, row: &EffectRow) -> Option<i64> {
        let policy = row.effect.retry.as_ref().or_else(|| self.processor.declared().retry(&row.effect.kind));
        retry_delay_ms(policy.map_or(&DEFAULT_DELAYS_MS, |policy| &policy.delays_ms), row.attempts)
    }

    /// Leases rows that need a call, and returns them in order. Omits rows that another host has taken in the meantime.
    pub(super) fn lease(&mut self, owner: &str, now: Timestamp, chosen: &[u64]) -> Result<Vec<EffectRow>, StoreError> {
        if chosen.is_empty() {
            return Ok(Vec::new());
        }
        let partition = self.processor.partition().clone();
        let until = now.saturating_add(LEASE_MS);
        let request = LeaseRequest { partition: &partition, owner, now, until, chosen };
        self.processor.store_mut().lease(&request)
    }

    /// Takes running rows under new leases, and returns them with their leases. Omits rows that another host has taken in the meantime.
    /// The marks are durable on return, except in an open group.
    pub(super) fn take(
        &mut self,
        rows: Vec<EffectRow>,
        lease: impl Fn(&mut EffectRow),
    ) -> Result<Vec<EffectRow>, StoreError> {
        if rows.is_empty() {
            return Ok(rows);
        }
        self.processor.grouped(|processor| {
            let mut taken = Vec::with_capacity(rows.len());
            for mut row in rows {
                let expected = ExpectedEffect::of(&row);
                lease(&mut row);
                row.state = EffectState::Running;
                let mut changes = marked_as(&row, row.state, row.due_at);
                changes.expected.effects = vec![expected];
                if processor.step(|processor| is_applied(processor, &changes))? {
                    taken.push(row);
                }
            }
            Ok(taken)
        })
    }

    /// Erases part of the account of a due effect, if the store does not erase accounts in one step. Returns true if more may be left.
    pub(super) fn erase_part(&mut self, row: &EffectRow) -> Result<bool, StoreError> {
        self.processor.grouped(|processor| {
            // The effect may have been cancelled since it was read.
            Ok(holds_lease(processor, row)? && processor.store_mut().erase_part(&row.scope)?)
        })
    }

    /// Stores transitions: results and rows in one group. Returns the reports, and for each transition whether it was
    /// stored: a transition under a lost lease ends nothing.
    pub(super) fn record(
        &mut self,
        transitions: &[(EffectRow, EffectTransition)],
        now: Timestamp,
    ) -> Result<(Vec<Report>, Vec<bool>), StoreError> {
        let mut stored = vec![true; transitions.len()];
        if transitions.is_empty() {
            return Ok((Vec::new(), stored));
        }
        let received: Vec<bool> = transitions.iter().map(|(row, _)| self.is_received(row)).collect();
        let reports = self.processor.grouped(|processor| {
            let mut reports = Vec::new();
            for (at, (row, transition)) in transitions.iter().enumerate() {
                let recorded = processor.step(|processor| record_one(processor, row, transition, received[at], now));
                match recorded? {
                    Some(own) => reports.extend(own),
                    None => stored[at] = false,
                }
            }
            Ok(reports)
        })?;
        Ok((reports, stored))
    }
}

/// Stores one transition in the open group. Returns none, and stores nothing, if the row's lease is lost: another host has
/// taken the effect, or the effect has ended.
fn record_one(
    processor: &mut Processor,
    row: &EffectRow,
    transition: &EffectTransition,
    is_received: bool,
    now: Timestamp,
) -> Result<Option<Vec<Report>>, StoreError> {
    let marked = |is_marked: bool| is_marked.then(Vec::new);
    match transition {
        EffectTransition::Retry(at) => mark(processor, row, EffectState::Queued, *at).map(marked),
        EffectTransition::Keep => mark(processor, row, EffectState::Running, row.due_at).map(marked),
        EffectTransition::End { answer, by } => {
            if !holds_lease(processor, row)? {
                return Ok(None);
            }
            let result = Event { actor: by.clone(), ..result(row, answer.clone(), false, now) };
            let reports = accept(processor, result)?;
            // The decision requests the effect again if it moves money and failed. This cancels a generation that was waiting.
            if mark(processor, row, EffectState::Finished, row.due_at)? || end_cancelled(processor, row)? {
                return Ok(Some(reports));
            }
            // The group is rolled back; the host that now has the effect ends it.
            Err(StoreError::Unavailable("the lease was lost while the result was decided".to_owned()))
        }
        EffectTransition::Deliver => {
            // An earlier transition may have cancelled or replaced the effect.
            if !holds_lease(processor, row)? {
                return Ok(None);
            }
            if row.effect.kind == ERASE {
                return erase(processor, row).map(marked);
            }
            let reports = if is_received { deliver(processor, row, now)? } else { Vec::new() };
            // The decision may have cancelled the effect.
            let changes = marked_as(row, EffectState::Finished, row.due_at);
            processor.store_mut().apply(&changes)?;
            Ok(Some(reports))
        }
        EffectTransition::Late(value) => {
            let reports = accept(processor, result(row, Ok(value.clone()), true, now))?;
            set_work(processor, row, None)?;
            Ok(Some(reports))
        }
        EffectTransition::Await => set_work(processor, row, Some(&row.lease)).map(|()| Some(Vec::new())),
        EffectTransition::GiveUp => set_work(processor, row, None).map(|()| Some(Vec::new())),
    }
}

/// Returns the stored row of an effect.
fn stored_row(processor: &Processor, row: &EffectRow) -> Result<Option<EffectRow>, StoreError> {
    let rows = processor.store().effect(&row.scope, &row.effect.key)?;
    Ok(rows.into_iter().find(|it| it.effect.generation == row.effect.generation))
}

/// Ends an effect that was cancelled since the row was read. Returns false, and changes nothing, if it was not.
fn end_cancelled(processor: &mut Processor, row: &EffectRow) -> Result<bool, StoreError> {
    match stored_row(processor, row)?.filter(|it| it.state == EffectState::Cancelled && it.lease == row.lease) {
        Some(cancelled) => mark(processor, &cancelled, EffectState::Finished, row.due_at),
        None => Ok(false),
    }
}

/// Returns whether the stored effect still has the row's state and lease. If other hosts share the store, it stays so
/// until the end of the group: the row is rewritten unchanged, which locks its account.
fn holds_lease(processor: &mut Processor, row: &EffectRow) -> Result<bool, StoreError> {
    if processor.store().has_peers() {
        return mark(processor, row, row.state, row.due_at);
    }
    Ok(stored_row(processor, row)?.is_some_and(|it| ExpectedEffect::of(&it) == ExpectedEffect::of(row)))
}

/// Delivers a timer or message to its account. An event of the payment source is placed like a received one.
fn deliver(processor: &mut Processor, row: &EffectRow, now: Timestamp) -> Result<Vec<Report>, StoreError> {
    if row.effect.kind != PAYMENT_EVENT {
        return accept(processor, delivery(row, now));
    }
    let payment_event = PaymentEvent::parse(&row.effect.payload).map_err(StoreError::Misuse)?;
    let (decoded, raw) = payment_event.into_inbox_event(&row.scope.business, row.scope.livemode, now);
    processor.accept(decoded, raw)
}

fn accept(processor: &mut Processor, event: Event) -> Result<Vec<Report>, StoreError> {
    processor.accept(event, Vec::new())
}

/// Erases the account of an effect and ends the effect, in one write. No event follows. Returns false if the lease is lost.
fn erase(processor: &mut Processor, row: &EffectRow) -> Result<bool, StoreError> {
    let mut ended = marked_as(row, EffectState::Finished, row.due_at);
    ended.expected.effects = vec![ExpectedEffect::of(row)];
    is_applied(processor, &Changes { erase: true, ..ended })
}

/// Sets what is known about the provider's work on an effect that has ended: the token and the time of the next poll, or none, so that
/// a restarted host does not poll it. Does nothing unless the effect has ended.
fn set_work(processor: &mut Processor, row: &EffectRow, work: Option<&Lease>) -> Result<(), StoreError> {
    let Some(mut found) = stored_row(processor, row)?.filter(|it| it.state == EffectState::Finished) else {
        return Ok(());
    };
    if work.is_none() && found.lease.token.is_none() {
        return Ok(());
    }
    let number = found.lease.number;
    found.lease = Lease { number, ..work.cloned().unwrap_or_default() };
    let due_at = if work.is_some() { row.due_at } else { found.due_at };
    mark(processor, &found, EffectState::Finished, due_at).map(drop)
}

/// Changes an effect on the condition that it still has the row's state and lease. Otherwise returns false and changes nothing.
fn mark(processor: &mut Processor, row: &EffectRow, state: EffectState, due_at: Timestamp) -> Result<bool, StoreError> {
    let mut changes = marked_as(row, state, due_at);
    changes.expected.effects = vec![ExpectedEffect::of(row)];
    is_applied(processor, &changes)
}

fn is_applied(processor: &mut Processor, changes: &Changes) -> Result<bool, StoreError> {
    Ok(matches!(processor.store_mut().apply(changes)?, Applied::Done { .. }))
}

fn marked_as(row: &EffectRow, state: EffectState, due_at: Timestamp) -> Changes {
    let update = EffectChange::Update {
        key: row.effect.key.clone(),
        generation: row.effect.generation,
        state,
        attempts: row.attempts,
        due_at,
        lease: row.lease.clone(),
    };
    Changes {
        scope: Some(row.scope.clone()),
        event_id: row.caused_by.clone(),
        effects: vec![update],
        ..Changes::default()
    }
}

/// Returns the milliseconds until the next attempt after `attempts` failed attempts; none if there is no further
/// attempt.
pub fn retry_delay_ms(delays_ms: &[u32], attempts: u32) -> Option<i64> {
    let failed_before = usize::try_from(attempts.saturating_sub(1)).ok()?;
    delays_ms.get(failed_before).map(|delay| i64::from(*delay))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failed_attempt_has_its_own_delay_and_the_last_has_none() {
        let delays: Vec<_> = (1..=5).map(|attempts| retry_delay_ms(&[10_000, 30_000, 5_000], attempts)).collect();
        assert_eq!(delays, [Some(10_000), Some(30_000), Some(5_000), None, None]);
        assert_eq!(retry_delay_ms(&DEFAULT_DELAYS_MS, u32::MAX), None);
        assert_eq!(retry_delay_ms(&[], 1), None);
    }
}
