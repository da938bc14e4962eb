//! Calls to providers that take their time, several at once.

use super::{Begun, Outbox, OutboxError};
use crate::processor::Report;
use extension_contract::Timestamp;
use host_provider_api::{Call, Reply};
use host_store::EffectRow;
use std::sync::mpsc;
use std::thread;

/// Calls that are under way at a time, at most.
const CALLS_MAX: usize = 64;
/// Waiting effects that are looked through for the next attempt, at most.
const LOOKED_AT_MAX: usize = 1024;

impl Outbox {
    /// Runs everything that is due at `now` until nothing is left. Each call has a thread of its own, and what its answer leads
    /// to begins while others are under way; so it takes as long as the longest chain of calls.
    pub(super) fn run_at_once(&mut self, now: Timestamp) -> Result<Vec<Report>, OutboxError> {
        let (mut reports, mut executed, mut open) = (Vec::new(), 0, 0);
        let (answer, answers) = mpsc::channel::<(Call, Reply)>();
        thread::scope(|scope| {
            loop {
                let retried = self.processor_mut().retry_due(now)?;
                let begun = if open < CALLS_MAX { self.begin(now)? } else { Begun::default() };
                let is_quiet = retried.is_empty() && begun.moved == 0;
                if is_quiet && open == 0 {
                    return Ok(reports);
                }
                executed += begun.moved;
                self.check_end(executed, now, begun.last)?;
                reports.extend(retried);
                reports.extend(begun.reports);
                for call in begun.calls {
                    let (registry, answer) = (self.registry.clone(), answer.clone());
                    open += 1;
                    scope.spawn(move || {
                        let reply = registry.call(&call);
                        // Nobody listens any more after the store failed.
                        let _ = answer.send((call, reply));
                    });
                }
                if is_quiet || open >= CALLS_MAX {
                    let mut replies = Vec::from_iter(answers.recv().ok());
                    replies.extend(answers.try_iter());
                    open -= replies.len();
                    reports.extend(self.finish(replies, now)?);
                }
            }
        })
    }

    /// An error if so many effects ran at one time that there is no end of them.
    pub(super) fn check_end(
        &self,
        executed: usize,
        now: Timestamp,
        last: Option<EffectRow>,
    ) -> Result<(), OutboxError> {
        match last.filter(|_| executed > self.effects_max) {
            Some(row) => {
                let (kind, key, scope) = (row.effect.kind, row.effect.key, row.scope.name());
                Err(OutboxError::Loop { executed, now, kind, key, scope })
            }
            None => Ok(()),
        }
    }

    /// When a provider is called again that does something in the world: for a look at what is in progress, or an attempt
    /// after one that failed. Not one whose calls have no end ([`Registry::ends`](host_provider_api::Registry::ends)).
    pub fn next_call(&self) -> Result<Option<Timestamp>, OutboxError> {
        let acts = |row: &EffectRow| {
            let kind = &row.effect.kind;
            self.registry.ends(kind) && self.registry.simulation(kind).is_none()
        };
        let look = self.agenda.calls().filter(|(row, _)| acts(row)).map(|(_, at)| at).min();
        let failed = |row: &EffectRow| row.attempts > 0 && acts(row);
        let again = self.queue.due(Timestamp::MAX, false, LOOKED_AT_MAX)?;
        let again = again.into_iter().filter(failed).map(|row| row.due_at).min();
        Ok(look.into_iter().chain(again).min())
    }
}
