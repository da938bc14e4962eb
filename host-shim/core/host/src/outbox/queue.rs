//! The rows of the outbox: everything that reads or writes them, and brings results in, stands here.

use super::events::{delivery, result};
use super::policy::{DEFAULT_DELAYS_MS, retry_delay_ms};
use crate::processor::{Processor, Report};
use crate::provider_event::ProviderEvent;
use extension_contract::{Account, EffectFailure, Event, StoreError, Timestamp};
use host_intake::Decoded;
use host_store::{Changes, ERASE, EffectChange, EffectRow, EffectState, MESSAGE, PROVIDER_EVENT, Scope};
use serde_json::Value;
use std::collections::BTreeSet;

/// What becomes of a row.
pub(super) enum Step {
    /// It has ended; the result comes in.
    End(Result<Value, EffectFailure>),
    /// The host itself does it: it goes to its account, or to another one, as an event, or its account is erased.
    Deliver,
    /// It is tried again at this time.
    Retry(Timestamp),
    /// It goes on running, under the lease that it has now.
    Keep,
    /// It has ended before, and now its success is known.
    Late(Value),
}

/// The outbox's rows of one business in one mode, behind the processor that also takes the results in.
pub(super) struct Queue {
    processor: Processor,
    /// Accounts that take messages; none is all of them.
    receivers: Option<BTreeSet<Account>>,
}

impl Queue {
    pub(super) fn new(processor: Processor) -> Self {
        Queue { processor, receivers: None }
    }

    pub(super) fn set_receivers(&mut self, receivers: Option<BTreeSet<Account>>) {
        self.receivers = receivers;
    }

    /// False for a message to an account that takes none.
    fn is_taken(&self, row: &EffectRow) -> bool {
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

    /// Rows that may begin at `now`, in order.
    pub(super) fn due(&self, now: Timestamp, timers: bool, limit: usize) -> Result<Vec<EffectRow>, StoreError> {
        self.processor.store().effects_due(self.processor.partition(), now, timers, limit)
    }

    /// When the next row becomes due after a time.
    pub(super) fn next_due(&self, after: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        self.processor.store().next_due(self.processor.partition(), after)
    }

    /// Rows of this business and mode that run.
    pub(super) fn running(&self) -> Result<Vec<EffectRow>, StoreError> {
        self.processor.store().effects_running(self.processor.partition())
    }

    /// A row as it stands now.
    pub(super) fn row(&self, scope: &Scope, key: &str, generation: u32) -> Result<Option<EffectRow>, StoreError> {
        let rows = self.processor.store().effect(scope, key)?;
        Ok(rows.into_iter().find(|row| row.effect.generation == generation))
    }

    /// Milliseconds until a row that failed is tried again, as it says itself, else as its kind is declared; none if it
    /// is not.
    pub(super) fn retry_delay_ms(&self, row: &EffectRow) -> Option<i64> {
        let said = row.effect.retry.as_ref().or_else(|| self.processor.declared().retry(&row.effect.kind));
        retry_delay_ms(said.map_or(&DEFAULT_DELAYS_MS, |policy| &policy.delays_ms), row.attempts)
    }

    /// Mark rows as running under the leases that they have now. Outside of an open group that is durable.
    pub(super) fn mark_running(&mut self, rows: &[EffectRow]) -> Result<(), StoreError> {
        if rows.is_empty() {
            return Ok(());
        }
        self.processor
            .grouped(|processor| rows.iter().try_for_each(|row| mark(processor, row, EffectState::Running, row.due_at)))
    }

    /// Store what became of rows: results and rows together.
    pub(super) fn record(&mut self, steps: &[(EffectRow, Step)], now: Timestamp) -> Result<Vec<Report>, StoreError> {
        if steps.is_empty() {
            return Ok(Vec::new());
        }
        let taken: Vec<bool> = steps.iter().map(|(row, _)| self.is_taken(row)).collect();
        self.processor.grouped(|processor| {
            let mut reports = Vec::new();
            for ((row, step), is_taken) in steps.iter().zip(taken) {
                match step {
                    Step::End(answer) => {
                        reports.extend(accept(processor, result(row, answer.clone(), false, now))?);
                        mark(processor, row, EffectState::Finished, row.due_at)?;
                    }
                    Step::Late(value) => reports.extend(accept(processor, result(row, Ok(value.clone()), true, now))?),
                    Step::Deliver => {
                        // An effect before it may have cancelled or replaced it.
                        let rows = processor.store().effect(&row.scope, &row.effect.key)?;
                        let queued = |it: &EffectRow| {
                            it.effect.generation == row.effect.generation && it.state == EffectState::Queued
                        };
                        if rows.iter().any(queued) {
                            if row.effect.kind == ERASE {
                                erase(processor, row)?;
                                continue;
                            }
                            if is_taken {
                                reports.extend(deliver(processor, row, now)?);
                            }
                            mark(processor, row, EffectState::Finished, row.due_at)?;
                        }
                    }
                    Step::Retry(at) => mark(processor, row, EffectState::Queued, *at)?,
                    Step::Keep => mark(processor, row, EffectState::Running, row.due_at)?,
                }
            }
            Ok(reports)
        })
    }
}

/// A timer or a message goes to its account; what the provider told is placed like anything else of it.
fn deliver(processor: &mut Processor, row: &EffectRow, now: Timestamp) -> Result<Vec<Report>, StoreError> {
    if row.effect.kind != PROVIDER_EVENT {
        return accept(processor, delivery(row, now));
    }
    let told = ProviderEvent::parse(&row.effect.payload).map_err(StoreError::Denied)?;
    let (Decoded { event, refusal, .. }, raw) = told.take_in(&row.scope.business, row.scope.livemode, now);
    match refusal {
        Some(refusal) => processor.accept_refused(event, raw, refusal),
        None => processor.accept(event, raw),
    }
}

fn accept(processor: &mut Processor, event: Event) -> Result<Vec<Report>, StoreError> {
    processor.accept(event, Vec::new())
}

/// The account of an effect is erased and the effect has ended, in one write. Nobody is told: no event follows.
fn erase(processor: &mut Processor, row: &EffectRow) -> Result<(), StoreError> {
    let ended = marked(row, EffectState::Finished, row.due_at);
    processor.store_mut().apply(&Changes { erase: true, ..ended }).map(drop)
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
