//! Threads that decide and commit side by side if the store allows several writing handles. Each lane has its own
//! processor, extension and handle, and commits groups as the writer does, which then only carries out effects. An
//! event goes to the lane of its customer or account, so that events of one account seldom collide. Correctness does
//! not depend on this: a commit checks what its decision has read, and if that has changed, the event is decided again.
//! Callers take turns in each lane.

use super::jobs::{JobError, Jobs, OnAnswer};
use super::{JobReports, Listener, WriterLimits, answer_all};
use crate::clock::ClockSource;
use crate::outbox::OutboxError;
use crate::processor::{Arrived, Disposition, Processor, Report};
use crate::turns::{Sender, Taker, Turn, queue};
use extension_contract::Outcome;
use host_intake::Decoded;
use host_store::Stored;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::thread::{self, JoinHandle};

/// An event that waits for its lane.
struct Waiting {
    arrived: Arrived,
    answer: OnAnswer,
}

/// The parts of a lane: the processor, and the listener for its commits.
pub struct Lane {
    /// Decides and commits, with its own store handle.
    pub processor: Processor,
    /// Receives reports and errors on the lane's thread, but never calls.
    pub listener: Box<dyn Listener>,
}

/// Threads that decide and commit side by side. They end when this value is dropped.
pub struct Lanes {
    senders: Vec<Sender<Waiting>>,
    threads: Vec<JoinHandle<()>>,
}

impl Lanes {
    /// Starts a thread for each lane. A commit that leaves work to the writer wakes the writer.
    ///
    /// # Errors
    /// Fails if a thread cannot be created.
    pub fn spawn(lanes: Vec<Lane>, clock: &ClockSource, jobs: &Jobs, limits: WriterLimits) -> io::Result<Lanes> {
        let waiting_max = limits.waiting.div_ceil(lanes.len().max(1)).max(1);
        let (mut senders, mut threads) = (Vec::new(), Vec::new());
        for (number, lane) in lanes.into_iter().enumerate() {
            let (sender, taker) = queue(waiting_max);
            let running = RunningLane { lane, clock: clock.clone(), jobs: jobs.clone(), limits };
            let run = move || running.until_stopped(&taker);
            threads.push(thread::Builder::new().name(format!("lane-{number}")).spawn(run)?);
            senders.push(sender);
        }
        Ok(Lanes { senders, threads })
    }

    /// Sends an event to its lane in somebody's turn, without waiting, like [`Jobs::try_accept_then`].
    ///
    /// # Errors
    /// Fails if too many events are waiting or the lane has ended; the function is then not called.
    pub fn try_accept_then(
        &self,
        turn: Turn,
        decoded: Decoded,
        raw: Vec<u8>,
        answer: OnAnswer,
    ) -> Result<(), JobError> {
        let lane = lane_of(&decoded, self.senders.len());
        let sender = self.senders.get(lane).ok_or(JobError::Ended)?;
        Ok(sender.try_send(turn, Waiting { arrived: Arrived::new(decoded, raw), answer })?)
    }

    /// Commits and answers the waiting events, and ends the threads.
    pub fn stop(self) {
        drop(self.senders);
        for thread in self.threads {
            // A thread that has panicked has ended too.
            let _ = thread.join();
        }
    }
}

/// Returns the lane of an event: by its account or, if that is not known yet, by the subject of its body.
fn lane_of(decoded: &Decoded, lanes: usize) -> usize {
    let mut hasher = DefaultHasher::new();
    match &decoded.event.account {
        Some(account) => account.to_string().hash(&mut hasher),
        None => decoded.subject.hash(&mut hasher),
    }
    // The lane is the remainder of a division by a `usize`.
    (hasher.finish() % lanes.max(1) as u64) as usize
}

/// Returns true if a run leaves work to the writer: effects, or an event that has not been decided yet.
fn leaves_work(report: &Report) -> bool {
    !report.effects.is_empty()
        || matches!(report.result, Disposition::Failed(_) | Disposition::Outcome(Outcome::Deferred(_)))
}

/// The loop of a lane.
struct RunningLane {
    lane: Lane,
    clock: ClockSource,
    jobs: Jobs,
    limits: WriterLimits,
}

impl RunningLane {
    fn until_stopped(mut self, waiting: &Taker<Waiting>) {
        while let Some(first) = waiting.take() {
            let mut group = vec![first];
            group.extend(waiting.take_waiting(self.limits.group.saturating_sub(1)));
            self.commit(group);
        }
    }

    /// Decides events, commits them together, then answers.
    fn commit(&mut self, group: Vec<Waiting>) {
        let mut answers = Vec::with_capacity(group.len());
        let decided = self.decide(group, &mut answers).map_err(OutboxError::from);
        let jobs = &self.jobs;
        answer_all(decided, answers, &mut *self.lane.listener, |done| {
            let reports = || done.iter().flatten().flatten();
            if jobs.loaded().note(reports()) || reports().any(leaves_work) {
                jobs.wake();
            }
        });
    }

    /// Decides and commits a group. Returns the reports or the denial of each event; fills `answers` even if it fails.
    fn decide(&mut self, group: Vec<Waiting>, answers: &mut Vec<OnAnswer>) -> Stored<Vec<JobReports>> {
        let mut arrived = Vec::with_capacity(group.len());
        for Waiting { arrived: mut one, answer } in group {
            answers.push(answer);
            one.decoded.event.received_at = self.clock.now();
            arrived.push(one);
        }
        self.lane.processor.accept_all(arrived)
    }
}
