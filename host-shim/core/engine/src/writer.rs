//! Serves several callers on one thread: receives jobs from a bounded channel, commits them in groups, then answers.
//!
//! A group contains the jobs that arrived while the previous group was committed, at most [`WriterLimits::group`], in order: the disk sets
//! the pace, and no job waits for others to arrive. Answers, reports and calls leave only after the commit; if it fails, no caller gets an
//! outcome. The [`Listener`] makes the calls to providers on other threads, without blocking the host.

mod deciders;
mod jobs;
mod lanes;
mod revisits;

pub use deciders::Deciders;
pub use jobs::{JobError, JobResult, Jobs, OnAdvanced, OnAnswer, OnIntervened, Ticket};
pub use lanes::{Lane, Lanes};

use crate::Host;
use crate::outbox::{InterveneError, OutboxError};
use crate::processor::{Arrived, Report};
use crate::turns::COMMANDS_WAITING;
use extension_contract::Timestamp;
use host_provider_api::{Call, Reply};
use host_store::Stored;
use jobs::{HostFn, InterveneJob, Job};
use revisits::Revisits;
use std::collections::VecDeque;
use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Interval of the search for events that wait too long, in milliseconds: 1 hour (of a maximum wait of 30 days).
const EXPIRE_EVERY_MS: i64 = 3_600_000;
/// Interval of the search for effects of hosts that have stopped, in milliseconds: 1 minute (of a lease of 5).
pub const TAKE_OVER_EVERY_MS: i64 = 60_000;
/// Pause of the outbox after a store failure.
const PAUSE: Duration = Duration::from_secs(1);
/// Longest pause before an answer that could not be stored is stored again.
const PAUSE_MAX: Duration = Duration::from_secs(60);
/// Longest wait for a time at which something is due. The system clock may reach this time earlier than planned, because it is set forward
/// or the machine was asleep.
const WAIT_MAX: Duration = Duration::from_secs(1);

/// The limits of a writer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WriterLimits {
    /// Maximum number of waiting jobs; a further caller waits or gets [`JobError::Busy`]. With deciding threads, the same number may wait
    /// in each line of a queue.
    pub waiting: usize,
    /// Maximum number of jobs in one group.
    pub group: usize,
}

impl Default for WriterLimits {
    /// 1 024 waiting jobs, which a disk commits in a fraction of a second; groups of 64.
    fn default() -> Self {
        WriterLimits { waiting: COMMANDS_WAITING, group: 64 }
    }
}

/// Receives calls, reports and errors on the writer's thread; must not wait for the writer.
pub trait Listener: Send {
    /// Receives calls to make on another thread; pass each reply to [`Jobs::finish`]. Their running marks are durable,
    /// unless every provider simulates.
    fn calls(&mut self, calls: Vec<Call>);

    /// Receives the committed runs of jobs, results, timers and messages, and of the events that they woke.
    fn committed(&mut self, reports: &[Report]) {
        let _ = reports;
    }

    /// Receives a failure of the store: a group or a change of the outbox was not stored.
    fn failed(&mut self, error: &OutboxError) {
        let _ = error;
    }
}

/// A writer that runs on its own thread.
pub struct Writer {
    jobs: Jobs,
    thread: JoinHandle<Host>,
}

impl Writer {
    /// Starts the writer of a started host. It begins with the effects that are due.
    ///
    /// # Errors
    /// Fails if the thread cannot be created.
    pub fn spawn(host: Host, listener: Box<dyn Listener>, limits: WriterLimits) -> io::Result<Writer> {
        let (jobs, receiver) = Jobs::channel(limits.waiting);
        let advances = VecDeque::new();
        let (expire_at, take_over_at) = (Timestamp::MIN, Timestamp::MIN);
        let unsaved = Unsaved::default();
        let revisits = Revisits::of(jobs.loaded().clone());
        let run = WriterLoop {
            host,
            listener,
            limits,
            expire_at,
            take_over_at,
            is_stale: false,
            unsaved,
            advances,
            revisits,
        };
        let thread = thread::Builder::new().name("writer".to_owned()).spawn(move || run.until_stopped(&receiver))?;
        Ok(Writer { jobs, thread })
    }

    /// Returns the sender of jobs to the writer.
    pub fn jobs(&self) -> &Jobs {
        &self.jobs
    }

    /// Stops the writer after the currently waiting jobs, and returns the host. None if the thread panicked; the host is then lost, as in a
    /// crash.
    pub fn stop(self) -> Option<Host> {
        // The writer may have ended already.
        let _ = self.jobs.stop();
        self.thread.join().ok()
    }
}

/// The reports of one job, or the reason why it was denied; a denied job is not stored.
type JobReports = Stored<Vec<Report>>;

/// Answers the callers of a group that has been committed or has failed, in job order. Calls `committed` before it answers.
fn answer_all(
    decided: Result<Vec<JobReports>, OutboxError>,
    answers: Vec<OnAnswer>,
    listener: &mut dyn Listener,
    committed: impl FnOnce(&[JobReports]),
) {
    match decided {
        Ok(results) => {
            debug_assert_eq!(results.len(), answers.len(), "each job has a result");
            results.iter().flatten().for_each(|reports| listener.committed(reports));
            committed(&results);
            for (answer, reports) in answers.into_iter().zip(results) {
                answer(reports.map_err(|denied| OutboxError::from(denied).into()));
            }
        }
        Err(error) => {
            listener.failed(&error);
            answers.into_iter().for_each(|answer| answer(Err(error.clone().into())));
        }
    }
}

/// A step of a group, in the order of the jobs.
enum GroupStep {
    Accept(Vec<Arrived>),
    Redrive(u64),
}

/// The loop of a writer.
struct WriterLoop {
    host: Host,
    listener: Box<dyn Listener>,
    limits: WriterLimits,
    /// Time of the next search for events that wait too long.
    expire_at: Timestamp,
    /// Time of the next search for effects of hosts that have stopped.
    take_over_at: Timestamp,
    /// True after a store failure: the outbox may not know all running effects.
    is_stale: bool,
    unsaved: Unsaved,
    /// Advances of the clock, in order.
    advances: VecDeque<(Timestamp, OnAdvanced)>,
    revisits: Revisits,
}

/// Answers that could not be stored. They are stored again, each on its own, since one of them may be the cause; the calls are not
/// repeated.
#[derive(Default)]
struct Unsaved {
    replies: Vec<(Call, Reply)>,
    /// Time of the next attempt.
    at: Option<Instant>,
    /// Pause before it, which doubles with each attempt.
    pause: Duration,
}

impl Unsaved {
    fn add(&mut self, replies: Vec<(Call, Reply)>) {
        self.replies.extend(replies);
        if self.replies.is_empty() {
            *self = Unsaved::default();
            return;
        }
        self.pause = (self.pause * 2).clamp(PAUSE, PAUSE_MAX);
        self.at = Some(Instant::now() + self.pause);
    }

    fn wait(&self) -> Option<Duration> {
        self.at.map(|at| at.saturating_duration_since(Instant::now()))
    }
}

/// Received jobs, by kind of processing.
#[derive(Default)]
struct Batch {
    /// Accepts and redrives of one group, in order.
    group: Vec<Job>,
    replies: Vec<(Call, Reply)>,
    interventions: Vec<InterveneJob>,
    uses: Vec<HostFn>,
    advances: Vec<(Timestamp, OnAdvanced)>,
    stop: bool,
}

impl Batch {
    fn add(&mut self, job: Job) {
        match job {
            Job::Accept { .. } | Job::Redrive { .. } => self.group.push(job),
            Job::Finish { call, reply } => self.replies.push((*call, reply)),
            Job::Intervene(job) => self.interventions.push(*job),
            Job::Use(body) => self.uses.push(body),
            Job::Advance { to, answer } => self.advances.push((to, answer)),
            Job::Wake => {}
            Job::Stop => self.stop = true,
        }
    }

    fn len(&self) -> usize {
        self.group.len() + self.replies.len() + self.interventions.len() + self.uses.len() + self.advances.len()
    }
}

impl WriterLoop {
    fn until_stopped(mut self, jobs: &Receiver<Job>) -> Host {
        loop {
            self.save_again();
            let wait = [self.carry_out(), self.unsaved.wait()].into_iter().flatten().min();
            let batch = match wait {
                Some(Duration::ZERO) => self.gather(jobs.try_recv().ok(), jobs),
                Some(wait) => match jobs.recv_timeout(wait) {
                    Err(RecvTimeoutError::Disconnected) => return self.host,
                    job => self.gather(job.ok(), jobs),
                },
                None => match jobs.recv() {
                    Err(_) => return self.host,
                    job => self.gather(job.ok(), jobs),
                },
            };
            self.commit(batch.group);
            if !batch.replies.is_empty()
                && let Some(unsaved) = self.finish(batch.replies)
            {
                self.unsaved.add(unsaved);
            }
            batch.interventions.into_iter().for_each(|job| self.intervene(job));
            // No group is open here, so reads see committed state only.
            batch.uses.into_iter().for_each(|body| body(&mut self.host));
            self.advances.extend(batch.advances);
            if batch.stop {
                return self.host;
            }
        }
    }

    /// Acts on an effect for an operator.
    fn intervene(&mut self, job: InterveneJob) {
        let InterveneJob { effect, intervention, by, answer } = job;
        let now = self.host.clock_mut().now();
        let result = self.host.outbox_mut().intervene(&effect, intervention, by, now);
        match &result {
            Ok(reports) => self.listener.committed(reports),
            Err(InterveneError::Outbox(error)) => self.listener.failed(error),
            Err(_) => {}
        }
        answer(result);
    }

    /// Takes the first job and the jobs that wait behind it.
    fn gather(&self, first: Option<Job>, jobs: &Receiver<Job>) -> Batch {
        let mut batch = Batch::default();
        let mut next = first;
        while let Some(job) = next {
            batch.add(job);
            next = (batch.len() < self.limits.group && !batch.stop).then(|| jobs.try_recv().ok()).flatten();
        }
        batch
    }

    /// Decides jobs, commits them together, then answers.
    fn commit(&mut self, group: Vec<Job>) {
        if group.is_empty() {
            return;
        }
        let mut answers = Vec::with_capacity(group.len());
        let decided = self.decide(group, &mut answers);
        let revisits = &self.revisits;
        answer_all(decided, answers, &mut *self.listener, |done| revisits.note(done.iter().flatten().flatten()));
    }

    /// Decides and commits a group; returns the reports or the denial of each job. Fills `answers` even if it fails.
    fn decide(&mut self, group: Vec<Job>, answers: &mut Vec<OnAnswer>) -> Result<Vec<JobReports>, OutboxError> {
        let mut arrived = Vec::new();
        let mut steps = Vec::new();
        for job in group {
            match job {
                Job::Accept { arrived: next, answer } => {
                    answers.push(answer);
                    arrived.push(*next);
                }
                Job::Redrive { seq, answer } => {
                    answers.push(answer);
                    steps.push(GroupStep::Accept(std::mem::take(&mut arrived)));
                    steps.push(GroupStep::Redrive(seq));
                }
                Job::Finish { .. } | Job::Intervene(_) | Job::Use(_) | Job::Advance { .. } | Job::Wake | Job::Stop => {}
            }
        }
        steps.push(GroupStep::Accept(arrived));
        self.host.processor_mut().begin_group()?;
        let mut results = Vec::with_capacity(answers.len());
        for step in steps {
            if let Err(error) = self.run_step(step, &mut results) {
                // Report the first error.
                let _ = self.host.processor_mut().rollback_group();
                return Err(error);
            }
        }
        Ok(self.host.processor_mut().commit_group().map(|()| results)?)
    }

    fn run_step(&mut self, step: GroupStep, results: &mut Vec<JobReports>) -> Result<(), OutboxError> {
        match step {
            GroupStep::Accept(arrived) => results.extend(self.host.accept_all(arrived)?),
            GroupStep::Redrive(seq) => {
                let now = self.host.clock_mut().now();
                results.push(Ok(self.host.processor_mut().redrive(seq, now)?));
            }
        }
        Ok(())
    }

    /// Starts due effects. Returns the duration until more work is due; none for a manual clock that has not reached
    /// that time.
    fn carry_out(&mut self) -> Option<Duration> {
        let next = self.begin_some().and_then(|more| {
            if more {
                return Ok(None);
            }
            let next = self.host.outbox().next_time()?.unwrap_or(Timestamp::MAX);
            Ok(if self.advance(next)? { None } else { Some(next) })
        });
        match next {
            Ok(None) => Some(Duration::ZERO),
            Ok(Some(next)) => {
                let next = next.min(self.expire_at).min(self.take_over_at);
                let next = self.revisits.next_at().map_or(next, |at| next.min(at));
                self.host.clock_mut().until(next).map(|wait| wait.min(WAIT_MAX))
            }
            Err(error) => {
                self.listener.failed(&error);
                self.is_stale = true;
                Some(PAUSE)
            }
        }
    }

    /// If the clock should advance and no call is without an answer, moves it to the next time at which something is due, or ends the
    /// advance. `next` is that time including polls. Returns true if the clock has moved.
    fn advance(&mut self, next: Timestamp) -> Result<bool, OutboxError> {
        while !self.advances.is_empty() && !self.host.outbox().has_calls() {
            let is_manual = self.host.clock().is_manual();
            let next = match is_manual {
                true => next,
                false => self.host.outbox().next_time_without_polls()?.unwrap_or(Timestamp::MAX),
            };
            let clock = self.host.clock_mut();
            let (now, to) = (clock.now(), self.advances[0].0);
            if now < to && clock.can_advance() {
                clock.advance_to(next.min(self.expire_at).min(to));
                return Ok(true);
            }
            // Not empty, as checked above.
            let Some((_, answer)) = self.advances.pop_front() else { return Ok(false) };
            answer(if now < to { Err(JobError::RealTime) } else { Ok(now) });
        }
        Ok(false)
    }

    /// Starts some due effects; returns true if more may be due.
    fn begin_some(&mut self) -> Result<bool, OutboxError> {
        let now = self.host.clock_mut().now();
        if self.is_stale {
            // What can be stored now need not be called again.
            self.save_all_again();
            self.host.outbox_mut().recover(now)?;
            (self.is_stale, self.unsaved) = (false, Unsaved::default());
        }
        if self.expire_at <= now {
            let expired = self.host.processor_mut().expire(now)?;
            self.listener.committed(&expired);
            self.expire_at = now.saturating_add(EXPIRE_EVERY_MS);
        }
        if self.take_over_at <= now {
            self.host.outbox_mut().take_over(now)?;
            self.take_over_at = now.saturating_add(TAKE_OVER_EVERY_MS);
        }
        let retried = self.host.processor_mut().retry_due(now)?;
        self.listener.committed(&retried);
        let stands = self.host.clock().is_manual();
        let revisited = self.revisits.batch(self.host.processor_mut(), now, stands)?;
        self.listener.committed(&revisited);
        let begun = self.host.outbox_mut().begin(now)?;
        let is_behind = stands && self.revisits.next_at().is_some();
        let more = !retried.is_empty() || begun.moved > 0 || is_behind;
        self.listener.committed(&begun.reports);
        if !begun.calls.is_empty() {
            self.listener.calls(begun.calls);
        }
        Ok(more)
    }

    /// Stores answers. Returns them if the store fails.
    fn finish(&mut self, replies: Vec<(Call, Reply)>) -> Option<Vec<(Call, Reply)>> {
        let now = self.host.clock_mut().now();
        match self.host.outbox_mut().finish(replies.clone(), now) {
            Ok(reports) => {
                self.listener.committed(&reports);
                None
            }
            Err(error) => {
                self.listener.failed(&error);
                Some(replies)
            }
        }
    }

    /// Stores the answers that could not be stored before, if it is time.
    fn save_again(&mut self) {
        if self.unsaved.wait() == Some(Duration::ZERO) {
            self.save_all_again();
        }
    }

    fn save_all_again(&mut self) {
        let replies = std::mem::take(&mut self.unsaved.replies);
        let unsaved = replies.into_iter().filter_map(|reply| self.finish(vec![reply])).flatten().collect();
        self.unsaved.add(unsaved);
    }
}
