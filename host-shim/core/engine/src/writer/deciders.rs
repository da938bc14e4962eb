//! Threads that decide events while the writer commits. Each takes waiting events, decides them on one snapshot and
//! passes them on to the writer, which commits them or, if the data that they read has changed, decides them again.
//! Callers take turns.

use super::jobs::{JobError, Jobs, OnAnswer};
use crate::clock::ClockSource;
use crate::processor::{Arrived, Decider};
use crate::turns::{NotQueued, Sender, Taker, Turn, queue};
use host_intake::Decoded;
use std::io;
use std::thread::{self, JoinHandle};

/// Maximum number of events decided on one snapshot: a longer snapshot is more likely to be outdated.
const TOGETHER: usize = 16;

/// An event that waits for a decider.
struct Waiting {
    arrived: Arrived,
    answer: OnAnswer,
}

/// Threads that decide events ahead of the writer. They end when this value is dropped.
pub struct Deciders {
    sender: Sender<Waiting>,
    threads: Vec<JoinHandle<()>>,
}

impl Deciders {
    /// Starts a thread for each decider. `waiting_max` is the maximum number of waiting events in a line.
    ///
    /// # Errors
    /// Fails if a thread cannot be created.
    pub fn spawn(deciders: Vec<Decider>, clock: &ClockSource, jobs: &Jobs, waiting_max: usize) -> io::Result<Deciders> {
        let (sender, taker) = queue(waiting_max);
        let spawn = |(number, mut decider): (usize, Decider)| {
            let (taker, clock, jobs) = (taker.clone(), clock.clone(), jobs.clone());
            thread::Builder::new().name(format!("decide-{number}")).spawn(move || {
                while let Some(taken) = take(&taker) {
                    decide(&mut decider, &clock, &jobs, taken);
                }
            })
        };
        let threads = deciders.into_iter().enumerate().map(spawn).collect::<io::Result<_>>()?;
        Ok(Deciders { sender, threads })
    }

    /// Sends an event in somebody's turn, without waiting, like [`Jobs::try_accept_then`].
    ///
    /// # Errors
    /// Fails if too many events are waiting or the writer has ended; the function is then not called.
    pub fn try_accept_then(
        &self,
        turn: Turn,
        decoded: Decoded,
        raw: Vec<u8>,
        answer: OnAnswer,
    ) -> Result<(), JobError> {
        let waiting = Waiting { arrived: Arrived::new(decoded, raw), answer };
        Ok(self.sender.try_send(turn, waiting)?)
    }

    /// Passes the waiting events on to the writer, and ends the threads.
    pub fn stop(self) {
        drop(self.sender);
        for thread in self.threads {
            // A thread that has panicked has ended too.
            let _ = thread.join();
        }
    }
}

/// Waits for an event, and takes those that wait behind it; none once the sender is gone.
fn take(taker: &Taker<Waiting>) -> Option<Vec<Waiting>> {
    let mut taken = vec![taker.take()?];
    taken.extend(taker.take_waiting(TOGETHER - 1));
    Some(taken)
}

impl From<NotQueued> for JobError {
    fn from(error: NotQueued) -> Self {
        match error {
            NotQueued::Full { waiting } => JobError::Busy { waiting },
            NotQueued::Ended => JobError::Ended,
        }
    }
}

/// Decides events, and passes them on in their order.
fn decide(decider: &mut Decider, clock: &ClockSource, jobs: &Jobs, mut taken: Vec<Waiting>) {
    let now = clock.now();
    // An event that the intake refused needs no decision.
    let is_to_decide = |waiting: &&mut Waiting| waiting.arrived.decoded.refusal.is_none();
    let events = taken.iter_mut().filter(is_to_decide).map(|waiting| {
        waiting.arrived.decoded.event.received_at = now;
        &mut waiting.arrived.decoded.event
    });
    let mut decided = decider.decide(events).into_iter();
    for Waiting { mut arrived, answer } in taken {
        if arrived.decoded.refusal.is_none() {
            arrived.ahead = decided.next().flatten();
        }
        // A writer that has ended answers nobody.
        let _ = jobs.accept_then(arrived, answer);
    }
}
