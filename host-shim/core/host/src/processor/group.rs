//! A group of events: some are decided one behind the other, then committed one by one.
//!
//! A decision is a pure function of what it read, and its commit is conditional on that; so it may be made before its
//! turn comes, and is made again if an earlier event of the group touched what it read. Deciding several in a row, then
//! writing several in a row, keeps the processor's caches warm (`docs/figures.md`). The writer takes its jobs in this way;
//! a replay, which carries out the effects of each event before the next one comes, does not.

use super::Processor;
use super::report::Report;
use super::run::{Attempt, Decided};
use extension_contract::{Account, Event, Payload, Stored, Timestamp};
use std::collections::{HashSet, VecDeque};

/// Events that are taken one by one after a second one of an account came: a burst of one account's would else be decided
/// twice.
const ONE_BY_ONE: usize = 16;

/// An event with the bytes as they came.
type Arrived = (Event, Vec<u8>);

/// An event that waits for its turn to be committed.
struct Waiting {
    attempt: Attempt,
    /// None if it must be decided when its turn comes.
    ahead: Option<Decided>,
    now: Timestamp,
}

impl Waiting {
    /// The account that it was decided for.
    fn account(&self) -> Option<&Account> {
        self.ahead.as_ref()?.account.as_ref()
    }
}

impl Processor {
    /// Take events in as [`Processor::accept`] does, in their order, in the open group or in one of their own, and with
    /// the same outcomes. What each led to, in order. An event of another business denies all of them.
    pub fn accept_all(&mut self, events: Vec<Arrived>) -> Stored<Vec<Vec<Report>>> {
        events.iter().try_for_each(|(event, _)| self.check_business(event))?;
        self.grouped(|processor| {
            let mut reports = Vec::with_capacity(events.len());
            let mut events = VecDeque::from(events);
            while !events.is_empty() {
                let (waiting, same_account_again) = processor.decide_some(&mut events)?;
                processor.commit_some(waiting, &mut reports)?;
                let one_by_one = if same_account_again { ONE_BY_ONE.min(events.len()) } else { 0 };
                for (event, raw) in events.drain(..one_by_one) {
                    reports.push(processor.accept(event, raw)?);
                }
            }
            Ok(reports)
        })
    }

    /// Decide events until a second one of the same account comes; the flag says whether one did.
    fn decide_some(&mut self, events: &mut VecDeque<Arrived>) -> Stored<(Vec<Waiting>, bool)> {
        let mut waiting: Vec<Waiting> = Vec::with_capacity(events.len());
        let (mut ids, mut accounts) = (HashSet::new(), HashSet::new());
        while let Some((event, raw)) = events.pop_front() {
            let is_new = ids.insert((event.source.clone(), event.id.clone())) && self.known(&event)?.is_none();
            let now = event.received_at;
            // Of all but a provider's event it is known without deciding it.
            let of_account = event.account.as_ref().filter(|_| !matches!(event.payload, Payload::Provider(_)));
            let is_of_known_account = of_account.is_some_and(|account| accounts.contains(account));
            let mut attempt = Attempt::first(event, raw);
            let ahead = match is_new && !is_of_known_account {
                true => self.decide_ahead(&mut attempt, now),
                false => None,
            };
            let next = Waiting { attempt, ahead, now };
            let same_account_again =
                is_of_known_account || next.account().is_some_and(|account| !accounts.insert(account.clone()));
            waiting.push(next);
            if same_account_again {
                return Ok((waiting, true));
            }
        }
        Ok((waiting, false))
    }

    fn commit_some(&mut self, waiting: Vec<Waiting>, reports: &mut Vec<Vec<Report>>) -> Stored<()> {
        // Accounts that were committed to since: effects alone raise no revision that a commit would depend on.
        let mut touched: HashSet<Account> = HashSet::new();
        for mut next in waiting {
            let is_outdated = match next.account() {
                Some(account) => touched.contains(account),
                // Whose an event is may depend on what the catalog sells.
                None => touched.contains(&Account::Platform),
            };
            if is_outdated {
                next.ahead = None;
            }
            let known = match next.ahead {
                Some(_) => None,
                None => self.duplicate(next.attempt.event())?,
            };
            let ran = match known {
                Some(duplicate) => vec![duplicate],
                None => self.run_and_wake(next.attempt, next.ahead, next.now)?,
            };
            touched.extend(ran.iter().filter_map(|report| report.account.clone()));
            reports.push(ran);
        }
        Ok(())
    }
}
