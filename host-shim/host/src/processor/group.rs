//! A group of events: some are decided one behind the other, then committed one by one.
//!
//! A decision is a pure function of what it read, and its commit is conditional on that; so it may be made before its
//! turn comes, and is made again if an earlier event of the group touched what it read. Deciding several in a row, then
//! writing several in a row, keeps the processor's caches warm: through SQLite a component does a quarter more that way.

use super::report::Report;
use super::run::{Attempt, Decided};
use super::{Processor, conflicts_with};
use products_contract::{Account, Event, Stored, Timestamp};
use std::collections::{HashSet, VecDeque};

/// Events that are taken one by one after two of one account met: a burst of one account's would else be decided twice.
const ONE_BY_ONE: usize = 16;

/// An event with the bytes as they came.
type Arrived = (Event, Vec<u8>);

/// An event that is decided, and waits for its turn to be committed.
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
                let (waiting, have_met) = processor.decide_some(&mut events)?;
                processor.commit_some(waiting, &mut reports)?;
                let single = if have_met { ONE_BY_ONE.min(events.len()) } else { 0 };
                for (event, raw) in events.drain(..single) {
                    reports.push(processor.accept(event, raw)?);
                }
            }
            Ok(reports)
        })
    }

    /// Decide events until two of one account meet, which is said.
    fn decide_some(&mut self, events: &mut VecDeque<Arrived>) -> Stored<(Vec<Waiting>, bool)> {
        let mut waiting: Vec<Waiting> = Vec::with_capacity(events.len());
        let (mut ids, mut accounts) = (HashSet::new(), HashSet::new());
        while let Some((event, raw)) = events.pop_front() {
            let is_new = ids.insert((event.source.clone(), event.id.clone())) && self.known(&event)?.is_none();
            let now = event.received_at;
            let mut attempt = Attempt::first(event, raw);
            let ahead = if is_new { self.decide_ahead(&mut attempt, now) } else { None };
            let mut next = Waiting { attempt, ahead, now };
            let have_met = next.account().is_some_and(|account| !accounts.insert(account.clone()));
            if have_met {
                // What the earlier one writes is not there yet.
                next.ahead = None;
            }
            waiting.push(next);
            if have_met {
                return Ok((waiting, true));
            }
        }
        Ok((waiting, false))
    }

    fn commit_some(&mut self, waiting: Vec<Waiting>, reports: &mut Vec<Vec<Report>>) -> Stored<()> {
        // What was woken ran in between.
        let mut touched: HashSet<Account> = HashSet::new();
        let mut is_catalog_touched = false;
        for mut next in waiting {
            let is_outdated = match next.account() {
                Some(account) => touched.contains(account),
                // Whose an event is may depend on what the catalog sells.
                None => is_catalog_touched,
            };
            if is_outdated {
                next.ahead = None;
            }
            let known = if next.ahead.is_none() { self.known(next.attempt.event())? } else { None };
            let ran = match known {
                Some(known) => {
                    let alert = conflicts_with(&known.event, next.attempt.event());
                    vec![Report { alert, ..Report::duplicate(&known) }]
                }
                None => self.run_and_wake(next.attempt, next.ahead, next.now)?,
            };
            is_catalog_touched |= ran.iter().any(|report| report.account == Some(Account::Platform));
            touched.extend(ran.iter().skip(1).filter_map(|woken| woken.account.clone()));
            reports.push(ran);
        }
        Ok(())
    }
}
