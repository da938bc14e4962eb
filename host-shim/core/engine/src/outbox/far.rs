//! Lets a worker on another machine make the calls. The outbox of a request keeps nothing in memory for the next one: it reads from
//! the store what the outbox of a running host remembers, and leases and finishes effects in the same way.

use super::agenda::{AgendaEvent, AgendaState, id_of};
use super::events::result;
use super::{Begun, Called, Outbox, OutboxError, call_of, is_worth_polling};
use crate::processor::{Processor, Report};
use extension_contract::{Payload, Timestamp};
use host_provider_api::{Call, CallOutcome, Provider, Registry, Reply, Room, SecretAccess};
use host_store::{EFFECT_RESULTS, EffectRow, EffectState, Scope};
use std::sync::Arc;

/// Maximum number of calls of one account that begin per request.
const OF_ACCOUNT: usize = 4;

/// The worker, as far as the outbox knows it.
struct Worker;

impl Provider for Worker {
    /// Leaves the effect to the worker, since nobody makes its calls here.
    fn call(&self, _: &Call) -> CallOutcome {
        CallOutcome::Retry { after_ms: None, code: "worker".to_owned(), message: "a worker makes this call".to_owned() }
    }

    fn room(&self) -> Room {
        Room { at_once: usize::MAX, per_account: OF_ACCOUNT, ..Room::default() }
    }
}

/// An answer of a worker to a call.
#[derive(Debug)]
pub struct LentReply {
    /// Scope that requested the effect.
    pub scope: Scope,
    /// Key of the effect.
    pub key: String,
    /// Generation of the effect.
    pub generation: u32,
    /// Number of the lease under which the call was made.
    pub lease: u64,
    /// The answer.
    pub reply: Reply,
}

impl Outbox {
    /// Creates the outbox for one request of a worker, which makes the calls.
    pub fn of_worker(processor: Processor) -> Outbox {
        Outbox::new(processor, Registry::with_default(Arc::new(Worker)))
    }

    /// Reads the running effects from the store: [`Outbox::begin`] and [`Outbox::next_time`] then treat them as if this
    /// outbox had begun them.
    ///
    /// # Errors
    /// Fails if the store fails, or in an open group.
    pub fn remember(&mut self, now: Timestamp) -> Result<(), OutboxError> {
        if self.processor().in_group() {
            return Err(OutboxError::GroupOpen);
        }
        self.clock = self.clock.max(now);
        for row in self.queue.running()? {
            if let Some((number, _)) = self.registry.room(&row.effect.kind) {
                self.rooms.give_turn(number, &row.scope.name());
            }
            if !self.agenda.has(&row) {
                let is_waiting = row.lease.token.is_some();
                self.agenda.add(row, if is_waiting { AgendaState::ToCall } else { AgendaState::Called });
            }
        }
        let awaited = self.queue.awaited()?;
        awaited.into_iter().filter(|row| is_worth_polling(row, now)).for_each(|row| self.agenda.add_poll(row));
        Ok(())
    }

    /// Repeats the calls that this worker had begun before it stopped, because their results are unknown.
    ///
    /// # Errors
    /// Fails if the store fails, or in an open group.
    pub fn begin_again(&mut self, now: Timestamp) -> Result<Begun, OutboxError> {
        self.clock = self.clock.max(now);
        self.take_over(now)?;
        let is_due = |row: &EffectRow, at| at <= now && row.effect.deadline.is_none_or(|deadline| deadline > now);
        let due = self.agenda.calls().filter(|(row, at)| is_due(row, *at));
        let due = due.map(|(row, _)| (AgendaEvent::Call, row.clone())).collect();
        Ok(self.begin_some(due, &[], now)?.unwrap_or_default())
    }

    /// Returns true if the result of an ended effect is this success: the worker did not learn that its answer was stored.
    fn is_recorded(&self, row: &EffectRow, reply: &Reply) -> Result<bool, OutboxError> {
        let Reply::Answer(CallOutcome::Done(outputs)) = reply else { return Ok(false) };
        let id = result(row, Ok(outputs.clone()), false, row.due_at).id;
        let recorded = self.processor().store().event(&row.scope.partition(), EFFECT_RESULTS, &id)?;
        Ok(recorded.is_some_and(|recorded| match recorded.event.payload {
            Payload::EffectResult(report) => report.answer == Ok(outputs.to_string()),
            _ => false,
        }))
    }

    /// Accepts the answers of a worker, as [`Outbox::finish`] does. An answer to an unknown effect, or one that was already accepted,
    /// is ignored.
    ///
    /// # Errors
    /// Fails if the store fails.
    pub fn take_answers(&mut self, answers: Vec<LentReply>, now: Timestamp) -> Result<Vec<Report>, OutboxError> {
        let mut replies = Vec::new();
        for LentReply { scope, key, generation, lease, reply } in answers {
            let Some(row) = self.queue.row(&scope, &key, generation)? else { continue };
            if self.is_recorded(&row, &reply)? {
                continue;
            }
            let Ok(mut call) = call_of(&row, SecretAccess::default()) else { continue };
            call.lease = lease;
            let id = id_of(&call);
            if row.state == EffectState::Running && row.lease.number == lease {
                self.agenda.take(&id);
                self.agenda.add(row.clone(), AgendaState::Called);
            }
            self.called.insert((id, lease), Called { row, provider: None });
            replies.push((call, reply));
        }
        self.finish(replies, now)
    }
}
