//! The one writer of a host: it takes jobs from a bounded channel, decides them, commits the group, then answers.
//!
//! A group is what waits when its first job is taken and what comes within [`WriterLimits::gather`], [`WriterLimits::group`] jobs at
//! most. Jobs are decided and committed in the order in which they came. Replies, reports and calls to providers leave
//! after the commit that they stand in; if there is none, because the store failed or the process was killed, nobody is
//! told an outcome. Providers are called elsewhere, by the [`Listener`], and nothing of the host is held meanwhile.

mod deliver;
mod jobs;

pub use deliver::Delivered;
pub use jobs::{JobResult, Jobs, OnAnswer, Ticket, Unanswered};

use crate::Host;
use crate::outbox::OutboxError;
use crate::processor::Report;
use extension_contract::{Stored, Timestamp};
use host_intake::Decoded;
use host_provider_api::{Call, Reply};
use jobs::{Job, Look};
use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How often events that wait too long are looked for, in milliseconds: an hour, of the 30 days that they may wait.
const EXPIRE_EVERY_MS: i64 = 3_600_000;
/// How long the outbox is left alone after its store failed.
const PAUSE: Duration = Duration::from_secs(1);

/// What a writer may gather.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WriterLimits {
    /// Most jobs that wait; who comes then waits or is told that the writer is busy.
    pub waiting: usize,
    /// Most jobs in one group.
    pub group: usize,
    /// How long a group waits for more jobs, from its first one.
    pub gather: Duration,
}

impl Default for WriterLimits {
    /// 1 024 jobs wait, which is what a disk commits in a fraction of a second; groups of 64, for 1 ms.
    fn default() -> Self {
        WriterLimits { waiting: 1024, group: 64, gather: Duration::from_millis(1) }
    }
}

/// Who is told what happens, on the writer's thread; it must not wait for the writer.
pub trait Listener: Send {
    /// Carry these calls out elsewhere; each answer goes to [`Jobs::finish`]. That they were begun is durable, unless
    /// every provider only simulates.
    fn calls(&mut self, calls: Vec<Call>);

    /// These runs are committed: of jobs, results, timers and messages, and of what they woke.
    fn committed(&mut self, reports: &[Report]) {
        let _ = reports;
    }

    /// The store failed: a group or a step of the outbox is not kept.
    fn failed(&mut self, error: &OutboxError) {
        let _ = error;
    }
}

/// A writer that runs on a thread of its own.
pub struct Writer {
    jobs: Jobs,
    thread: JoinHandle<Host>,
}

impl Writer {
    /// Starts a writer over a host that has started. It begins with what is due.
    pub fn spawn(host: Host, listener: Box<dyn Listener>, limits: WriterLimits) -> io::Result<Writer> {
        let (jobs, receiver) = Jobs::channel(limits.waiting);
        let run = Run { host, listener, limits, expire_at: Timestamp::MIN, is_stale: false };
        let thread = thread::Builder::new().name("writer".to_owned()).spawn(move || run.until_stopped(&receiver))?;
        Ok(Writer { jobs, thread })
    }

    /// A way to the writer.
    pub fn jobs(&self) -> &Jobs {
        &self.jobs
    }

    /// Ends the writer after the jobs that wait now; the host is what is left. None if its thread panicked, and with it
    /// the host is gone as in a crash.
    pub fn stop(self) -> Option<Host> {
        // A writer that has ended needs not be told to.
        let _ = self.jobs.stop();
        self.thread.join().ok()
    }
}

/// What one job of a group led to, or why it alone was denied: nothing of it is stored.
type LedTo = Stored<Vec<Report>>;

/// What is done for jobs of a group, in their order.
enum Step {
    Accept(Vec<(Decoded, Vec<u8>)>),
    Redrive(u64),
}

/// The loop of a writer.
struct Run {
    host: Host,
    listener: Box<dyn Listener>,
    limits: WriterLimits,
    /// When events that wait too long are looked for next.
    expire_at: Timestamp,
    /// True once the outbox may have forgotten what runs, since a store failed in between.
    is_stale: bool,
}

/// What has come, by what is done with it.
#[derive(Default)]
struct Batch {
    /// Accepted and driven again in one group, in order.
    group: Vec<Job>,
    replies: Vec<(Call, Reply)>,
    looks: Vec<Look>,
    stop: bool,
}

impl Batch {
    fn add(&mut self, job: Job) {
        match job {
            Job::Accept { .. } | Job::Redrive { .. } => self.group.push(job),
            Job::Finish { call, reply } => self.replies.push((*call, reply)),
            Job::Look(body) => self.looks.push(body),
            Job::Stop => self.stop = true,
        }
    }

    fn len(&self) -> usize {
        self.group.len() + self.replies.len() + self.looks.len()
    }
}

impl Run {
    fn until_stopped(mut self, jobs: &Receiver<Job>) -> Host {
        loop {
            let batch = match self.carry_out() {
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
            if !batch.replies.is_empty() {
                let now = self.host.clock_mut().now();
                let finished = self.host.outbox_mut().finish(batch.replies, now);
                self.tell(finished);
            }
            // What is looked at is committed: no group is open here.
            batch.looks.into_iter().for_each(|look| look(self.host.processor_mut()));
            if batch.stop {
                return self.host;
            }
        }
    }

    /// The first job and those that come soon after it.
    fn gather(&self, first: Option<Job>, jobs: &Receiver<Job>) -> Batch {
        let mut batch = Batch::default();
        let Some(first) = first else { return batch };
        batch.add(first);
        let until = Instant::now() + self.limits.gather;
        while batch.len() < self.limits.group && !batch.stop {
            match jobs.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(job) => batch.add(job),
                Err(_) => break,
            }
        }
        batch
    }

    /// Decide jobs, make them durable together, and only then answer.
    fn commit(&mut self, group: Vec<Job>) {
        if group.is_empty() {
            return;
        }
        let mut answers = Vec::with_capacity(group.len());
        match self.decide(group, &mut answers) {
            Ok(led_to) => {
                debug_assert_eq!(led_to.len(), answers.len(), "each job led to something");
                led_to.iter().flatten().for_each(|reports| self.listener.committed(reports));
                answers
                    .into_iter()
                    .zip(led_to)
                    .for_each(|(answer, reports)| answer(reports.map_err(|denied| OutboxError::from(denied).into())));
            }
            Err(error) => {
                self.listener.failed(&error);
                answers.into_iter().for_each(|answer| answer(Err(error.clone().into())));
            }
        }
    }

    /// What each job led to, committed, or why it alone was denied. `answers` are of all jobs, whatever comes of them.
    fn decide(&mut self, group: Vec<Job>, answers: &mut Vec<OnAnswer>) -> Result<Vec<LedTo>, OutboxError> {
        let mut arrived = Vec::new();
        let mut steps = Vec::new();
        for job in group {
            match job {
                Job::Accept { decoded, raw, answer } => {
                    answers.push(answer);
                    arrived.push((*decoded, raw));
                }
                Job::Redrive { seq, answer } => {
                    answers.push(answer);
                    steps.push(Step::Accept(std::mem::take(&mut arrived)));
                    steps.push(Step::Redrive(seq));
                }
                Job::Finish { .. } | Job::Look(_) | Job::Stop => {}
            }
        }
        steps.push(Step::Accept(arrived));
        self.host.processor_mut().begin_group()?;
        let mut led_to = Vec::with_capacity(answers.len());
        for step in steps {
            if let Err(error) = self.take(step, &mut led_to) {
                // The first error says what is wrong.
                let _ = self.host.processor_mut().rollback_group();
                return Err(error);
            }
        }
        Ok(self.host.processor_mut().commit_group().map(|()| led_to)?)
    }

    fn take(&mut self, step: Step, led_to: &mut Vec<LedTo>) -> Result<(), OutboxError> {
        match step {
            Step::Accept(arrived) => led_to.extend(self.host.accept_all(arrived)?),
            Step::Redrive(seq) => {
                let now = self.host.clock_mut().now();
                led_to.push(Ok(self.host.processor_mut().redrive(seq, now)?));
            }
        }
        Ok(())
    }

    /// Begin what is due. How long nothing more is, if nothing comes: none is for ever.
    fn carry_out(&mut self) -> Option<Duration> {
        let next = self.begin_some().and_then(|more| match more {
            true => Ok(None),
            false => self.host.outbox().next_time().map(|next| Some(next.unwrap_or(Timestamp::MAX))),
        });
        match next {
            Ok(None) => Some(Duration::ZERO),
            Ok(Some(next)) => self.host.clock_mut().until(next.min(self.expire_at)),
            Err(error) => {
                self.listener.failed(&error);
                self.is_stale = true;
                Some(PAUSE)
            }
        }
    }

    /// True if there may be more to begin.
    fn begin_some(&mut self) -> Result<bool, OutboxError> {
        let now = self.host.clock_mut().now();
        if self.is_stale {
            self.host.outbox_mut().recover(now)?;
            self.is_stale = false;
        }
        if self.expire_at <= now {
            let expired = self.host.processor_mut().expire(now)?;
            self.listener.committed(&expired);
            self.expire_at = now.saturating_add(EXPIRE_EVERY_MS);
        }
        let retried = self.host.processor_mut().retry_due(now)?;
        self.listener.committed(&retried);
        let begun = self.host.outbox_mut().begin(now)?;
        let more = !retried.is_empty() || begun.moved > 0;
        self.listener.committed(&begun.reports);
        if !begun.calls.is_empty() {
            self.listener.calls(begun.calls);
        }
        Ok(more)
    }

    fn tell(&mut self, ran: Result<Vec<Report>, OutboxError>) {
        match ran {
            Ok(reports) => self.listener.committed(&reports),
            Err(error) => {
                self.listener.failed(&error);
                // The answers are lost: what was called is to be called again, under the same keys.
                self.is_stale = true;
            }
        }
    }
}
