//! How are outbox rows read and written? In the outbox, only this file changes them and stores results.

use super::events::{delivery, result};
use super::policy::{DEFAULT_DELAYS_MS, retry_delay_ms};
use crate::processor::{Processor, Report};
use crate::provider_event::ProviderEvent;
use extension_contract::{Account, EffectFailure, Event, StoreError, Timestamp};
use host_intake::Decoded;
use host_store::{Changes, ERASE, EffectChange, EffectRow, EffectState, Lease, MESSAGE, PROVIDER_EVENT, Scope};
use serde_json::Value;
use std::collections::BTreeSet;

/// A transition of an outbox row.
pub(super) enum EffectTransition {
    /// The effect ends; its result becomes an event.
    End(Result<Value, EffectFailure>),
    /// The host carries out the effect: the effect becomes an event, or its account is erased.
    Deliver,
    /// The effect is retried at this time.
    Retry(Timestamp),
    /// The effect stays running, under its current lease.
    Keep,
    /// The effect has ended before; its late success becomes an event.
    Late(Value),
    /// The effect has ended before, and its provider still works on it: the row keeps the token of the next poll.
    Await,
    /// The effect has ended before, and its provider does not work on it any more.
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

    /// Returns the rows that may start at `now`, in order.
    pub(super) fn due(&self, now: Timestamp, timers: bool, limit: usize) -> Result<Vec<EffectRow>, StoreError> {
        self.processor.store().effects_due(self.processor.partition(), now, timers, limit)
    }

    /// Returns the time at which the next row becomes due after `after`.
    pub(super) fn next_due(&self, after: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        self.processor.store().next_due(self.processor.partition(), after)
    }

    /// Returns the running rows of this business and mode.
    pub(super) fn running(&self) -> Result<Vec<EffectRow>, StoreError> {
        self.processor.store().effects_running(self.processor.partition())
    }

    /// Returns the finished rows whose providers still worked on them at the deadline.
    pub(super) fn awaited(&self) -> Result<Vec<EffectRow>, StoreError> {
        self.processor.store().effects_awaited(self.processor.partition())
    }

    /// Returns the current row of a generation of an effect.
    pub(super) fn row(&self, scope: &Scope, key: &str, generation: u32) -> Result<Option<EffectRow>, StoreError> {
        let rows = self.processor.store().effect(scope, key)?;
        Ok(rows.into_iter().find(|row| row.effect.generation == generation))
    }

    /// Returns the milliseconds until the retry of a failed row, by its own policy or its kind's; none without a retry.
    pub(super) fn retry_delay_ms(&self, row: &EffectRow) -> Option<i64> {
        let policy = row.effect.retry.as_ref().or_else(|| self.processor.declared().retry(&row.effect.kind));
        retry_delay_ms(policy.map_or(&DEFAULT_DELAYS_MS, |policy| &policy.delays_ms), row.attempts)
    }

    /// Marks rows as running under their current leases. The marks are durable on return, except in an open group.
    pub(super) fn mark_running(&mut self, rows: &[EffectRow]) -> Result<(), StoreError> {
        if rows.is_empty() {
            return Ok(());
        }
        self.processor
            .grouped(|processor| rows.iter().try_for_each(|row| mark(processor, row, EffectState::Running, row.due_at)))
    }

    /// Stores transitions: results and rows in one group.
    pub(super) fn record(
        &mut self,
        transitions: &[(EffectRow, EffectTransition)],
        now: Timestamp,
    ) -> Result<Vec<Report>, StoreError> {
        if transitions.is_empty() {
            return Ok(Vec::new());
        }
        let received: Vec<bool> = transitions.iter().map(|(row, _)| self.is_received(row)).collect();
        self.processor.grouped(|processor| {
            let mut reports = Vec::new();
            for ((row, transition), is_received) in transitions.iter().zip(received) {
                match transition {
                    EffectTransition::End(answer) => {
                        reports.extend(accept(processor, result(row, answer.clone(), false, now))?);
                        mark(processor, row, EffectState::Finished, row.due_at)?;
                    }
                    EffectTransition::Late(value) => {
                        reports.extend(accept(processor, result(row, Ok(value.clone()), true, now))?);
                        end_of_work(processor, row)?;
                    }
                    EffectTransition::Await => mark(processor, row, EffectState::Finished, row.due_at)?,
                    EffectTransition::GiveUp => end_of_work(processor, row)?,
                    EffectTransition::Deliver => {
                        // An earlier transition may have cancelled or replaced the effect.
                        let rows = processor.store().effect(&row.scope, &row.effect.key)?;
                        let queued = |it: &EffectRow| {
                            it.effect.generation == row.effect.generation && it.state == EffectState::Queued
                        };
                        if rows.iter().any(queued) {
                            if row.effect.kind == ERASE {
                                erase(processor, row)?;
                                continue;
                            }
                            if is_received {
                                reports.extend(deliver(processor, row, now)?);
                            }
                            mark(processor, row, EffectState::Finished, row.due_at)?;
                        }
                    }
                    EffectTransition::Retry(at) => mark(processor, row, EffectState::Queued, *at)?,
                    EffectTransition::Keep => mark(processor, row, EffectState::Running, row.due_at)?,
                }
            }
            Ok(reports)
        })
    }
}

/// Delivers a timer or message to its account; places a provider event like a received one.
fn deliver(processor: &mut Processor, row: &EffectRow, now: Timestamp) -> Result<Vec<Report>, StoreError> {
    if row.effect.kind != PROVIDER_EVENT {
        return accept(processor, delivery(row, now));
    }
    let provider_event = ProviderEvent::parse(&row.effect.payload).map_err(StoreError::Denied)?;
    let (Decoded { event, refusal, .. }, raw) =
        provider_event.into_inbox_event(&row.scope.business, row.scope.livemode, now);
    match refusal {
        Some(refusal) => processor.accept_refused(event, raw, refusal),
        None => processor.accept(event, raw),
    }
}

fn accept(processor: &mut Processor, event: Event) -> Result<Vec<Report>, StoreError> {
    processor.accept(event, Vec::new())
}

/// Erases the account of an effect and ends the effect, in one write. No event follows.
fn erase(processor: &mut Processor, row: &EffectRow) -> Result<(), StoreError> {
    let ended = marked(row, EffectState::Finished, row.due_at);
    processor.store_mut().apply(&Changes { erase: true, ..ended }).map(drop)
}

/// Removes the lease of a finished effect, so that a restarted host does not poll it.
fn end_of_work(processor: &mut Processor, row: &EffectRow) -> Result<(), StoreError> {
    let rows = processor.store().effect(&row.scope, &row.effect.key)?;
    let found = rows.into_iter().find(|it| it.effect.generation == row.effect.generation);
    let Some(mut row) = found.filter(|it| it.state == EffectState::Finished && it.lease.token.is_some()) else {
        return Ok(());
    };
    row.lease = Lease { number: row.lease.number, ..Lease::default() };
    mark(processor, &row, EffectState::Finished, row.due_at)
}

fn mark(processor: &mut Processor, row: &EffectRow, state: EffectState, due_at: Timestamp) -> Result<(), StoreError> {
    processor.store_mut().apply(&marked(row, state, due_at)).map(drop)
}

fn marked(row: &EffectRow, state: EffectState, due_at: Timestamp) -> Changes {
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
