//! How is a group of events processed? Decisions are made ahead, then committed in order.
//!
//! A decision is a pure function of the data that it reads, and its commit requires that this data is unchanged. If an
//! earlier event of the group has changed the data, the event is decided again. To decide several events and then
//! commit them keeps caches warm (`docs/figures.md`). The writer processes groups; a replay does not, since it carries
//! out the effects of each event before the next event.

use super::Processor;
use super::report::Report;
use super::run::{Attempt, DecidedRun};
use extension_contract::{Account, Event, Payload, Timestamp};
use host_store::Stored;
use std::collections::{HashSet, VecDeque};

/// Number of events that are processed one by one after a second event of one account: deciding a burst of one account
/// ahead would decide each event twice.
const ONE_BY_ONE: usize = 16;

/// An event with its received bytes.
type EventWithBytes = (Event, Vec<u8>);

/// An event of the group that is not committed yet.
struct QueuedEvent {
    attempt: Attempt,
    /// Decision made ahead; none if the event must be decided at its turn.
    ahead: Option<DecidedRun>,
    now: Timestamp,
}

impl QueuedEvent {
    /// Returns the account of the decision made ahead.
    fn account(&self) -> Option<&Account> {
        self.ahead.as_ref()?.account.as_ref()
    }
}

impl Processor {
    /// Accepts events in order, with the same outcomes as [`Processor::accept`], in the open group or in a group of
    /// their own. Returns the reports of each event, in order.
    ///
    /// # Errors
    /// Fails if the store fails, or with `StoreError::Misuse` if one event
    /// belongs to another business.
    pub fn accept_all(&mut self, events: Vec<EventWithBytes>) -> Stored<Vec<Vec<Report>>> {
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

    /// Decides events ahead, up to and including the second event of one account. Also returns true if it stopped at
    /// such an event.
    fn decide_some(&mut self, events: &mut VecDeque<EventWithBytes>) -> Stored<(Vec<QueuedEvent>, bool)> {
        let mut waiting: Vec<QueuedEvent> = Vec::with_capacity(events.len());
        let (mut ids, mut accounts) = (HashSet::new(), HashSet::new());
        while let Some((event, raw)) = events.pop_front() {
            let is_new = ids.insert((event.source.clone(), event.id.clone())) && self.known(&event)?.is_none();
            let now = event.received_at;
            // The account of a provider's event is not known before its decision.
            let of_account = event.account.as_ref().filter(|_| !matches!(event.payload, Payload::Provider(_)));
            let is_of_known_account = of_account.is_some_and(|account| accounts.contains(account));
            let mut attempt = Attempt::first(event, raw);
            let ahead = match is_new && !is_of_known_account {
                true => self.decide_ahead(&mut attempt, now),
                false => None,
            };
            let next = QueuedEvent { attempt, ahead, now };
            let same_account_again =
                is_of_known_account || next.account().is_some_and(|account| !accounts.insert(account.clone()));
            waiting.push(next);
            if same_account_again {
                return Ok((waiting, true));
            }
        }
        Ok((waiting, false))
    }

    fn commit_some(&mut self, waiting: Vec<QueuedEvent>, reports: &mut Vec<Vec<Report>>) -> Stored<()> {
        // Accounts that earlier events of the group have changed. The commit alone does not detect all changes: effects
        // do not raise the revision that the commit depends on.
        let mut touched: HashSet<Account> = HashSet::new();
        for mut next in waiting {
            let is_outdated = match next.account() {
                Some(account) => touched.contains(account),
                // Without an account, the placement may depend on the prices of the catalog.
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
