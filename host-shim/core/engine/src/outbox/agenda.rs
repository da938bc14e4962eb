//! Keeps track of the started effects that have not ended, and of what happens to each of them next. Kept in memory only.

use extension_contract::Timestamp;
use host_provider_api::Call;
use host_store::EffectRow;
use std::collections::{BTreeMap, BTreeSet};
use std::iter;

/// Scope, key and generation of an effect.
pub(super) type EffectId = (String, String, u32);

/// Returns the id of a call's effect.
pub(super) fn id_of(call: &Call) -> EffectId {
    (call.scope.clone(), call.key.clone(), call.generation)
}

/// Returns the id of an effect.
pub(super) fn id(row: &EffectRow) -> EffectId {
    (row.scope.name(), row.effect.key.clone(), row.effect.generation)
}

/// The state of an effect in the agenda.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AgendaState {
    /// To be called when its lease expires, or polled if it has a token.
    ToCall,
    /// Called; when its lease expires, the answer counts as lost.
    Called,
}

/// An event of a started effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AgendaEvent {
    /// The effect has to be called or polled.
    Call,
    /// An ended effect has to be polled, for a late success.
    Poll,
    /// The lease expired without an answer.
    LeaseExpired,
    /// The deadline passed.
    Deadline,
}

impl AgendaEvent {
    /// Returns true for events that need a call to a provider.
    pub(super) fn is_call(self) -> bool {
        matches!(self, AgendaEvent::Call | AgendaEvent::Poll)
    }
}

/// The agenda of started effects. Open effects can be rebuilt from their rows.
#[derive(Clone, Debug, Default)]
pub(super) struct Agenda {
    open: BTreeMap<EffectId, (EffectRow, AgendaState)>,
    /// Ended effects that a provider is still working on, by the time of the poll.
    polls: BTreeMap<(Timestamp, EffectId), EffectRow>,
    /// Time of the next event of each open effect, if the effect has a lease with an end or a deadline.
    times: BTreeSet<(Timestamp, EffectId)>,
}

impl Agenda {
    /// Adds a running effect, until its lease expires or its deadline passes, whichever is first.
    pub(super) fn add(&mut self, row: EffectRow, state: AgendaState) {
        let id = id(&row);
        self.take(&id);
        if let Some(at) = [row.lease.until, row.effect.deadline].into_iter().flatten().min() {
            self.times.insert((at, id.clone()));
        }
        self.open.insert(id, (row, state));
    }

    /// Removes an effect.
    pub(super) fn take(&mut self, id: &EffectId) -> Option<EffectRow> {
        let (row, _) = self.open.remove(id)?;
        if let Some(at) = [row.lease.until, row.effect.deadline].into_iter().flatten().min() {
            self.times.remove(&(at, id.clone()));
        }
        Some(row)
    }

    /// Returns the lease number of an effect.
    pub(super) fn lease(&self, id: &EffectId) -> Option<u64> {
        self.open.get(id).map(|(row, _)| row.lease.number)
    }

    /// Returns true if the agenda contains the effect.
    pub(super) fn has(&self, row: &EffectRow) -> bool {
        self.open.contains_key(&id(row))
    }

    /// Adds a poll of an ended effect, at the expiry of its lease.
    pub(super) fn add_poll(&mut self, row: EffectRow) {
        if let Some(at) = row.lease.until {
            self.polls.insert((at, id(&row)), row);
        }
    }

    /// Returns the open effects to call or poll, with their times.
    pub(super) fn calls(&self) -> impl Iterator<Item = (&EffectRow, Timestamp)> {
        let to_call = self.open.values().filter(|(_, state)| *state == AgendaState::ToCall);
        to_call.filter_map(|(row, _)| Some((row, row.lease.until?)))
    }

    /// Returns the time of the next event. Skips calls that are due at `now` but blocked because their provider has no capacity.
    pub(super) fn next(&self, now: Timestamp, is_blocked: impl Fn(&EffectRow) -> bool) -> Option<Timestamp> {
        let due = self.due(now, is_blocked).next().map(|due| due.at);
        due.or_else(|| {
            let later = (now.saturating_add(1), EffectId::default());
            let poll = self.polls.range(&later..).next().map(|((at, _), _)| *at);
            [poll, self.times.range(&later..).next().map(|(at, _)| *at)].into_iter().flatten().min()
        })
    }

    /// Returns the time of the next event that is not a poll of a provider still working on an effect.
    pub(super) fn next_without_polls(&self) -> Option<Timestamp> {
        let times = self.open.values().map(|(row, _)| {
            let until = row.lease.until.filter(|_| row.lease.token.is_none());
            [until, row.effect.deadline].into_iter().flatten().min()
        });
        times.flatten().min()
    }

    /// Returns the first events due at `now` that are either all calls or all others; they stay in the agenda. Skips blocked calls.
    /// At equal times, polls of ended effects come first, and the expiry of a lease comes before a deadline.
    pub(super) fn first_due(
        &self,
        now: Timestamp,
        is_blocked: impl Fn(&EffectRow) -> bool,
    ) -> Vec<(AgendaEvent, EffectRow)> {
        let mut due = self.due(now, is_blocked).peekable();
        let Some(is_call) = due.peek().map(|due| due.event.is_call()) else { return Vec::new() };
        let alike = due.take_while(|due| due.event.is_call() == is_call);
        alike.map(|due| (due.event, due.row.clone())).collect()
    }

    /// Removes an event that [`Agenda::first_due`] has returned.
    pub(super) fn remove(&mut self, event: AgendaEvent, row: &EffectRow) {
        match (event, row.lease.until) {
            (AgendaEvent::Poll, Some(at)) => drop(self.polls.remove(&(at, id(row)))),
            _ => drop(self.take(&id(row))),
        }
    }

    /// Returns what is due at `now`, in order, without blocked calls. A blocked call does not hold up its effect's deadline.
    fn due(&self, now: Timestamp, is_blocked: impl Fn(&EffectRow) -> bool) -> impl Iterator<Item = Due<'_>> {
        let polls = self.polls.iter().take_while(move |((at, _), _)| *at <= now);
        let mut polls = polls.map(|((at, _), row)| Due { at: *at, row, event: AgendaEvent::Poll }).peekable();
        let times = self.times.iter().take_while(move |(at, _)| *at <= now);
        let mut times = times.filter_map(|(at, id)| self.open_at(*at, id)).peekable();
        let in_order = iter::from_fn(move || match (polls.peek(), times.peek()) {
            (Some(poll), Some(other)) if other.at < poll.at => times.next(),
            (Some(_), _) => polls.next(),
            (None, _) => times.next(),
        });
        in_order.filter_map(move |due| {
            if !due.event.is_call() || !is_blocked(due.row) {
                return Some(due);
            }
            let deadline = due.row.effect.deadline.filter(|at| *at <= now && due.event == AgendaEvent::Call);
            deadline.map(|at| Due { at, event: AgendaEvent::Deadline, ..due })
        })
    }

    /// Returns the event of an open effect at this time.
    fn open_at(&self, at: Timestamp, id: &EffectId) -> Option<Due<'_>> {
        let (row, state) = self.open.get(id)?;
        let is_lease = row.lease.until.is_some_and(|until| until <= at);
        let event = match state {
            AgendaState::ToCall if is_lease => AgendaEvent::Call,
            AgendaState::Called if is_lease => AgendaEvent::LeaseExpired,
            _ => AgendaEvent::Deadline,
        };
        Some(Due { at, row, event })
    }
}

/// A due event in the agenda.
struct Due<'a> {
    at: Timestamp,
    row: &'a EffectRow,
    event: AgendaEvent,
}
