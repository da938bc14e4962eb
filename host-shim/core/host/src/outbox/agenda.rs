//! Which started effects have not ended, and what happens to each next? In memory only.

use extension_contract::Timestamp;
use host_provider_api::Call;
use host_store::EffectRow;
use std::collections::{BTreeMap, BTreeSet};

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
    /// To be called, or polled if it has a token, when its lease expires.
    ToCall,
    /// Called; when its lease expires, the answer counts as lost.
    Called,
}

/// An event of a started effect.
#[derive(Debug, PartialEq)]
pub(super) enum AgendaEvent {
    /// The effect is to be called or polled.
    Call(EffectRow),
    /// An ended effect is to be polled, for a late success.
    Poll(EffectRow),
    /// The lease expired without an answer.
    LeaseExpired(EffectRow),
    /// The deadline passed.
    Deadline(EffectRow),
}

impl AgendaEvent {
    /// Returns true for events that need a call of a provider.
    pub(super) fn is_call(&self) -> bool {
        matches!(self, AgendaEvent::Call(_) | AgendaEvent::Poll(_))
    }
}

/// The agenda of started effects. Open effects can be rebuilt from their rows.
#[derive(Clone, Debug, Default)]
pub(super) struct Agenda {
    open: BTreeMap<EffectId, (EffectRow, AgendaState)>,
    /// Ended effects that a provider still works on, by the time of the poll.
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

    /// Returns true if the agenda has the effect.
    pub(super) fn has(&self, row: &EffectRow) -> bool {
        self.open.contains_key(&id(row))
    }

    /// Adds a poll of an ended effect, at the end of its lease.
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

    /// Returns the time of the next event.
    pub(super) fn next(&self) -> Option<Timestamp> {
        let poll = self.polls.first_key_value().map(|((at, _), _)| *at);
        [poll, self.times.first().map(|(at, _)| *at)].into_iter().flatten().min()
    }

    /// Returns the time of the next event that is not a poll of a provider that still works on an effect.
    pub(super) fn next_without_polls(&self) -> Option<Timestamp> {
        let times = self.open.values().map(|(row, _)| {
            let until = row.lease.until.filter(|_| row.lease.token.is_none());
            [until, row.effect.deadline].into_iter().flatten().min()
        });
        times.flatten().min()
    }

    /// Removes and returns the next event, if it is due at `now` and `wanted` accepts it. At equal times, polls of
    /// ended effects come first, and the end of a lease comes before a deadline.
    pub(super) fn pop(&mut self, now: Timestamp, wanted: impl Fn(&AgendaEvent) -> bool) -> Option<AgendaEvent> {
        let at = self.next().filter(|at| *at <= now)?;
        if let Some(((time, id), row)) = self.polls.first_key_value()
            && *time == at
        {
            let (key, event) = ((*time, id.clone()), AgendaEvent::Poll(row.clone()));
            return wanted(&event).then(|| {
                self.polls.remove(&key);
                event
            });
        }
        let (_, id) = self.times.first()?;
        let (row, state) = self.open.get(id)?;
        let is_lease = row.lease.until.is_some_and(|until| until <= at);
        let event = match state {
            AgendaState::ToCall if is_lease => AgendaEvent::Call(row.clone()),
            AgendaState::Called if is_lease => AgendaEvent::LeaseExpired(row.clone()),
            _ => AgendaEvent::Deadline(row.clone()),
        };
        let id = id.clone();
        wanted(&event).then(|| {
            self.take(&id);
            event
        })
    }
}
