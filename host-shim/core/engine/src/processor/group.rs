//! Processes a group of events: makes the decisions ahead, then commits them in order.
//!
//! A decision is a pure function of the data that it reads. Its commit requires that this data is unchanged; if an
//! earlier event changed it, the event is decided again. Deciding several events before committing them keeps caches
//! warm. The writer processes groups; a replay does not, as it carries out each event's effects before the next event.

use super::Processor;
use super::decide::Decided;
use super::decide::DecidedAhead;
use super::report::Report;
use super::run::Attempt;
use extension_contract::{Account, Event, Payload, Timestamp};
use host_store::Stored;
use std::collections::{HashSet, VecDeque};

/// Number of events that are processed one by one after a second event of one account: deciding a burst of one account
/// ahead would decide each event twice.
const ONE_BY_ONE: usize = 16;

/// A new event.
pub struct NewEvent {
    /// The event.
    pub event: Event,
    /// The received bytes; empty if the payload is complete without them.
    pub raw: Vec<u8>,
    /// A decision that a [`Decider`](super::Decider) made ahead.
    pub ahead: Option<Box<DecidedAhead>>,
}

/// An event of the group that is not committed yet.
struct QueuedEvent {
    attempt: Attempt,
    /// Decision made ahead; none if the event must be decided at its turn.
    ahead: Option<Decided>,
    /// Revision of the catalog in the snapshot of a decider.
    catalog_revision: Option<u64>,
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
    pub fn accept_all(&mut self, events: Vec<(Event, Vec<u8>)>) -> Stored<Vec<Vec<Report>>> {
        self.accept_new(events.into_iter().map(|(event, raw)| NewEvent { event, raw, ahead: None }).collect())
    }

    /// Accepts events like [`Processor::accept_all`]. A decision that was made ahead is committed if nothing that it read has
    /// changed.
    ///
    /// # Errors
    /// As [`Processor::accept_all`].
    pub fn accept_new(&mut self, events: Vec<NewEvent>) -> Stored<Vec<Vec<Report>>> {
        events.iter().try_for_each(|new| self.check_business(&new.event))?;
        if self.store().has_peers() {
            return self.accept_beside_peers(events);
        }
        self.grouped(|processor| {
            let mut reports = Vec::with_capacity(events.len());
            let mut events = VecDeque::from(events);
            while !events.is_empty() {
                let (waiting, same_account_again) = processor.decide_some(&mut events)?;
                processor.commit_some(waiting, &mut reports)?;
                // An event that a decider has decided ahead is not decided again.
                let undecided = events.iter().take(ONE_BY_ONE).take_while(|new| new.ahead.is_none()).count();
                let one_by_one = if same_account_again { undecided } else { 0 };
                for NewEvent { event, raw, .. } in events.drain(..one_by_one) {
                    reports.push(processor.accept(event, raw)?);
                }
            }
            Ok(reports)
        })
    }

    /// Accepts events one by one: another host may change what a decision made ahead has read.
    fn accept_beside_peers(&mut self, events: Vec<NewEvent>) -> Stored<Vec<Vec<Report>>> {
        self.grouped(|processor| {
            let accept = |NewEvent { event, raw, .. }: NewEvent| {
                let (now, attempt) = (event.received_at, Attempt::first(event, raw));
                processor.accept_step(&attempt, now)
            };
            events.into_iter().map(accept).collect()
        })
    }

    /// Decides events ahead, up to and including the second event of one account. Also returns true if it stopped at
    /// such an event.
    fn decide_some(&mut self, events: &mut VecDeque<NewEvent>) -> Stored<(Vec<QueuedEvent>, bool)> {
        let mut waiting: Vec<QueuedEvent> = Vec::with_capacity(events.len());
        let (mut ids, mut accounts) = (HashSet::new(), HashSet::new());
        while let Some(NewEvent { event, raw, ahead }) = events.pop_front() {
            let is_first = ids.insert((event.source.clone(), event.id.clone()));
            let is_new = is_first && (ahead.is_some() || self.known(&event)?.is_none());
            let now = event.received_at;
            // The account of an event of the payment source is not known before its decision.
            let of_account = event.account.as_ref().filter(|_| !matches!(event.payload, Payload::Payment(_)));
            let is_of_known_account = of_account.is_some_and(|account| accounts.contains(account));
            let mut attempt = Attempt::first(event, raw);
            let (ahead, catalog_revision) = match ahead {
                Some(ahead) if is_first => (Some(ahead.decided), Some(ahead.catalog_revision)),
                None if is_new && !is_of_known_account => (self.decide_ahead(&mut attempt, now), None),
                _ => (None, None),
            };
            let next = QueuedEvent { attempt, ahead, catalog_revision, now };
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
        // Accounts that earlier events of the group have changed: what was decided ahead for them is outdated.
        let mut touched: HashSet<Account> = HashSet::new();
        for mut next in waiting {
            let is_outdated = match next.account() {
                Some(account) => touched.contains(account),
                // Without an account, the placement may depend on the prices of the catalog.
                None => touched.contains(&Account::Platform) || self.has_other_catalog(next.catalog_revision)?,
            };
            if is_outdated {
                next.ahead = None;
            }
            let ran = match next.ahead {
                Some(ahead) => self.run_and_wake(next.attempt, Some(ahead), next.now)?,
                None => self.accept_attempt(&next.attempt, next.now)?,
            };
            touched.extend(ran.iter().filter_map(|report| report.account.clone()));
            reports.push(ran);
        }
        Ok(())
    }

    /// Returns true if the catalog is not the one of a decider's snapshot.
    fn has_other_catalog(&self, of_snapshot: Option<u64>) -> Stored<bool> {
        let Some(of_snapshot) = of_snapshot else { return Ok(false) };
        Ok(self.store().revision(&self.scope(Account::Platform))? != of_snapshot)
    }
}
