//! Processes the groups of a lane. The changes of a group are applied together where the store supports it; otherwise,
//! or if that fails, the events run one by one.

use super::Processor;
use super::report::Report;
use super::run::Attempt;
use extension_contract::{Event, Refusal};
use host_store::Stored;

/// Number of groups that run one by one after a group that could not be applied together: the same accounts are probably busy for a
/// while.
const APART: u32 = 4;

/// A new event of a lane.
pub(crate) struct Arriving {
    pub(crate) event: Event,
    /// The received bytes; empty if the payload is complete without them.
    pub(crate) raw: Vec<u8>,
    /// The reason why the intake refuses the event.
    pub(crate) refusal: Option<Refusal>,
}

/// An event that may run twice.
struct Accepted {
    attempt: Attempt,
    refusal: Option<Refusal>,
}

impl Processor {
    /// Accepts events in order in a group of their own, with the same outcomes as [`Processor::accept`] and
    /// [`Processor::accept_refused`]. Returns the reports of each event, or the reason why it was denied.
    ///
    /// # Errors
    /// Fails if the store fails.
    pub(crate) fn accept_group(&mut self, arriving: Vec<Arriving>) -> Stored<Vec<Stored<Vec<Report>>>> {
        let checked: Vec<Stored<Accepted>> = arriving
            .into_iter()
            .map(|Arriving { event, raw, refusal }| {
                self.check_business(&event)?;
                Ok(Accepted { attempt: Attempt::first(event, raw), refusal })
            })
            .collect();
        if let Some(results) = self.accept_together(&checked)? {
            return Ok(results);
        }
        self.grouped(|processor| {
            let run = |accepted: &Stored<Accepted>| match accepted {
                Err(denied) => Ok(Err(denied.clone())),
                Ok(accepted) => processor.run_apart(accepted).map(Ok),
            };
            checked.iter().map(run).collect()
        })
    }

    /// Runs the events in a group whose changes the store may hold back. Returns none if it cannot, or if the changes cannot be
    /// applied together; then nothing has changed.
    fn accept_together(&mut self, checked: &[Stored<Accepted>]) -> Stored<Option<Vec<Stored<Vec<Report>>>>> {
        if self.apart_left > 0 {
            self.apart_left -= 1;
            return Ok(None);
        }
        let counters = self.counters;
        let events = checked.iter().flatten().map(|accepted| accepted.attempt.event());
        let events: Vec<(&str, &str)> = events.map(|event| (&*event.source, &*event.id)).collect();
        let partition = self.deciding.partition.clone();
        let ran = match self.store_mut().begin_together(&partition, &events) {
            Ok(false) => return Ok(None),
            Ok(true) => self.run_together(checked),
            Err(error) => Err(error),
        };
        if let Ok(results) = ran {
            return self.commit_group().map(|()| Some(results));
        }
        // One by one, the events find the reason again, if it is still there.
        let _ = self.rollback_group();
        self.counters = counters;
        self.apart_left = APART;
        Ok(None)
    }

    fn run_together(&mut self, checked: &[Stored<Accepted>]) -> Stored<Vec<Stored<Vec<Report>>>> {
        self.in_group = true;
        let mut results = Vec::with_capacity(checked.len());
        for accepted in checked {
            results.push(match accepted {
                Err(denied) => Err(denied.clone()),
                Ok(Accepted { attempt, refusal }) => {
                    let now = attempt.event().received_at;
                    Ok(match refusal {
                        Some(refusal) => self.refuse(attempt, refusal, now)?,
                        None => self.accept_attempt(attempt, now)?,
                    })
                }
            });
        }
        self.store_mut().settle().map(|()| results)
    }

    /// Runs an event as a step of the open group.
    fn run_apart(&mut self, Accepted { attempt, refusal }: &Accepted) -> Stored<Vec<Report>> {
        let now = attempt.event().received_at;
        match refusal {
            Some(refusal) => self.step(|processor| processor.refuse(attempt, refusal, now)),
            None => self.accept_step(attempt, now),
        }
    }
}
