//! Carries out everything that is due: leases effects, makes their calls and reports the answers. Calls to simulations are made one by
//! one, and calls to real providers concurrently, each on its own thread.

use super::{Begun, Outbox, OutboxError};
use crate::processor::Report;
use extension_contract::Timestamp;
use host_provider_api::{Call, Reply};
use host_store::EffectRow;
use std::sync::mpsc;
use std::thread;

/// No further calls start while at least this many calls are open.
const CALLS_MAX: usize = 64;
/// Maximum number of waiting effects that are searched for the next attempt.
const SEARCHED_MAX: usize = 1024;

impl Outbox {
    /// Runs everything that is due at `now`, including retries of events, until nothing is due. Follow-up effects start while other
    /// calls are running, so this takes as long as the longest chain of calls. Returns the reports of results, timers and messages, and
    /// of the events that they woke.
    ///
    /// # Errors
    /// Fails if the store fails, if effects request further effects endlessly, or in an open group unless every provider simulates.
    pub fn run_until_quiet(&mut self, now: Timestamp) -> Result<Vec<Report>, OutboxError> {
        let is_simulation = self.registry.is_simulation();
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
                let mut replies = Vec::new();
                for call in begun.calls {
                    if is_simulation {
                        let reply = self.registry.call(&call);
                        replies.push((call, reply));
                        continue;
                    }
                    let (registry, answer) = (self.registry.clone(), answer.clone());
                    open += 1;
                    scope.spawn(move || {
                        let reply = registry.call(&call);
                        // After a store failure, there is no receiver.
                        let _ = answer.send((call, reply));
                    });
                }
                if open > 0 && (is_quiet || open >= CALLS_MAX) {
                    replies.extend(answers.recv().ok());
                    replies.extend(answers.try_iter());
                    open -= replies.len();
                }
                reports.extend(self.finish(replies, now)?);
            }
        })
    }

    /// Fails if more than the maximum number of effects ran at one time.
    fn check_end(&self, executed: usize, now: Timestamp, last: Option<EffectRow>) -> Result<(), OutboxError> {
        match last.filter(|_| executed > self.effects_max) {
            Some(row) => {
                let (kind, key, scope) = (row.effect.kind, row.effect.key, row.scope.name());
                Err(OutboxError::Loop { executed, now, kind, key, scope })
            }
            None => Ok(()),
        }
    }

    /// Returns the time of the next poll or retry of a real provider, that is, one that does not simulate, or of a call that waits for
    /// capacity. Ignores effects whose calls never end ([`Registry::ends`](host_provider_api::Registry::ends)).
    ///
    /// # Errors
    /// Fails if the store fails.
    pub fn next_call(&self) -> Result<Option<Timestamp>, OutboxError> {
        let is_real = |row: &EffectRow| {
            let kind = &row.effect.kind;
            self.registry.ends(kind) && self.registry.simulation(kind).is_none()
        };
        let poll = self.agenda.calls().filter(|(row, _)| is_real(row)).map(|(_, at)| at).min();
        let wait_ms = self.rooms.wait_ms(&self.registry, self.processor().declared().effects().keys());
        // Whatever is due but has not begun is waiting for its provider to have capacity.
        let begins = |row: EffectRow| match wait_ms.filter(|_| row.due_at <= self.clock) {
            Some(wait_ms) => Some(self.clock.saturating_add(wait_ms)),
            None => (row.attempts > 0).then_some(row.due_at),
        };
        let due = self.queue.due(Timestamp::MAX, false, SEARCHED_MAX)?;
        let retry = due.into_iter().filter(is_real).filter_map(begins).min();
        Ok(poll.into_iter().chain(retry).min())
    }
}
