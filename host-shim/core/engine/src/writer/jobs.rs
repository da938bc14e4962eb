//! Sends the jobs of callers to a writer and returns the answers.

use super::revisits::Loaded;
use crate::Host;
use crate::outbox::{InterveneError, Intervention, OpenEffect, OutboxError};
use crate::processor::{Arrived, Processor, Report};
use extension_contract::{Actor, Timestamp};
use host_intake::Decoded;
use host_provider_api::{Call, Reply};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

/// The result of a job: the event's own report first, then those of the events that it woke.
pub type JobResult = Result<Vec<Report>, JobError>;
/// Receives the answer on the writer's thread; must be quick and must not wait for the writer. Dropped without a call
/// if the writer ends before the commit.
pub type OnAnswer = Box<dyn FnOnce(JobResult) + Send>;

/// The reason why a job has no answer. The job may have been done; it is safe to send the same event again.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum JobError {
    /// The maximum number of jobs is waiting; nothing was done.
    #[error("the writer is busy: {waiting} jobs wait")]
    Busy {
        /// Maximum number of waiting jobs.
        waiting: usize,
    },
    /// The writer has ended.
    #[error("the writer has ended")]
    Ended,
    /// The group of the job could not be stored.
    #[error(transparent)]
    Failed(#[from] OutboxError),
    /// The host follows the system clock, which cannot be advanced.
    #[error("the clock of this host follows the system clock and cannot be advanced")]
    RealTime,
}

/// A read of committed state, or a change of the host between two groups.
pub(super) type HostFn = Box<dyn FnOnce(&mut Host) + Send>;
/// Receives the time that the clock has reached, in milliseconds since the epoch.
pub type OnAdvanced = Box<dyn FnOnce(Result<Timestamp, JobError>) + Send>;

/// Receives the reports of an operator's action.
pub type OnIntervened = Box<dyn FnOnce(Result<Vec<Report>, InterveneError>) + Send>;

/// An operator's action.
pub(super) struct InterveneJob {
    pub(super) effect: OpenEffect,
    pub(super) intervention: Intervention,
    pub(super) by: Actor,
    pub(super) answer: OnIntervened,
}

/// A job for a writer.
pub(super) enum Job {
    /// Accepts an event.
    Accept { arrived: Box<Arrived>, answer: OnAnswer },
    /// Runs an event of the inbox again.
    Redrive { seq: u64, answer: OnAnswer },
    /// Accepts a provider's reply.
    Finish { call: Box<Call>, reply: Reply },
    /// Acts on an effect for an operator.
    Intervene(Box<InterveneJob>),
    /// Reads committed state, or changes the host.
    Use(HostFn),
    /// Advances the clock.
    Advance { to: Timestamp, answer: OnAdvanced },
    /// Looks for due effects.
    Wake,
    /// Stops the writer.
    Stop,
}

/// Sends jobs to a writer; a clone sends to the same writer.
#[derive(Clone)]
pub struct Jobs {
    sender: SyncSender<Job>,
    waiting_max: usize,
    loaded: Loaded,
}

impl Jobs {
    /// Creates the sender of jobs and the writer's receiver.
    pub(super) fn channel(waiting_max: usize) -> (Jobs, Receiver<Job>) {
        let (sender, receiver) = sync_channel(waiting_max);
        (Jobs { sender, waiting_max, loaded: Loaded::default() }, receiver)
    }

    /// Sends an event with its received bytes; waits while the writer is busy.
    ///
    /// # Errors
    /// Fails if the writer has ended.
    pub fn accept(&self, decoded: Decoded, raw: Vec<u8>) -> Result<Ticket, JobError> {
        let (answer, ticket) = Ticket::new();
        self.accept_then(Arrived::new(decoded, raw), answer)?;
        Ok(ticket)
    }

    /// Sends an event without waiting, for callers that report a busy writer, such as an endpoint with a 503.
    ///
    /// # Errors
    /// Fails if the writer is busy or has ended.
    pub fn try_accept(&self, decoded: Decoded, raw: Vec<u8>) -> Result<Ticket, JobError> {
        let (answer, ticket) = Ticket::new();
        self.try_accept_then(decoded, raw, answer)?;
        Ok(ticket)
    }

    /// Like [`Jobs::try_accept`], but passes the answer to a function.
    ///
    /// # Errors
    /// Fails if the writer is busy or has ended; the function is then not called.
    pub fn try_accept_then(&self, decoded: Decoded, raw: Vec<u8>, answer: OnAnswer) -> Result<(), JobError> {
        self.try_send(Job::Accept { arrived: Box::new(Arrived::new(decoded, raw)), answer })
    }

    /// Sends an event, which may be decided already; waits while the writer is busy.
    pub(super) fn accept_then(&self, arrived: Arrived, answer: OnAnswer) -> Result<(), JobError> {
        self.send(Job::Accept { arrived: Box::new(arrived), answer })
    }

    /// Runs an event again on behalf of an operator; see [`Processor::redrive`].
    ///
    /// # Errors
    /// Fails if the writer has ended.
    pub fn redrive(&self, seq: u64) -> Result<Ticket, JobError> {
        let (answer, ticket) = Ticket::new();
        self.send(Job::Redrive { seq, answer })?;
        Ok(ticket)
    }

    /// Acts on an effect for an operator; see [`Outbox::intervene`](crate::outbox::Outbox::intervene). The function receives
    /// the reports, on the writer's thread.
    ///
    /// # Errors
    /// Fails if the writer is busy or has ended; the function is then not called.
    pub fn try_intervene_then(
        &self,
        effect: OpenEffect,
        intervention: Intervention,
        by: Actor,
        answer: OnIntervened,
    ) -> Result<(), JobError> {
        self.try_send(Job::Intervene(Box::new(InterveneJob { effect, intervention, by, answer })))
    }

    /// Sends a provider's reply; its reports go to the writer's listener.
    ///
    /// # Errors
    /// Fails if the writer has ended.
    pub fn finish(&self, call: Call, reply: Reply) -> Result<(), JobError> {
        self.send(Job::Finish { call: Box::new(call), reply })
    }

    /// Reads committed state on the writer's thread, for example with questions, and waits for the result.
    ///
    /// # Errors
    /// Fails if the writer has ended.
    pub fn look<T: Send + 'static>(
        &self,
        body: impl FnOnce(&mut Processor) -> T + Send + 'static,
    ) -> Result<T, JobError> {
        self.with_host(|host| body(host.processor_mut()))
    }

    /// Calls a function with the host between two groups, and waits for the result: for setting up a test or local mode.
    /// Effects that the function makes due begin after it.
    ///
    /// # Errors
    /// Fails if the writer has ended.
    pub fn with_host<T: Send + 'static>(
        &self,
        body: impl FnOnce(&mut Host) -> T + Send + 'static,
    ) -> Result<T, JobError> {
        let (sender, receiver) = sync_channel(1);
        let with_host = move |host: &mut Host| {
            // The receiver may have stopped waiting.
            let _ = sender.send(body(host));
        };
        self.send(Job::Use(Box::new(with_host)))?;
        receiver.recv().map_err(|_| JobError::Ended)
    }

    /// Calls a function with the host between two groups, without waiting for its turn.
    ///
    /// # Errors
    /// Fails if the writer is busy or has ended; the function is then not called.
    pub fn try_with_host(&self, body: impl FnOnce(&mut Host) + Send + 'static) -> Result<(), JobError> {
        self.try_send(Job::Use(Box::new(body)))
    }

    /// Advances the clock to a time in milliseconds since the epoch: stops at each time at which something is due, and waits
    /// there until it has been carried out. The function receives the time after the last of them. For the present or an
    /// earlier time, it only waits.
    ///
    /// # Errors
    /// Fails if the writer has ended; the function is then not called.
    pub fn advance_then(&self, to: Timestamp, answer: OnAdvanced) -> Result<(), JobError> {
        self.send(Job::Advance { to, answer })
    }

    /// Returns the flag which shows that a catalog was loaded.
    pub(super) fn loaded(&self) -> &Loaded {
        &self.loaded
    }

    /// Makes the writer look for due effects soon. A writer with waiting jobs does so anyway.
    pub(super) fn wake(&self) {
        let _ = self.sender.try_send(Job::Wake);
    }

    /// Stops the writer after the jobs that were sent before.
    pub(super) fn stop(&self) -> Result<(), JobError> {
        self.send(Job::Stop)
    }

    fn try_send(&self, job: Job) -> Result<(), JobError> {
        self.sender.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) => JobError::Busy { waiting: self.waiting_max },
            TrySendError::Disconnected(_) => JobError::Ended,
        })
    }

    fn send(&self, job: Job) -> Result<(), JobError> {
        self.sender.send(job).map_err(|_| JobError::Ended)
    }
}

/// The pending answer of a job.
pub struct Ticket(Receiver<JobResult>);

impl Ticket {
    fn new() -> (OnAnswer, Ticket) {
        let (sender, receiver) = sync_channel(1);
        let answer = move |answer| {
            // The receiver may have stopped waiting.
            let _ = sender.send(answer);
        };
        (Box::new(answer), Ticket(receiver))
    }

    /// Waits for the answer.
    ///
    /// # Errors
    /// Fails if the writer has ended, or if the group of the job could not be stored.
    pub fn wait(self) -> JobResult {
        self.0.recv().unwrap_or(Err(JobError::Ended))
    }
}
