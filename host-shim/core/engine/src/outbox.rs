//! Carries out effects: leases them, makes calls to providers and turns the answers into events. The caller passes in the time.
//!
//! Whoever makes a call takes its lease in the store when the call begins ([`Outbox::begin`]), and reports the answer under this lease
//! ([`Outbox::finish`]). This applies equally to a thread of this host and a worker on another machine, and to first calls, repeated
//! calls and polls. After a crash, [`Outbox::recover`] repeats a running effect under the same key with a higher lease number.

mod agenda;
mod done;
mod events;
mod far;
mod intervene;
mod queue;
mod quiet;
mod recorded;
mod rooms;
mod saved;
mod uses;

pub use done::each_done;
pub use far::LentReply;
pub use intervene::{InterveneError, Intervention, OpenEffect};
pub use queue::{DEFAULT_DELAYS_MS, retry_delay_ms};
pub use recorded::Recorded;
pub use rooms::Rooms;
pub use saved::Saved;
pub use uses::{ResourceUse, use_of};

use crate::processor::{Arrived, CONFLICTS_MAX, Processor, Report, WAIT_MAX_MS};
use agenda::{Agenda, AgendaEvent, AgendaState, EffectId, id_of};
use done::call_of;
use events::{failure, is_hosts_own};
use extension_contract::{Account, Actor, EffectFailure, EffectFailureClass, Timestamp};
use host_intake::Decoded;
use host_provider_api::{Call, CallOutcome, Registry, Reply};
use host_store::{ERASE, EffectRow, EffectState, Lease, StoreError, Stored};
use queue::{EffectTransition, Queue};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Maximum number of effects that run without the clock advancing; more count as a loop.
pub const EFFECTS_MAX: usize = 100_000;
/// Maximum duration of a call, in milliseconds: 5 minutes. A longer operation must report that it is in progress; a
/// call without an answer by then is retried under the same key.
pub const LEASE_MS: i64 = 300_000;
/// Time after the expiry of a lease during which only its host continues the effect, in milliseconds: 1 minute.
pub const GRACE_MS: i64 = 60_000;
/// Name of a host in leases, unless [`Outbox::set_owner`] sets a different one.
const OWNER: &str = "host";

/// The reason why the outbox stopped.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum OutboxError {
    /// The store failed. Started effects stay running until [`Outbox::recover`].
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Effects request further effects endlessly.
    #[error(
        "effects request effects without end: {executed} ran at {now}, the last was `{kind}` with key `{key}` of {scope}"
    )]
    Loop {
        /// Number of effects that ran.
        executed: usize,
        /// Time at which they ran, in milliseconds since the epoch.
        now: Timestamp,
        /// Kind of the last effect.
        kind: String,
        /// Key of the last effect.
        key: String,
        /// Scope of the last effect.
        scope: String,
    },
    /// Effects start only once their mark is durable. So they cannot start in an open group, unless every provider simulates.
    #[error("effects cannot run in an open group")]
    GroupOpen,
}

/// A processor with the providers that carry out its effects, in virtual or real time.
///
/// A concurrent host calls [`Outbox::begin`], makes the calls on any thread with a clone of the registry, and passes each reply to
/// [`Outbox::finish`]; during the calls neither the outbox nor the processor is borrowed. [`Outbox::run_until_quiet`] does all of this
/// in one call. For a worker on another machine, [`Outbox::remember`] and [`Outbox::take_answers`] read from the store what an outbox
/// otherwise keeps in memory.
pub struct Outbox {
    queue: Queue,
    registry: Registry,
    agenda: Agenda,
    /// Calls without an answer yet, by effect and lease.
    called: BTreeMap<(EffectId, u64), Called>,
    /// The calls among them whose answers could not be stored.
    unsaved: BTreeSet<(EffectId, u64)>,
    rooms: Rooms,
    round: Round,
    clock: Timestamp,
    fire_timers: bool,
    effects_max: usize,
    /// Name of this host in leases.
    owner: String,
}

/// A call without an answer yet.
#[derive(Clone, Debug)]
struct Called {
    row: EffectRow,
    /// Number of the provider, if its calls are counted.
    provider: Option<usize>,
}

/// How much one [`Outbox::begin`] does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Round {
    /// Maximum number of calls that begin together. With 0, none begins.
    pub calls: usize,
    /// Maximum number of effects that end together without a call.
    pub ends: usize,
}

impl Default for Round {
    /// 64 calls; in [`Outbox::run_until_quiet`] their results form one group.
    fn default() -> Self {
        Round { calls: 64, ends: usize::MAX }
    }
}

/// The result of [`Outbox::begin`].
#[derive(Debug, Default)]
pub struct Begun {
    /// Calls to make; pass each reply to [`Outbox::finish`].
    pub calls: Vec<Call>,
    /// Reports of timers, messages and effects that ended without an answer, and of the events that they woke.
    pub reports: Vec<Report>,
    /// Number of effects that changed, including the calls; 0 means that nothing more is due.
    pub moved: usize,
    /// True if only a part of an erasure was carried out: see [`Store::erase_part`](host_store::Store::erase_part).
    pub is_part: bool,
    /// The last changed effect.
    last: Option<EffectRow>,
}

/// The transition of an effect, and its next state in the agenda.
struct PlannedTransition {
    row: EffectRow,
    transition: EffectTransition,
    agenda: Option<AgendaState>,
}

impl Outbox {
    /// Creates an outbox without a time. After a restart call [`Outbox::recover`] first.
    pub fn new(processor: Processor, registry: Registry) -> Self {
        Outbox {
            queue: Queue::new(processor),
            registry,
            agenda: Agenda::default(),
            called: BTreeMap::new(),
            unsaved: BTreeSet::new(),
            rooms: Rooms::default(),
            round: Round::default(),
            clock: Timestamp::MIN,
            fire_timers: true,
            effects_max: EFFECTS_MAX,
            owner: OWNER.to_owned(),
        }
    }

    /// Sets the name of this host in leases, if several hosts use one store. The name must be the same after a restart, and no
    /// other host may have it.
    pub fn set_owner(&mut self, owner: &str) {
        owner.clone_into(&mut self.owner);
    }

    /// Sets whether `timer.at` effects fire (the default) or stay in the outbox.
    pub fn set_fire_timers(&mut self, fire_timers: bool) {
        self.fire_timers = fire_timers;
    }

    /// Sets the accounts that receive messages; a message to another account ends without an event. Without a list, every account
    /// receives messages.
    pub fn set_receivers(&mut self, receivers: Option<BTreeSet<Account>>) {
        self.queue.set_receivers(receivers);
    }

    /// Sets a limit other than [`EFFECTS_MAX`].
    pub fn set_effects_max(&mut self, effects_max: usize) {
        self.effects_max = effects_max;
    }

    /// Sets how much one [`Outbox::begin`] does.
    pub fn set_round(&mut self, round: Round) {
        self.round = round;
    }

    /// Begins no further calls: the host is about to stop, and another host, or this one after its restart, will make them. Answers to
    /// calls that have begun are still accepted.
    pub fn leave(&mut self) {
        self.round.calls = 0;
    }

    /// Returns the processor.
    pub fn processor(&self) -> &Processor {
        self.queue.processor()
    }

    /// Returns the processor, for questions, redrives and groups.
    pub fn processor_mut(&mut self) -> &mut Processor {
        self.queue.processor_mut()
    }

    /// Returns the providers; a clone can make calls on another thread.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Returns the providers, so that some can be registered or replaced.
    pub fn registry_mut(&mut self) -> &mut Registry {
        &mut self.registry
    }

    /// Returns the latest time passed in by a caller, in milliseconds since the epoch.
    pub fn clock(&self) -> Timestamp {
        self.clock
    }

    /// Consumes the outbox and returns processor and providers. Outstanding answers are lost, as in a crash.
    pub fn into_parts(self) -> (Processor, Registry) {
        (self.queue.into_processor(), self.registry)
    }

    /// Returns true if a call has no answer yet.
    pub fn has_calls(&self) -> bool {
        !self.called.is_empty()
    }

    /// Accepts an event; see [`Processor::accept`]. Its effects run with the next [`Outbox::begin`].
    ///
    /// # Errors
    /// Fails if the store fails or denies the event.
    pub fn accept(&mut self, event: impl Into<Decoded>, raw: Vec<u8>) -> Result<Vec<Report>, OutboxError> {
        let decoded = event.into();
        self.clock = self.clock.max(decoded.event.received_at);
        Ok(self.processor_mut().accept(decoded, raw)?)
    }

    /// Accepts events; see [`Processor::accept_all`].
    ///
    /// # Errors
    /// Fails if the store fails.
    pub fn accept_all(&mut self, arrived: Vec<Arrived>) -> Result<Vec<Stored<Vec<Report>>>, OutboxError> {
        let newest = arrived.iter().map(|one| one.decoded.event.received_at).max();
        self.clock = newest.map_or(self.clock, |newest| self.clock.max(newest));
        Ok(self.processor_mut().accept_all(arrived)?)
    }

    /// Recovers after a restart: the next [`Outbox::begin`] repeats or polls each running effect under its key, or ends
    /// it if its deadline has passed. Restores the state of simulations. Effects whose lease another host holds stay
    /// with that host. Answers that could not be stored are given up.
    ///
    /// # Errors
    /// Fails in an open group, or if the store fails.
    pub fn recover(&mut self, now: Timestamp) -> Result<(), OutboxError> {
        if self.processor().in_group() {
            return Err(OutboxError::GroupOpen);
        }
        self.clock = self.clock.max(now);
        if self.registry.forgot() {
            self.restore_simulations()?;
        }
        for call in std::mem::take(&mut self.unsaved) {
            self.called.remove(&call);
            if self.agenda.lease(&call.0) == Some(call.1) {
                self.agenda.take(&call.0);
            }
        }
        self.take_over(now)?;
        for mut row in self.queue.awaited()? {
            if is_worth_polling(&row, now) {
                row.lease.until = Some(row.due_at.max(now));
                self.agenda.add_poll(row);
            }
        }
        Ok(())
    }

    /// Takes over the running effects that no host carries out: the next [`Outbox::begin`] repeats or polls them.
    ///
    /// # Errors
    /// Fails in an open group, or if the store fails.
    pub fn take_over(&mut self, now: Timestamp) -> Result<(), OutboxError> {
        if self.processor().in_group() {
            return Err(OutboxError::GroupOpen);
        }
        let mut running = self.queue.running()?;
        running.retain(|row| !self.agenda.has(row) && !is_held_by_other(&row.lease, &self.owner, now));
        let owner = &self.owner;
        let taken = self.queue.take(running, |row| {
            row.lease.number += 1;
            row.lease.owner = Some(owner.clone());
            let poll_at = row.lease.token.as_ref().map(|_| row.due_at);
            row.lease.until = Some(poll_at.map_or(now, |at| at.max(now)));
        })?;
        for row in taken {
            self.agenda.add(row, AgendaState::ToCall);
        }
        Ok(())
    }

    /// Restores simulations from the successful calls in the inbox.
    fn restore_simulations(&self) -> Result<(), StoreError> {
        self.each_done(&mut |call, outputs| {
            if let Some(simulation) = self.registry.simulation(&call.kind) {
                simulation.remember(call, outputs);
            }
        })
    }

    /// Visits every successful call in the inbox with its outputs, in the order of the results.
    ///
    /// # Errors
    /// Fails if the store fails.
    pub fn each_done(&self, visit: &mut dyn FnMut(&Call, &Value)) -> Result<(), StoreError> {
        each_done(self.processor().store(), Some(self.processor().partition()), visit)
    }

    /// Begins some of the effects that are due at `now`, and returns the calls to make. Each called effect is marked as running, with
    /// its lease, before this function returns.
    ///
    /// Effects that need no call end here. One `begin` either returns calls or ends effects, so that results of simulations are stored
    /// in the order in which their effects became due. The calls of real providers begin in turn by account.
    ///
    /// # Errors
    /// Fails if the store fails, or in an open group unless every provider simulates.
    pub fn begin(&mut self, now: Timestamp) -> Result<Begun, OutboxError> {
        if self.processor().in_group() && !self.registry.is_simulation() {
            return Err(OutboxError::GroupOpen);
        }
        self.clock = self.clock.max(now);
        for _ in 0..CONFLICTS_MAX {
            if let Some(begun) = self.begin_once(now)? {
                return Ok(begun);
            }
        }
        Ok(Begun::default())
    }

    /// Like [`Outbox::begin`], once. Returns none if another host has taken everything that was due.
    fn begin_once(&mut self, now: Timestamp) -> Result<Option<Begun>, OutboxError> {
        let mut started = self.agenda.first_due(now, self.is_blocked());
        if started.first().is_some_and(|(event, _)| !event.is_call()) {
            started.truncate(self.round.ends);
            return self.end_some(started, now).map(Some);
        }
        // Simulations answer at once, so the results are stored in the order in which the effects became due.
        let is_simulation = self.registry.is_simulation() && self.round.calls > 0;
        if is_simulation && !started.is_empty() {
            return self.begin_some(started, &[], now);
        }
        let mut due = match is_simulation {
            true => self.queue.due(now, self.fire_timers, self.round.calls)?,
            false => self.queue.due_in_turn(now, self.fire_timers, &self.busy())?,
        };
        if due.first().is_some_and(|row| !row.needs_call(now)) {
            return self.end_without_call(due, now).map(Some);
        }
        due.truncate(due.iter().take_while(|row| row.needs_call(now)).count());
        let of_row = |row: &EffectRow| (row.effect.kind.clone(), row.scope.name());
        let waiting: Vec<(String, String)> = started.iter().map(|(_, row)| row).chain(&due).map(of_row).collect();
        let waiting: Vec<(&str, &str)> = waiting.iter().map(|(kind, scope)| (kind.as_str(), scope.as_str())).collect();
        let chosen = self.rooms.choose(&self.registry, &waiting, self.round.calls);
        if chosen.is_empty() {
            return Ok(Some(Begun::default()));
        }
        let (of_agenda, of_queue): (Vec<usize>, Vec<usize>) = chosen.into_iter().partition(|at| *at < started.len());
        let of_queue: Vec<u64> = of_queue.into_iter().map(|at| due[at - started.len()].seq).collect();
        let of_agenda = of_agenda.into_iter().map(|at| started[at].clone()).collect();
        self.begin_some(of_agenda, &of_queue, now)
    }

    /// Returns a predicate for effects whose calls may not begin now.
    fn is_blocked(&self) -> impl Fn(&EffectRow) -> bool {
        move |row| self.round.calls == 0 || !self.rooms.has_room(&self.registry, &row.effect.kind, &row.scope.name())
    }

    /// Returns the kinds of effects whose calls may not begin now.
    fn busy(&self) -> Vec<String> {
        let kinds = self.processor().declared().effects().keys();
        kinds.filter(|kind| self.round.calls == 0 || self.rooms.is_busy(&self.registry, kind)).cloned().collect()
    }

    /// Ends leases that have expired, and effects whose deadlines have passed.
    fn end_some(&mut self, events: Vec<(AgendaEvent, EffectRow)>, now: Timestamp) -> Result<Begun, OutboxError> {
        let (mut begun, mut planned, mut polls) = (Begun::default(), Vec::new(), Vec::new());
        for (event, row) in events {
            self.agenda.remove(event, &row);
            begun.add(&row);
            if event == AgendaEvent::LeaseExpired {
                planned.push(self.lost_answer(row, now));
                continue;
            }
            polls.extend(row.lease.token.is_some().then(|| row.clone()));
            planned.push(timed_out(row));
        }
        begun.reports = self.apply(planned, now)?;
        for row in polls {
            self.agenda.add_poll(row);
        }
        Ok(begun)
    }

    /// Leases effects and begins their calls: polls and repeated calls from the agenda, and due effects by number. Returns none if
    /// another host has taken all of them.
    fn begin_some(
        &mut self,
        of_agenda: Vec<(AgendaEvent, EffectRow)>,
        of_queue: &[u64],
        now: Timestamp,
    ) -> Result<Option<Begun>, OutboxError> {
        let mut leased = self.lease_again(of_agenda, now)?;
        let due = self.queue.lease(&self.owner, now, of_queue)?;
        leased.extend(due.into_iter().map(|row| (AgendaEvent::Call, row)));
        if leased.is_empty() {
            return Ok(None);
        }
        let (mut begun, mut planned) = (Begun::default(), Vec::new());
        for (event, row) in leased {
            begun.add(&row);
            match self.call(&row) {
                Ok(call) => {
                    if event == AgendaEvent::Call {
                        self.agenda.add(row.clone(), AgendaState::Called);
                    }
                    let provider = self.rooms.enter(&self.registry, &call.kind, &call.scope);
                    self.called.insert((id_of(&call), call.lease), Called { row, provider });
                    begun.calls.push(call);
                }
                Err(failure) if event == AgendaEvent::Call => planned.push(ended(row, Err(failure))),
                Err(_) => {}
            }
        }
        begun.reports = self.apply(planned, now)?;
        Ok(Some(begun))
    }

    /// Leases effects of the agenda for their next calls, and returns them in order. Omits those that another host has taken in the
    /// meantime.
    fn lease_again(
        &mut self,
        of_agenda: Vec<(AgendaEvent, EffectRow)>,
        now: Timestamp,
    ) -> Result<Vec<(AgendaEvent, EffectRow)>, StoreError> {
        let until = Some(now.saturating_add(LEASE_MS));
        let is_poll = |event: &AgendaEvent| *event == AgendaEvent::Poll;
        let open = of_agenda.iter().filter(|(event, _)| !is_poll(event)).map(|(_, row)| row.clone()).collect();
        let owner = &self.owner;
        let taken = self.queue.take(open, |row| {
            row.lease.until = until;
            row.lease.owner = Some(owner.clone());
        })?;
        let leased = |row: &EffectRow| EffectRow { lease: Lease { until, ..row.lease.clone() }, ..row.clone() };
        let polls = of_agenda.iter().filter(|(event, _)| is_poll(event));
        let polls: Vec<_> = polls.map(|(_, row)| (leased(row), EffectTransition::Await)).collect();
        self.queue.record(&polls, now)?;
        let (mut taken, mut polls) = (taken.into_iter().peekable(), polls.into_iter());
        let mut again = Vec::with_capacity(of_agenda.len());
        for (event, row) in of_agenda {
            self.agenda.remove(event, &row);
            let leased = match is_poll(&event) {
                true => polls.next().map(|(row, _)| row),
                false => taken.next_if(|next| next.seq == row.seq),
            };
            again.extend(leased.map(|row| (event, row)));
        }
        Ok(again)
    }

    /// Ends the first of these due effects, up to one that needs a call: timers, messages, and effects after their deadlines. The
    /// deadline of an effect that waits for an earlier one with the same ordering key is checked when its turn comes.
    fn end_without_call(&mut self, due: Vec<EffectRow>, now: Timestamp) -> Result<Begun, OutboxError> {
        let (mut begun, mut planned) = (Begun::default(), Vec::new());
        for row in due.into_iter().take_while(|row| !row.needs_call(now)).take(self.round.ends) {
            begun.add(&row);
            if row.effect.kind == ERASE && self.queue.erase_part(&row)? {
                begun.is_part = true;
                break;
            }
            planned.push(match is_hosts_own(&row.effect.kind) {
                true => PlannedTransition { row, transition: EffectTransition::Deliver, agenda: None },
                false => timed_out(row),
            });
        }
        begun.reports = self.apply(planned, now)?;
        Ok(begun)
    }

    /// Accepts replies; stores results and rows in one group. An answer under an expired lease, or to an effect that
    /// has ended, is late: a late success becomes a separate event, and a late failure is ignored. An unexpected or
    /// repeated answer is ignored.
    ///
    /// # Errors
    /// Fails if the store fails. Nothing of the replies is then stored, and they can be passed in again.
    pub fn finish(&mut self, replies: Vec<(Call, Reply)>, now: Timestamp) -> Result<Vec<Report>, OutboxError> {
        self.clock = self.clock.max(now);
        let (mut planned, mut polls, mut before) = (Vec::new(), Vec::new(), Vec::new());
        for (call, reply) in replies {
            let id = id_of(&call);
            let Some(Called { row, provider }) = self.called.remove(&(id.clone(), call.lease)) else { continue };
            if let Some(provider) = provider {
                self.rooms.leave(provider, &call.scope);
            }
            self.unsaved.remove(&(id.clone(), call.lease));
            let is_in_time = self.agenda.lease(&id) == Some(call.lease);
            before.push((id.clone(), call.lease, row.clone(), is_in_time));
            if is_in_time {
                self.agenda.take(&id);
                planned.push(self.judge(row, reply, now));
                continue;
            }
            match reply {
                Reply::Answer(CallOutcome::Done(value)) => {
                    planned.push(PlannedTransition { row, transition: EffectTransition::Late(value), agenda: None });
                }
                Reply::Answer(CallOutcome::InProgress { after_ms, token })
                    if is_worth_polling(&row, now) && self.has_ended(&row)? =>
                {
                    let row = in_progress(row, after_ms, token, now);
                    polls.push(row.clone());
                    planned.push(PlannedTransition { row, transition: EffectTransition::Await, agenda: None });
                }
                Reply::Answer(_) => {
                    planned.push(PlannedTransition { row, transition: EffectTransition::GiveUp, agenda: None });
                }
                Reply::Silence { .. } => {}
            }
        }
        let applied = self.apply(planned, now);
        if applied.is_err() {
            for (id, lease, row, is_in_time) in before {
                if is_in_time {
                    self.agenda.add(row.clone(), AgendaState::Called);
                }
                self.unsaved.insert((id.clone(), lease));
                self.called.insert((id, lease), Called { row, provider: None });
            }
        }
        let reports = applied?;
        for row in polls {
            self.agenda.add_poll(row);
        }
        Ok(reports)
    }

    /// Returns true if an effect has ended since its row was read.
    fn has_ended(&self, row: &EffectRow) -> Result<bool, StoreError> {
        let found = self.queue.row(&row.scope, &row.effect.key, row.effect.generation)?;
        Ok(found.is_some_and(|row| row.state == EffectState::Finished))
    }

    /// Advances the time to `until`, with everything running at its due time, in order. Then gives up events that have waited too long.
    ///
    /// # Errors
    /// Fails like [`Outbox::run_until_quiet`].
    pub fn advance_to(&mut self, until: Timestamp) -> Result<Vec<Report>, OutboxError> {
        let mut reports = Vec::new();
        if self.clock < until {
            if self.clock > Timestamp::MIN {
                reports.extend(self.run_until_quiet(self.clock)?);
            }
            while let Some(next) = self.next_time()?.filter(|next| *next < until) {
                reports.extend(self.run_until_quiet(next)?);
            }
        }
        reports.extend(self.run_until_quiet(self.clock.max(until))?);
        let now = self.clock;
        reports.extend(self.processor_mut().expire(now)?);
        Ok(reports)
    }

    /// Returns the time of the next effect, timer, retry, poll, deadline or lease expiry, or the time at which a provider has capacity
    /// again.
    ///
    /// # Errors
    /// Fails if the store fails.
    pub fn next_time(&self) -> Result<Option<Timestamp>, OutboxError> {
        let kinds = self.processor().declared().effects().keys();
        let room = self.rooms.wait_ms(&self.registry, kinds).filter(|_| self.round.calls > 0);
        let room = room.map(|wait_ms| self.clock.saturating_add(wait_ms));
        self.next_of([self.agenda.next(self.clock, self.is_blocked()), room].into_iter().flatten().min())
    }

    /// Like [`Outbox::next_time`], without polls: a provider works in real time, so advancing the host's clock does not
    /// speed it up.
    ///
    /// # Errors
    /// Fails if the store fails.
    pub fn next_time_without_polls(&self) -> Result<Option<Timestamp>, OutboxError> {
        self.next_of(self.agenda.next_without_polls())
    }

    fn next_of(&self, begun: Option<Timestamp>) -> Result<Option<Timestamp>, OutboxError> {
        let after = self.clock;
        let effect = self.queue.next_due(after)?;
        let event = self.processor().next_retry(after)?;
        let begun = begun.map(|at| at.max(after.saturating_add(1)));
        Ok([effect, event, begun].into_iter().flatten().min())
    }

    fn judge(&self, row: EffectRow, reply: Reply, now: Timestamp) -> PlannedTransition {
        match reply {
            Reply::Answer(CallOutcome::Done(value)) => ended(row, Ok(value)),
            Reply::Answer(CallOutcome::Refused { code, message }) => {
                ended(row, Err(failure(EffectFailureClass::Final, &code, message)))
            }
            Reply::Answer(CallOutcome::Retry { after_ms, code, message }) => {
                self.retry_or_fail(row, after_ms, failure(EffectFailureClass::Transient, &code, message), now)
            }
            Reply::Answer(CallOutcome::InProgress { after_ms, token }) => {
                let row = in_progress(row, after_ms, token, now);
                PlannedTransition { row, transition: EffectTransition::Keep, agenda: Some(AgendaState::ToCall) }
            }
            Reply::Silence { lease_ms: Some(lease_ms) } if lease_ms <= 0 => self.lost_answer(row, now),
            Reply::Silence { lease_ms } => {
                let mut row = row;
                row.lease.until = lease_ms.map(|lease_ms| now.saturating_add(lease_ms));
                PlannedTransition { row, transition: EffectTransition::Keep, agenda: Some(AgendaState::Called) }
            }
        }
    }

    /// Handles a lease that expired without an answer.
    fn lost_answer(&self, row: EffectRow, now: Timestamp) -> PlannedTransition {
        let message = "no attempt got an answer; what was done is not known";
        self.retry_or_fail(row, None, failure(EffectFailureClass::TimedOut, "lost-answer", message), now)
    }

    /// Plans a retry, at the latest at the deadline, if the policy allows another attempt; otherwise ends the effect with `failure`.
    fn retry_or_fail(
        &self,
        row: EffectRow,
        after_ms: Option<i64>,
        failure: EffectFailure,
        now: Timestamp,
    ) -> PlannedTransition {
        let Some(delay) = self.queue.retry_delay_ms(&row) else {
            return ended(row, Err(failure));
        };
        let at = now.saturating_add(after_ms.unwrap_or(delay).max(1));
        let at = row.effect.deadline.map_or(at, |deadline| at.min(deadline.max(now)));
        PlannedTransition { row: without_lease(row), transition: EffectTransition::Retry(at), agenda: None }
    }

    /// Stores transitions, then puts the effects that continue into the agenda.
    fn apply(&mut self, planned: Vec<PlannedTransition>, now: Timestamp) -> Result<Vec<Report>, OutboxError> {
        let mut agenda_states = Vec::with_capacity(planned.len());
        let mut transitions = Vec::with_capacity(planned.len());
        for planned in planned {
            agenda_states.push(planned.agenda);
            transitions.push((planned.row, planned.transition));
        }
        let (reports, stored) = self.queue.record(&transitions, now)?;
        for (((row, _), state), is_stored) in transitions.into_iter().zip(agenda_states).zip(stored) {
            if let Some(state) = state.filter(|_| is_stored) {
                self.agenda.add(row, state);
            }
        }
        Ok(reports)
    }

    fn call(&self, row: &EffectRow) -> Result<Call, EffectFailure> {
        call_of(row, self.registry.secret_access())
    }
}

impl Begun {
    fn add(&mut self, row: &EffectRow) {
        self.moved += 1;
        self.last = Some(row.clone());
    }
}

/// Returns true for an ended effect whose deadline, or without a deadline its creation, is less than [`WAIT_MAX_MS`] ago.
fn is_worth_polling(row: &EffectRow, now: Timestamp) -> bool {
    now < row.effect.deadline.unwrap_or(row.created_at).saturating_add(WAIT_MAX_MS)
}

/// True if another host holds the lease. The lease counts for some time after it has expired, because its holder may still be calling
/// or polling. A holder that returns later can no longer end the effect.
fn is_held_by_other(lease: &Lease, owner: &str, now: Timestamp) -> bool {
    let is_of_other = lease.owner.as_deref().is_some_and(|name| name != owner);
    is_of_other && lease.until.is_none_or(|until| now < until.saturating_add(GRACE_MS))
}

fn ended(row: EffectRow, answer: Result<Value, EffectFailure>) -> PlannedTransition {
    PlannedTransition {
        row: without_lease(row),
        transition: EffectTransition::End { answer, by: Actor::system() },
        agenda: None,
    }
}

fn timed_out(row: EffectRow) -> PlannedTransition {
    let message = match row.attempts {
        0 => "the deadline passed before it began".to_owned(),
        attempts => format!("the deadline passed after {attempts} attempts; what was done is not known"),
    };
    let answer = Err(failure(EffectFailureClass::TimedOut, "deadline", message));
    // A provider that is still working on the effect is polled later, even by a restarted host.
    let row = if row.lease.token.is_some() { row } else { without_lease(row) };
    PlannedTransition { row, transition: EffectTransition::End { answer, by: Actor::system() }, agenda: None }
}

/// Ends the lease, but keeps its number, so that the next lease has a higher one.
fn without_lease(mut row: EffectRow) -> EffectRow {
    row.lease = Lease { number: row.lease.number, ..Lease::default() };
    row
}

/// Sets the token and the time of the next poll, at least 1 ms ahead. The effect is due at this time; the lease lasts longer while the
/// poll is made, so that a restarted host knows that it was made.
fn in_progress(mut row: EffectRow, after_ms: i64, token: String, now: Timestamp) -> EffectRow {
    row.due_at = now.saturating_add(after_ms.max(1));
    row.lease = Lease { until: Some(row.due_at), token: Some(token), ..row.lease };
    row
}
