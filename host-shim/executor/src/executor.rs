//! Drives the outbox.

use crate::events::{delivery, failure, is_hosts_own, result};
use crate::policy::{DEFAULT_RETRY, retry_delay_ms};
use crate::waiting::{Arrival, Waiting};
use host::processor::{Processor, Report};
use host_providers::{Answer, Call, Registry};
use host_store::{Changes, EffectChange, EffectRow, EffectState};
use products_contract::{EffectFailure, EffectFailureClass, Event, RetryPolicy, StoreError, Timestamp};
use serde_json::{Value, json};

/// Most effects that run at one point in time before it counts as a loop.
pub const EFFECTS_MAX: usize = 100_000;
/// Effects that are begun together; their results come in one group.
const ROUND: usize = 64;

/// Why the executor stopped.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ExecutorError {
    /// The store failed. What was begun stays running until [`Executor::recover`].
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
    /// An effect may be begun only after that is durable, so not in an open group.
    #[error("effects cannot run in an open group")]
    GroupOpen,
}

/// A processor with the providers that carry its effects out, in virtual or real time.
pub struct Executor {
    processor: Processor,
    registry: Registry,
    waiting: Waiting,
    clock: Timestamp,
    fire_timers: bool,
    effects_max: usize,
}

/// What becomes of an effect after an attempt.
enum Next {
    /// It has ended.
    End(Result<Value, EffectFailure>),
    /// It is tried again at this time.
    Retry(Timestamp),
    /// It is still open, and its answer comes at this time or never.
    Wait(Option<(Timestamp, Answer)>),
    /// It goes to its account, or to another one, as an event.
    Deliver,
}

impl Executor {
    /// An executor whose clock has not begun. After a restart call [`Executor::recover`] first.
    pub fn new(processor: Processor, registry: Registry) -> Self {
        Executor {
            processor,
            registry,
            waiting: Waiting::default(),
            clock: Timestamp::MIN,
            fire_timers: true,
            effects_max: EFFECTS_MAX,
        }
    }

    /// Whether `timer.at` effects come back; if not they stay in the outbox. They do by default.
    pub fn set_fire_timers(&mut self, fire_timers: bool) {
        self.fire_timers = fire_timers;
    }

    /// Another bound than [`EFFECTS_MAX`].
    pub fn set_effects_max(&mut self, effects_max: usize) {
        self.effects_max = effects_max;
    }

    /// The processor.
    pub fn processor(&self) -> &Processor {
        &self.processor
    }

    /// The processor, for questions, redriving and groups.
    pub fn processor_mut(&mut self) -> &mut Processor {
        &mut self.processor
    }

    /// The providers.
    pub fn registry_mut(&mut self) -> &mut Registry {
        &mut self.registry
    }

    /// The latest time that any call named, in milliseconds since the epoch.
    pub fn clock(&self) -> Timestamp {
        self.clock
    }

    /// End, with the processor and the providers. Answers that were still to come are forgotten, as in a crash.
    pub fn into_parts(self) -> (Processor, Registry) {
        (self.processor, self.registry)
    }

    /// Take an event in; see [`Processor::accept`]. Its effects run with [`Executor::run_until_quiet`].
    pub fn accept(&mut self, event: Event, raw: Vec<u8>) -> Result<Vec<Report>, ExecutorError> {
        self.clock = self.clock.max(event.received_at);
        Ok(self.processor.accept(event, raw)?)
    }

    /// Run everything that is due at `now`, retries of events included, until nothing is left. The reports are those
    /// of results, timers and messages, and of the events that these woke.
    pub fn run_until_quiet(&mut self, now: Timestamp) -> Result<Vec<Report>, ExecutorError> {
        if self.processor.in_group() {
            return Err(ExecutorError::GroupOpen);
        }
        self.clock = self.clock.max(now);
        let (mut reports, mut executed) = (Vec::new(), 0);
        loop {
            let retried = self.processor.retry_due(now)?;
            let arrived = self.arrivals(now, &mut reports)?;
            let due = self.processor.store().effects_due(now, self.fire_timers, ROUND)?;
            let quiet = retried.is_empty() && arrived == 0;
            reports.extend(retried);
            let Some(last) = due.last().cloned() else {
                if quiet {
                    return Ok(reports);
                }
                continue;
            };
            executed += due.len() + arrived;
            if executed > self.effects_max {
                let (kind, key, scope) = (last.effect.kind, last.effect.key, last.scope.partition());
                return Err(ExecutorError::Loop { executed, now, kind, key, scope });
            }
            self.round(due, now, &mut reports)?;
        }
    }

    /// Let time pass until `until`: everything that becomes due happens at its own time and in order. Events that have
    /// waited too long at the end are given up.
    pub fn advance_to(&mut self, until: Timestamp) -> Result<Vec<Report>, ExecutorError> {
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
        reports.extend(self.processor.expire(self.clock)?);
        Ok(reports)
    }

    /// When something happens next after the clock's time: an effect, a timer, a retry, a late answer, a deadline.
    pub fn next_time(&self) -> Result<Option<Timestamp>, ExecutorError> {
        let after = self.clock;
        let effect = self.processor.store().next_due(after)?;
        let event = self.processor.next_retry(after)?;
        let answer = self.waiting.next().map(|at| at.max(after.saturating_add(1)));
        Ok([effect, event, answer].into_iter().flatten().min())
    }

    /// After a restart: look at what running effects were to do, and complete or repeat them under the same key.
    pub fn recover(&mut self, now: Timestamp) -> Result<Vec<Report>, ExecutorError> {
        if self.processor.in_group() {
            return Err(ExecutorError::GroupOpen);
        }
        self.clock = self.clock.max(now);
        let mut running = self.processor.store().effects_running()?;
        running.retain(|row| !self.waiting.has(row));
        let mut steps = Vec::with_capacity(running.len());
        for row in running {
            let next = match self.is_gone(&row) {
                true => Next::End(Ok(json!({}))),
                false => self.attempt(&row, now),
            };
            steps.push((row, next));
        }
        let mut reports = Vec::new();
        self.conclude(steps, now, &mut reports)?;
        Ok(reports)
    }

    /// True if a running effect was to destroy a resource that is seen not to exist. Anything else is repeated, which
    /// brings the outputs again; the look tells the provider's journal that this is a repetition.
    fn is_gone(&mut self, row: &EffectRow) -> bool {
        let Ok(call) = call(row) else { return false };
        if !call.is_resource_call() {
            return false;
        }
        let look = Call { kind: format!("{}.observe", call.resource()), ..call.clone() };
        match self.registry.call(&look) {
            Answer::Ok(seen) => call.verb() == "destroy" && seen.get("exists") == Some(&Value::Bool(false)),
            _ => false,
        }
    }

    /// Late answers and deadlines until `now`; their number.
    fn arrivals(&mut self, now: Timestamp, reports: &mut Vec<Report>) -> Result<usize, ExecutorError> {
        let mut arrived = 0;
        while let Some(arrival) = self.waiting.pop(now) {
            arrived += 1;
            let step = match arrival {
                Arrival::Answer(row, answer) => {
                    let next = self.judge(&row, answer, now);
                    (row, next)
                }
                Arrival::Deadline(row) => {
                    let next = Next::End(Err(timed_out(&row)));
                    (row, next)
                }
                Arrival::TooLate(row, Answer::Ok(value)) => {
                    let event = result(&row, Ok(value), true, now);
                    reports.extend(self.processor.accept(event, Vec::new())?);
                    continue;
                }
                // That nothing was done after all changes nothing: the effect has been called off.
                Arrival::TooLate(..) => continue,
            };
            self.conclude(vec![step], now, reports)?;
        }
        Ok(arrived)
    }

    /// Begin effects together, call the providers, store what came of it.
    fn round(&mut self, due: Vec<EffectRow>, now: Timestamp, reports: &mut Vec<Report>) -> Result<(), ExecutorError> {
        let mut due = due;
        let begins = |row: &EffectRow| !is_hosts_own(&row.effect.kind) && !is_past_deadline(row, now);
        if due.iter().any(begins) {
            self.processor.grouped(|processor| {
                for row in due.iter_mut().filter(|row| begins(row)) {
                    row.state = EffectState::Running;
                    row.attempts += 1;
                    mark(processor, row, EffectState::Running, row.due_at)?;
                }
                Ok(())
            })?;
        }
        let mut steps = Vec::with_capacity(due.len());
        for row in due {
            let next = if is_hosts_own(&row.effect.kind) {
                Next::Deliver
            } else if row.state != EffectState::Running {
                Next::End(Err(timed_out(&row)))
            } else {
                self.attempt(&row, now)
            };
            steps.push((row, next));
        }
        self.conclude(steps, now, reports)
    }

    fn attempt(&mut self, row: &EffectRow, now: Timestamp) -> Next {
        match call(row) {
            Ok(call) => {
                let answer = self.registry.call(&call);
                self.judge(row, answer, now)
            }
            Err(failure) => Next::End(Err(failure)),
        }
    }

    fn judge(&self, row: &EffectRow, answer: Answer, now: Timestamp) -> Next {
        match answer {
            Answer::Ok(value) => Next::End(Ok(value)),
            Answer::Final { code, message } => Next::End(Err(failure(EffectFailureClass::Final, &code, message))),
            Answer::Retryable { code, message } => {
                self.again(row, now, || failure(EffectFailureClass::Transient, &code, message))
            }
            Answer::Lost => self.again(row, now, || {
                failure(
                    EffectFailureClass::TimedOut,
                    "lost-answer",
                    "no attempt got an answer; what was done is not known",
                )
            }),
            Answer::Late { after_ms, then } if after_ms <= 0 => self.judge(row, *then, now),
            Answer::Late { after_ms, then } => Next::Wait(Some((now.saturating_add(after_ms), *then))),
            Answer::Never => Next::Wait(None),
        }
    }

    fn again(&self, row: &EffectRow, now: Timestamp, ended: impl FnOnce() -> EffectFailure) -> Next {
        let policy: RetryPolicy =
            row.effect.retry.or_else(|| self.processor.declared().retry(&row.effect.kind)).unwrap_or(DEFAULT_RETRY);
        match retry_delay_ms(&policy, row.attempts) {
            Some(delay) => {
                let at = now.saturating_add(delay.max(1));
                Next::Retry(row.effect.deadline.map_or(at, |deadline| at.min(deadline.max(now))))
            }
            None => Next::End(Err(ended())),
        }
    }

    /// Store what became of effects, results and outbox together.
    fn conclude(
        &mut self,
        steps: Vec<(EffectRow, Next)>,
        now: Timestamp,
        reports: &mut Vec<Report>,
    ) -> Result<(), ExecutorError> {
        let mut waiting = Vec::new();
        let ended = self.processor.grouped(|processor| {
            let mut ended = Vec::new();
            for (row, next) in steps {
                match next {
                    Next::End(answer) => {
                        ended.extend(processor.accept(result(&row, answer, false, now), Vec::new())?);
                        mark(processor, &row, EffectState::Finished, row.due_at)?;
                    }
                    Next::Deliver => {
                        // An effect of the same round may have cancelled or replaced it.
                        let rows = processor.store().effect(&row.scope, &row.effect.key)?;
                        let queued = |it: &&EffectRow| {
                            it.effect.generation == row.effect.generation && it.state == EffectState::Queued
                        };
                        if rows.iter().find(queued).is_some() {
                            ended.extend(processor.accept(delivery(&row, now), Vec::new())?);
                            mark(processor, &row, EffectState::Finished, row.due_at)?;
                        }
                    }
                    Next::Retry(at) => mark(processor, &row, EffectState::Queued, at)?,
                    Next::Wait(answer) => waiting.push((row, answer)),
                }
            }
            Ok(ended)
        })?;
        reports.extend(ended);
        for (row, answer) in waiting {
            self.waiting.add(row, answer);
        }
        Ok(())
    }
}

fn call(row: &EffectRow) -> Result<Call, EffectFailure> {
    let payload = serde_json::from_str(&row.effect.payload)
        .map_err(|error| failure(EffectFailureClass::Final, "bad-payload", error.to_string()))?;
    Ok(Call {
        kind: row.effect.kind.clone(),
        scope: row.scope.partition(),
        key: row.effect.key.clone(),
        generation: row.effect.generation,
        attempt: row.attempts,
        payload,
    })
}

fn is_past_deadline(row: &EffectRow, now: Timestamp) -> bool {
    row.effect.deadline.is_some_and(|deadline| deadline <= now)
}

fn timed_out(row: &EffectRow) -> EffectFailure {
    let message = match row.attempts {
        0 => "the deadline passed before it began".to_owned(),
        attempts => format!("the deadline passed after {attempts} attempts; what was done is not known"),
    };
    failure(EffectFailureClass::TimedOut, "deadline", message)
}

fn mark(processor: &mut Processor, row: &EffectRow, state: EffectState, due_at: Timestamp) -> Result<(), StoreError> {
    let update = EffectChange::Update {
        key: row.effect.key.clone(),
        generation: row.effect.generation,
        state,
        attempts: row.attempts,
        due_at,
    };
    processor.store_mut().apply(&Changes {
        scope: Some(row.scope.clone()),
        event_id: row.caused_by.clone(),
        effects: vec![update],
        ..Changes::default()
    })
}
