//! Accepts new events in groups of one or more. Each event is decided and committed on the condition that nothing its decision
//! read has changed; otherwise it is decided again.
//!
//! A decision may have been made ahead by a [`Decider`](super::Decider), and the store may hold back the changes of a group to
//! apply them together; neither changes an outcome.

use super::decide::{Decided, DecidedAhead};
use super::limit::was_refused_by_limit;
use super::report::Report;
use super::run::Attempt;
use super::{Group, Processor, is_same_command};
use extension_contract::{Account, Event, Payload, Refusal, Timestamp};
use host_intake::Decoded;
use host_store::{InboxRow, StoreError, Stored};

/// Number of groups whose changes are applied one by one after a group whose changes could not be applied together: the
/// same accounts are probably busy for a while.
const APART: u32 = 4;

/// An event that has arrived.
pub struct Arrived {
    /// The event, and the refusal of the intake if there is one.
    pub decoded: Decoded,
    /// The received bytes; empty if the payload is complete without them.
    pub raw: Vec<u8>,
    /// A decision that was made ahead, at the event's `received_at`.
    pub ahead: Option<Box<DecidedAhead>>,
}

impl Arrived {
    /// Creates an event without a decision made ahead.
    pub fn new(event: impl Into<Decoded>, raw: Vec<u8>) -> Arrived {
        Arrived { decoded: event.into(), raw, ahead: None }
    }
}

/// A new event of this business. It may run several times until its changes are applied.
struct NewEvent {
    attempt: Attempt,
    refusal: Option<Refusal>,
    /// The decision made ahead, for the first run.
    ahead: Option<Box<DecidedAhead>>,
}

impl NewEvent {
    fn now(&self) -> Timestamp {
        self.attempt.event().received_at
    }
}

impl Processor {
    /// Accepts an event: stores, places and decides it, and runs the events that it wakes. An event that the intake refused is
    /// stored as `rejected`, without a call of the extension.
    ///
    /// `raw` are the received bytes; empty if the payload is complete without them. The first report is the event's
    /// own; the reports of woken events follow in run order. An event with a known id is reported as `duplicate`,
    /// without a call of the extension.
    ///
    /// # Errors
    /// Fails if the store fails, or with [`StoreError::Misuse`] for an event of another business.
    pub fn accept(&mut self, event: impl Into<Decoded>, raw: Vec<u8>) -> Stored<Vec<Report>> {
        let mut accepted = self.accept_all(vec![Arrived::new(event, raw)])?;
        accepted.pop().unwrap_or_else(|| Ok(Vec::new()))
    }

    /// Accepts events in order, in the open group or in their own group, with the same outcomes as [`Processor::accept`] for
    /// each of them. Returns the reports of each event. An event of another business is denied with [`StoreError::Misuse`]; it
    /// is not stored, but the others are.
    ///
    /// # Errors
    /// Fails if the store fails; their own group is then not stored.
    pub fn accept_all(&mut self, arrived: Vec<Arrived>) -> Stored<Vec<Stored<Vec<Report>>>> {
        let mut events: Vec<Stored<NewEvent>> = arrived.into_iter().map(|one| self.new_event(one)).collect();
        let begun = self.begin_together(&events);
        if begun != Ok(false) {
            let counters = self.counters;
            if let Ok(accepted) = begun.and_then(|_| self.accept_together(&mut events)) {
                return self.commit_group().map(|()| accepted);
            }
            // One by one, the events encounter the cause again, if it still exists.
            let _ = self.rollback_group();
            self.counters = counters;
            self.apart_left = APART;
        }
        self.grouped(|processor| processor.accept_each(&mut events))
    }

    /// Denies an event of another business, since it must not be decided with this business's catalog.
    fn new_event(&self, Arrived { decoded: Decoded { event, refusal, .. }, raw, ahead }: Arrived) -> Stored<NewEvent> {
        let (own, named) = (&self.deciding.partition.business, &event.business);
        if own != named {
            let text = format!("event `{}` is of business `{named}`, expected `{own}`", event.id);
            return Err(StoreError::Misuse(text));
        }
        Ok(NewEvent { attempt: Attempt::first(event, raw), refusal, ahead })
    }

    /// Begins a group whose changes the store may apply together. Returns false if the store has no such groups.
    fn begin_together(&mut self, events: &[Stored<NewEvent>]) -> Stored<bool> {
        if self.in_group() || events.is_empty() {
            return Ok(false);
        }
        if self.apart_left > 0 {
            self.apart_left -= 1;
            return Ok(false);
        }
        let ids = events.iter().flatten().map(|new| (&*new.attempt.event().source, &*new.attempt.event().id));
        let (ids, partition): (Vec<_>, _) = (ids.collect(), self.deciding.partition.clone());
        let is_begun = self.store.get_mut().begin_together(&partition, &ids)?;
        if is_begun {
            self.group = Group::Together;
        }
        Ok(is_begun)
    }

    fn accept_together(&mut self, events: &mut [Stored<NewEvent>]) -> Stored<Vec<Stored<Vec<Report>>>> {
        let accepted = self.accept_each(events)?;
        self.store_mut().settle().map(|()| accepted)
    }

    fn accept_each(&mut self, events: &mut [Stored<NewEvent>]) -> Stored<Vec<Stored<Vec<Report>>>> {
        let accept = |event: &mut Stored<NewEvent>| match event {
            Ok(new) => self.accept_one(new).map(Ok),
            Err(denied) => Ok(Err(denied.clone())),
        };
        events.iter_mut().map(accept).collect()
    }

    /// Accepts a new event as one step. If other hosts keep changing its account, the event is stored to be decided later.
    fn accept_one(&mut self, new: &mut NewEvent) -> Stored<Vec<Report>> {
        let mut ahead = new.ahead.take();
        match self.step(|processor| processor.run_new(new, ahead.take())) {
            Err(StoreError::Locked(_)) if new.refusal.is_none() && self.group == Group::Open => {
                self.store_mut().undo()?;
                self.step(|processor| Ok(vec![processor.put_off(&new.attempt, new.now())?]))
            }
            done => done,
        }
    }

    /// Runs a new event, unless it is already in the inbox. The commit of a decision made ahead checks that itself.
    fn run_new(&mut self, new: &NewEvent, ahead: Option<Box<DecidedAhead>>) -> Stored<Vec<Report>> {
        let (attempt, event) = (&new.attempt, new.attempt.event());
        if let Some(refusal) = &new.refusal {
            return self.refuse(attempt, refusal, new.now());
        }
        if let Some(decided) = self.in_force(ahead)? {
            return self.run_and_wake(attempt.clone(), Some(decided), new.now());
        }
        match self.known(event)? {
            None => self.run_and_wake(attempt.clone(), None, new.now()),
            Some(known) if was_refused_by_limit(&known, event) => {
                self.run_and_wake(Attempt::redriven(known), None, new.now())
            }
            Some(known) => Ok(vec![self.report_again(&known, event)?]),
        }
    }

    /// Returns the decision made ahead, unless the catalog has changed since: the placement of an event without an account may
    /// depend on the catalog's prices, which the commit does not check. The commit checks everything else.
    fn in_force(&self, ahead: Option<Box<DecidedAhead>>) -> Stored<Option<Decided>> {
        let Some(ahead) = ahead else { return Ok(None) };
        let catalog = || self.store().account(&self.scope(Account::Platform));
        let is_outdated = ahead.decided.account.is_none() && catalog()?.revision != ahead.catalog_revision;
        Ok((!is_outdated).then_some(ahead.decided))
    }

    /// Returns the report of an event that is already in the inbox; none for other events.
    pub(super) fn duplicate(&self, event: &Event) -> Stored<Option<Report>> {
        self.known(event)?.map(|known| self.report_again(&known, event)).transpose()
    }

    fn report_again(&self, known: &InboxRow, event: &Event) -> Stored<Report> {
        let alert = known.event.id == event.id && conflicts_with(known, event);
        let reply = if is_same_command(&known.event, event) { self.reply_of(known)? } else { None };
        Ok(Report { alert, reply, ..Report::duplicate(known) })
    }

    /// Returns the inbox row with the same source and id or, for a thin event, the row of the snapshot event.
    pub(super) fn known(&self, event: &Event) -> Stored<Option<InboxRow>> {
        let twin = event.payment.as_ref().and_then(|facts| facts.snapshot_event.as_deref());
        let of = |id: &str| self.store().event(&self.deciding.partition, &event.source, id);
        match (of(&event.id)?, twin) {
            (None, Some(twin)) => of(twin),
            (known, _) => Ok(known),
        }
    }
}

/// Returns true if a known event of the payment source is repeated with different data, which a correct source never does: the
/// first event is kept and an operator is alerted. Other API versions have other shapes, and an erased event has no data, so
/// neither conflicts.
fn conflicts_with(known: &InboxRow, again: &Event) -> bool {
    if known.erased {
        return false;
    }
    let known = &known.event;
    let (Payload::Payment(first), Payload::Payment(second)) = (&known.payload, &again.payload) else { return false };
    let version = |event: &Event| event.payment.as_ref().and_then(|facts| facts.api_version.clone());
    let read = |body: &[u8]| serde_json::from_slice::<serde_json::Value>(body).ok();
    let data = |body: &[u8]| read(body).and_then(|body| body.get("data").cloned());
    // A retrieved object may be newer than the object that the payment source sent.
    let time = |event: &Event| event.payment.as_ref().and_then(|facts| facts.time);
    let is_same = version(known) == version(again) && time(known) == time(again);
    first != second && is_same && data(first) != data(second)
}
