//! The way to a writer: jobs in, answers out.

use crate::outbox::OutboxError;
use crate::processor::{Processor, Report};
use host_intake::Decoded;
use host_provider_api::{Call, Reply};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

/// What a job led to: the event's own report first, then those of the events that it woke.
pub type JobResult = Result<Vec<Report>, Unanswered>;
/// Takes the answer, on the writer's thread: it must be quick and must not wait for the writer. It is dropped uncalled
/// if the writer ends before the job is committed.
pub type OnAnswer = Box<dyn FnOnce(JobResult) + Send>;

/// Why a job has no answer. What was to be done may have been done; the same event again is safe.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Unanswered {
    /// As many jobs wait as may; nothing was done.
    #[error("the writer is busy: {waiting} jobs wait")]
    Busy {
        /// Jobs that may wait.
        waiting: usize,
    },
    /// The writer has ended.
    #[error("the writer has ended")]
    Ended,
    /// The group that the job was in could not be stored.
    #[error(transparent)]
    Failed(#[from] OutboxError),
}

/// Looks at what is committed.
pub(super) type Look = Box<dyn FnOnce(&mut Processor) + Send>;

/// What a writer is to do.
pub(super) enum Job {
    /// Take an event in.
    Accept { decoded: Box<Decoded>, raw: Vec<u8>, answer: OnAnswer },
    /// Run an event of the inbox again.
    Redrive { seq: u64, answer: OnAnswer },
    /// Take a provider's answer in.
    Finish { call: Box<Call>, reply: Reply },
    /// Look at what is committed.
    Look(Look),
    /// End.
    Stop,
}

/// Sends jobs to a writer; a clone is another way to the same one.
#[derive(Clone)]
pub struct Jobs {
    sender: SyncSender<Job>,
    waiting_max: usize,
}

impl Jobs {
    /// A way to a writer, and its end there.
    pub(super) fn channel(waiting_max: usize) -> (Jobs, Receiver<Job>) {
        let (sender, receiver) = sync_channel(waiting_max);
        (Jobs { sender, waiting_max }, receiver)
    }

    /// Take an event in, with the bytes as they came; waits while the writer is busy.
    pub fn accept(&self, decoded: Decoded, raw: Vec<u8>) -> Result<Ticket, Unanswered> {
        let (answer, ticket) = Ticket::new();
        self.send(Job::Accept { decoded: Box::new(decoded), raw, answer })?;
        Ok(ticket)
    }

    /// Take an event in unless the writer is busy: for who would rather say so than wait, as an endpoint with a 503.
    pub fn try_accept(&self, decoded: Decoded, raw: Vec<u8>) -> Result<Ticket, Unanswered> {
        let (answer, ticket) = Ticket::new();
        self.try_accept_then(decoded, raw, answer)?;
        Ok(ticket)
    }

    /// [`Jobs::try_accept`] whose answer goes to a function; none of a refused event.
    pub fn try_accept_then(&self, decoded: Decoded, raw: Vec<u8>, answer: OnAnswer) -> Result<(), Unanswered> {
        self.sender.try_send(Job::Accept { decoded: Box::new(decoded), raw, answer }).map_err(|error| match error {
            TrySendError::Full(_) => Unanswered::Busy { waiting: self.waiting_max },
            TrySendError::Disconnected(_) => Unanswered::Ended,
        })
    }

    /// Run an event again because an operator says so; see [`Processor::redrive`].
    pub fn redrive(&self, seq: u64) -> Result<Ticket, Unanswered> {
        let (answer, ticket) = Ticket::new();
        self.send(Job::Redrive { seq, answer })?;
        Ok(ticket)
    }

    /// Take a provider's answer in; what it leads to goes to the writer's listener.
    pub fn finish(&self, call: Call, reply: Reply) -> Result<(), Unanswered> {
        self.send(Job::Finish { call: Box::new(call), reply })
    }

    /// Look at what is committed, with questions for example, and wait for what was seen.
    pub fn look<T: Send + 'static>(
        &self,
        body: impl FnOnce(&mut Processor) -> T + Send + 'static,
    ) -> Result<T, Unanswered> {
        let (seen, receiver) = sync_channel(1);
        let look = move |processor: &mut Processor| {
            // Who no longer waits is not told.
            let _ = seen.send(body(processor));
        };
        self.send(Job::Look(Box::new(look)))?;
        receiver.recv().map_err(|_| Unanswered::Ended)
    }

    /// Let the writer end after the jobs before this one.
    pub(super) fn stop(&self) -> Result<(), Unanswered> {
        self.send(Job::Stop)
    }

    fn send(&self, job: Job) -> Result<(), Unanswered> {
        self.sender.send(job).map_err(|_| Unanswered::Ended)
    }
}

/// An answer that is to come.
pub struct Ticket(Receiver<JobResult>);

impl Ticket {
    fn new() -> (OnAnswer, Ticket) {
        let (sender, receiver) = sync_channel(1);
        let answer = move |answer| {
            // Who no longer waits is not told.
            let _ = sender.send(answer);
        };
        (Box::new(answer), Ticket(receiver))
    }

    /// Waits for the answer.
    pub fn wait(self) -> JobResult {
        self.0.recv().unwrap_or(Err(Unanswered::Ended))
    }
}
