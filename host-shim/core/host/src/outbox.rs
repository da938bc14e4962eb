//! Carries effects out: from the outbox to providers and back as events.
//!
//! An effect is begun only after that is durable, and its result comes into the inbox in the same group as the outbox
//! row is finished: a crash between the two leaves a running effect, which [`Outbox::recover`] repeats under the same
//! key. Who carries it out holds a lease with a number; a lease that ran out is taken again under a higher one. There
//! is no clock in here, the caller passes the time.
//!
//! The deadline of an effect that waits for the one before it (by ordering key) is judged when its turn comes.

mod agenda;
mod at_once;
mod done;
mod events;
mod policy;
mod queue;
mod saved;

pub use done::each_done;
pub use policy::{DEFAULT_DELAYS_MS, retry_delay_ms};
pub use saved::Saved;

use crate::processor::{Processor, Report, WAIT_MAX_MS};
use agenda::{Agenda, EffectId, Event as Happening, Stands, id_of};
use done::call_of;
use events::{failure, is_hosts_own};
use extension_contract::{Account, EffectFailure, EffectFailureClass, Event, StoreError, Timestamp};
use host_provider_api::{Call, CallOutcome, Registry, Reply};
use host_store::{EffectRow, EffectState, Lease};
use queue::{Queue, Step};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Most effects that run at one point in time before it counts as a loop.
pub const EFFECTS_MAX: usize = 100_000;
/// How long a call may take, in milliseconds: 5 minutes. What takes longer is in progress; what says nothing by then
/// is called again under the same key.
pub const LEASE_MS: i64 = 300_000;
/// Effects that are begun together; in [`Outbox::run_until_quiet`] their results come in one group.
const ROUND: usize = 64;

/// Why the outbox stopped.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum OutboxError {
    /// The store failed. What was begun stays running until [`Outbox::recover`].
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Effects ask for effects without end.
    #[error("no end after {executed} effects at {now}: the last was `{kind}` with key `{key}` of {scope}")]
    Loop {
        /// Effects that ran.
        executed: usize,
        /// Time at which they ran, in milliseconds since the epoch.
        now: Timestamp,
        /// Kind of the last.
        kind: String,
        /// Key of the last.
        key: String,
        /// Who asked for the last.
        scope: String,
    },
    /// An effect may be begun only after that is durable, so not in an open group, unless every provider simulates.
    #[error("effects cannot run in an open group")]
    GroupOpen,
}

/// A processor with the providers that carry its effects out, in virtual or real time.
///
/// A host that does several things at a time calls [`Outbox::begin`], makes the calls wherever it likes with a clone of
/// the registry, and gives each answer to [`Outbox::finish`]; nothing of the outbox or the processor is held meanwhile.
/// [`Outbox::run_until_quiet`] does the same one by one.
pub struct Outbox {
    queue: Queue,
    registry: Registry,
    agenda: Agenda,
    /// Calls whose answer has not come, by effect and lease.
    called: BTreeMap<(EffectId, u64), EffectRow>,
    clock: Timestamp,
    fire_timers: bool,
    effects_max: usize,
}

/// What [`Outbox::begin`] did.
#[derive(Debug, Default)]
pub struct Begun {
    /// Calls to be made; each answer goes to [`Outbox::finish`].
    pub calls: Vec<Call>,
    /// Timers, messages and ends without an answer, and the events that these woke.
    pub reports: Vec<Report>,
    /// Effects that it moved on, the calls among them; with none, nothing more is due.
    pub moved: usize,
    /// The last of them.
    last: Option<EffectRow>,
}

/// What follows from an answer, or from none.
struct Judged {
    row: EffectRow,
    step: Step,
    stands: Option<Stands>,
}

impl Outbox {
    /// An outbox whose clock has not begun. After a restart call [`Outbox::recover`] first.
    pub fn new(processor: Processor, registry: Registry) -> Self {
        Outbox {
            queue: Queue::new(processor),
            registry,
            agenda: Agenda::default(),
            called: BTreeMap::new(),
            clock: Timestamp::MIN,
            fire_timers: true,
            effects_max: EFFECTS_MAX,
        }
    }

    /// Whether `timer.at` effects come back; if not they stay in the outbox. They do by default.
    pub fn set_fire_timers(&mut self, fire_timers: bool) {
        self.fire_timers = fire_timers;
    }

    /// Only these accounts take messages: what is sent to another one has ended, and nobody is told. Without a list every
    /// account takes what is sent to it.
    pub fn set_receivers(&mut self, receivers: Option<BTreeSet<Account>>) {
        self.queue.set_receivers(receivers);
    }

    /// Another bound than [`EFFECTS_MAX`].
    pub fn set_effects_max(&mut self, effects_max: usize) {
        self.effects_max = effects_max;
    }

    /// The processor.
    pub fn processor(&self) -> &Processor {
        self.queue.processor()
    }

    /// The processor, for questions, redriving and groups.
    pub fn processor_mut(&mut self) -> &mut Processor {
        self.queue.processor_mut()
    }

    /// The providers; a clone makes calls on another thread.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The providers, to be registered or replaced.
    pub fn registry_mut(&mut self) -> &mut Registry {
        &mut self.registry
    }

    /// The latest time that any call named, in milliseconds since the epoch.
    pub fn clock(&self) -> Timestamp {
        self.clock
    }

    /// End, with the processor and the providers. Answers that were still to come are forgotten, as in a crash.
    pub fn into_parts(self) -> (Processor, Registry) {
        (self.queue.into_processor(), self.registry)
    }

    /// Take an event in; see [`Processor::accept`]. Its effects run with the next [`Outbox::begin`].
    pub fn accept(&mut self, event: Event, raw: Vec<u8>) -> Result<Vec<Report>, OutboxError> {
        self.clock = self.clock.max(event.received_at);
        Ok(self.processor_mut().accept(event, raw)?)
    }

    /// Take events in; see [`Processor::accept_all`].
    pub fn accept_all(&mut self, events: Vec<(Event, Vec<u8>)>) -> Result<Vec<Vec<Report>>, OutboxError> {
        let newest = events.iter().map(|(event, _)| event.received_at).max();
        self.clock = newest.map_or(self.clock, |newest| self.clock.max(newest));
        Ok(self.processor_mut().accept_all(events)?)
    }

    /// After a restart: what was running is called again under its key, or looked at, with the next [`Outbox::begin`];
    /// where its deadline has passed it ends there. Simulations are told what they did before.
    pub fn recover(&mut self, now: Timestamp) -> Result<(), OutboxError> {
        if self.processor().in_group() {
            return Err(OutboxError::GroupOpen);
        }
        self.clock = self.clock.max(now);
        if self.registry.forgot() {
            self.remind()?;
        }
        let mut running = self.queue.running()?;
        running.retain(|row| !self.agenda.has(row));
        for row in &mut running {
            row.lease.number += 1;
            let look = row.lease.until.filter(|_| row.lease.token.is_some());
            row.lease.until = Some(look.unwrap_or(now));
        }
        self.queue.mark_running(&running)?;
        for row in running {
            self.agenda.add(row, Stands::ToCall);
        }
        Ok(())
    }

    /// Tell simulations what the inbox says they did.
    fn remind(&self) -> Result<(), StoreError> {
        self.each_done(&mut |call, outputs| {
            if let Some(simulation) = self.registry.simulation(&call.kind) {
                simulation.remember(call, outputs);
            }
        })
    }

    /// Every call that the inbox says has succeeded, with its outputs, in the order of the results.
    pub fn each_done(&self, visit: &mut dyn FnMut(&Call, &Value)) -> Result<(), StoreError> {
        each_done(self.processor().store(), Some(self.processor().partition()), visit)
    }

    /// Begin some of what is due at `now`, and say which calls are to be made. What a provider is called for is marked,
    /// with its lease, before this returns.
    ///
    /// What ends without a call ends here. One call of `begin` does one or the other, so that results come in in the
    /// order in which their effects became due.
    pub fn begin(&mut self, now: Timestamp) -> Result<Begun, OutboxError> {
        if self.processor().in_group() && !self.registry.is_simulation() {
            return Err(OutboxError::GroupOpen);
        }
        self.clock = self.clock.max(now);
        let mut happened = Vec::new();
        loop {
            let first = happened.first().map(Happening::is_call);
            let alike = |event: &Happening| first.is_none_or(|first| first == event.is_call());
            match self.agenda.pop(now, alike) {
                Some(event) => happened.push(event),
                None if happened.is_empty() => return self.begin_due(now),
                None => return self.follow(happened, now),
            }
        }
    }

    /// What the agenda says: looks and repeated calls, or leases and deadlines that have passed.
    fn follow(&mut self, happened: Vec<Happening>, now: Timestamp) -> Result<Begun, OutboxError> {
        let (mut begun, mut judged, mut looks) = (Begun::default(), Vec::new(), Vec::new());
        for event in happened {
            match event {
                Happening::Call(mut row) => {
                    row.lease.until = Some(now.saturating_add(LEASE_MS));
                    begun.add(&row);
                    match self.call(&row) {
                        Ok(call) => {
                            self.agenda.add(row.clone(), Stands::Called);
                            self.begin_call(row, call, &mut begun);
                        }
                        Err(failure) => judged.push(ended(row, Err(failure))),
                    }
                }
                Happening::Look(row) => {
                    begun.add(&row);
                    if let Ok(call) = self.call(&row) {
                        self.begin_call(row, call, &mut begun);
                    }
                }
                Happening::LeaseOver(row) => {
                    begun.add(&row);
                    judged.push(self.unanswered(row, now));
                }
                Happening::Deadline(row) => {
                    begun.add(&row);
                    looks.extend(row.lease.token.is_some().then(|| row.clone()));
                    judged.push(timed_out(row));
                }
            }
        }
        begun.reports = self.conclude(judged, now)?;
        for row in looks {
            self.agenda.look(row);
        }
        Ok(begun)
    }

    /// What the queue says.
    fn begin_due(&mut self, now: Timestamp) -> Result<Begun, OutboxError> {
        let mut due = self.queue.due(now, self.fire_timers, ROUND)?;
        let is_call = |row: &EffectRow| !is_hosts_own(&row.effect.kind) && !is_past_deadline(row, now);
        let Some(first) = due.first().map(is_call) else { return Ok(Begun::default()) };
        let alike = due.iter().take_while(|row| is_call(row) == first).count();
        due.truncate(alike);
        let mut begun = Begun::default();
        let mut judged = Vec::new();
        if !first {
            for row in due {
                begun.add(&row);
                judged.push(match is_hosts_own(&row.effect.kind) {
                    true => Judged { row, step: Step::Deliver, stands: None },
                    false => timed_out(row),
                });
            }
            begun.reports = self.conclude(judged, now)?;
            return Ok(begun);
        }
        for row in &mut due {
            row.state = EffectState::Running;
            row.attempts += 1;
            let (number, until) = (row.lease.number + 1, Some(now.saturating_add(LEASE_MS)));
            row.lease = Lease { number, until, token: None };
        }
        self.queue.mark_running(&due)?;
        for row in due {
            begun.add(&row);
            match self.call(&row) {
                Ok(call) => {
                    self.agenda.add(row.clone(), Stands::Called);
                    self.begin_call(row, call, &mut begun);
                }
                Err(failure) => judged.push(ended(row, Err(failure))),
            }
        }
        begun.reports = self.conclude(judged, now)?;
        Ok(begun)
    }

    fn begin_call(&mut self, row: EffectRow, call: Call, begun: &mut Begun) {
        self.called.insert((id_of(&call), call.lease), row);
        begun.calls.push(call);
    }

    /// Take answers in, results and rows in one group. An answer under a lease that ran out or an effect that has ended
    /// comes late: a success is an event of its own, anything else says nothing new. An answer that nobody waits for,
    /// or that came before, is passed over.
    pub fn finish(&mut self, replies: Vec<(Call, Reply)>, now: Timestamp) -> Result<Vec<Report>, OutboxError> {
        self.clock = self.clock.max(now);
        let (mut judged, mut looks) = (Vec::new(), Vec::new());
        for (call, reply) in replies {
            let id = id_of(&call);
            let Some(row) = self.called.remove(&(id.clone(), call.lease)) else { continue };
            if self.agenda.lease(&id) == Some(call.lease) {
                self.agenda.take(&id);
                judged.push(self.judge(row, reply, now));
                continue;
            }
            match reply {
                Reply::Answer(CallOutcome::Done(value)) => {
                    judged.push(Judged { row, step: Step::Late(value), stands: None });
                }
                Reply::Answer(CallOutcome::InProgress { after_ms, token }) if self.is_worth_a_look(&row, now)? => {
                    looks.push(in_progress(row, after_ms, token, now));
                }
                _ => {}
            }
        }
        let reports = self.conclude(judged, now)?;
        for row in looks {
            self.agenda.look(row);
        }
        Ok(reports)
    }

    /// True for an effect that has ended, not longer ago than anything else waits.
    fn is_worth_a_look(&self, row: &EffectRow, now: Timestamp) -> Result<bool, StoreError> {
        let found = self.queue.row(&row.scope, &row.effect.key, row.effect.generation)?;
        let has_ended = found.is_some_and(|row| row.state == EffectState::Finished);
        let since = row.effect.deadline.unwrap_or(row.created_at);
        Ok(has_ended && now < since.saturating_add(WAIT_MAX_MS))
    }

    /// Run everything that is due at `now`, retries of events included, until nothing is left. Calls are made here: one
    /// after the other if all providers only simulate, else several at once. The reports are those of results, timers and
    /// messages, and of the events that these woke.
    pub fn run_until_quiet(&mut self, now: Timestamp) -> Result<Vec<Report>, OutboxError> {
        if !self.registry.is_simulation() {
            return self.run_at_once(now);
        }
        let (mut reports, mut executed) = (Vec::new(), 0);
        loop {
            let retried = self.processor_mut().retry_due(now)?;
            let begun = self.begin(now)?;
            if retried.is_empty() && begun.moved == 0 {
                return Ok(reports);
            }
            executed += begun.moved;
            self.check_end(executed, now, begun.last)?;
            reports.extend(retried);
            reports.extend(begun.reports);
            let mut replies = Vec::with_capacity(begun.calls.len());
            for call in begun.calls {
                let reply = self.registry.call(&call);
                replies.push((call, reply));
            }
            reports.extend(self.finish(replies, now)?);
        }
    }

    /// Let time pass until `until`: everything that becomes due happens at its own time and in order. Events that have
    /// waited too long at the end are given up.
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

    /// When something happens next after the clock's time: an effect, a timer, a retry, a look, a deadline, the end of
    /// a lease.
    pub fn next_time(&self) -> Result<Option<Timestamp>, OutboxError> {
        let after = self.clock;
        let effect = self.queue.next_due(after)?;
        let event = self.processor().next_retry(after)?;
        let begun = self.agenda.next().map(|at| at.max(after.saturating_add(1)));
        Ok([effect, event, begun].into_iter().flatten().min())
    }

    fn judge(&self, row: EffectRow, reply: Reply, now: Timestamp) -> Judged {
        match reply {
            Reply::Answer(CallOutcome::Done(value)) => ended(row, Ok(value)),
            Reply::Answer(CallOutcome::Refused { code, message }) => {
                ended(row, Err(failure(EffectFailureClass::Final, &code, message)))
            }
            Reply::Answer(CallOutcome::Retry { after_ms, code, message }) => {
                self.again(row, after_ms, failure(EffectFailureClass::Transient, &code, message), now)
            }
            Reply::Answer(CallOutcome::InProgress { after_ms, token }) => {
                let row = in_progress(row, after_ms, token, now);
                Judged { row, step: Step::Keep, stands: Some(Stands::ToCall) }
            }
            Reply::Silence { lease_ms: Some(lease_ms) } if lease_ms <= 0 => self.unanswered(row, now),
            Reply::Silence { lease_ms } => {
                let mut row = row;
                row.lease.until = lease_ms.map(|lease_ms| now.saturating_add(lease_ms));
                Judged { row, step: Step::Keep, stands: Some(Stands::Called) }
            }
        }
    }

    /// The lease ran out without an answer.
    fn unanswered(&self, row: EffectRow, now: Timestamp) -> Judged {
        let message = "no attempt got an answer; what was done is not known";
        self.again(row, None, failure(EffectFailureClass::TimedOut, "lost-answer", message), now)
    }

    /// Another attempt if the policy has one, not after the deadline; else the effect ends in `failure`.
    fn again(&self, row: EffectRow, after_ms: Option<i64>, failure: EffectFailure, now: Timestamp) -> Judged {
        let Some(delay) = self.queue.retry_delay_ms(&row) else {
            return ended(row, Err(failure));
        };
        let at = now.saturating_add(after_ms.unwrap_or(delay).max(1));
        let at = row.effect.deadline.map_or(at, |deadline| at.min(deadline.max(now)));
        Judged { row: without_lease(row), step: Step::Retry(at), stands: None }
    }

    /// Store what was judged, then note what goes on.
    fn conclude(&mut self, judged: Vec<Judged>, now: Timestamp) -> Result<Vec<Report>, OutboxError> {
        let mut stands = Vec::with_capacity(judged.len());
        let mut steps = Vec::with_capacity(judged.len());
        for judged in judged {
            stands.push(judged.stands);
            steps.push((judged.row, judged.step));
        }
        let reports = self.queue.record(&steps, now)?;
        for ((row, _), stands) in steps.into_iter().zip(stands) {
            if let Some(stands) = stands {
                self.agenda.add(row, stands);
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

fn is_past_deadline(row: &EffectRow, now: Timestamp) -> bool {
    row.effect.deadline.is_some_and(|deadline| deadline <= now)
}

fn ended(row: EffectRow, answer: Result<Value, EffectFailure>) -> Judged {
    Judged { row: without_lease(row), step: Step::End(answer), stands: None }
}

fn timed_out(row: EffectRow) -> Judged {
    let message = match row.attempts {
        0 => "the deadline passed before it began".to_owned(),
        attempts => format!("the deadline passed after {attempts} attempts; what was done is not known"),
    };
    ended(row, Err(failure(EffectFailureClass::TimedOut, "deadline", message)))
}

/// Nobody carries it out now; the number stays, for the next lease to be higher.
fn without_lease(mut row: EffectRow) -> EffectRow {
    row.lease = Lease { number: row.lease.number, ..Lease::default() };
    row
}

/// A provider works on it and is to be asked again; in real time no sooner than in a millisecond.
fn in_progress(mut row: EffectRow, after_ms: i64, token: String, now: Timestamp) -> EffectRow {
    let until = Some(now.saturating_add(after_ms.max(1)));
    row.lease = Lease { number: row.lease.number, until, token: Some(token) };
    row
}
