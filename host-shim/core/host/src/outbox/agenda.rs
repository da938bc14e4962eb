//! Effects that were begun and have not ended, and what happens to them next.

use extension_contract::Timestamp;
use host_provider_api::Call;
use host_store::EffectRow;
use std::collections::{BTreeMap, BTreeSet};

/// Partition, key and generation.
pub(super) type EffectId = (String, String, u32);

/// The effect that a call carries out.
pub(super) fn id_of(call: &Call) -> EffectId {
    (call.scope.clone(), call.key.clone(), call.generation)
}

fn id(row: &EffectRow) -> EffectId {
    (row.scope.name(), row.effect.key.clone(), row.effect.generation)
}

/// Why an effect stands in the agenda.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stands {
    /// It is to be called, or looked at if it has a token, when its lease runs out.
    ToCall,
    /// It was called; when its lease runs out, it counts as called without an answer.
    Called,
}

/// Something that happens to a begun effect.
#[derive(Debug, PartialEq)]
pub(super) enum Event {
    /// It is to be called, or looked at.
    Call(EffectRow),
    /// An effect that has ended is looked at, for what the provider made nevertheless.
    Look(EffectRow),
    /// Its lease ran out without an answer.
    LeaseOver(EffectRow),
    /// Its deadline passed.
    Deadline(EffectRow),
}

impl Event {
    /// True for those that a provider is called for.
    pub(super) fn is_call(&self) -> bool {
        matches!(self, Event::Call(_) | Event::Look(_))
    }
}

/// The agenda. It is in memory only; what it holds of open effects stands in their rows, too.
#[derive(Clone, Debug, Default)]
pub(super) struct Agenda {
    open: BTreeMap<EffectId, (EffectRow, Stands)>,
    /// Ended effects that a provider still works on, by the time of the look.
    looks: BTreeMap<(Timestamp, EffectId), EffectRow>,
    /// The next event of each open effect that has one.
    times: BTreeSet<(Timestamp, EffectId)>,
}

impl Agenda {
    /// Put a running effect in, until its lease runs out or its deadline passes, whichever is first.
    pub(super) fn add(&mut self, row: EffectRow, stands: Stands) {
        let id = id(&row);
        self.take(&id);
        if let Some(at) = [row.lease.until, row.effect.deadline].into_iter().flatten().min() {
            self.times.insert((at, id.clone()));
        }
        self.open.insert(id, (row, stands));
    }

    /// Take an effect out.
    pub(super) fn take(&mut self, id: &EffectId) -> Option<EffectRow> {
        let (row, _) = self.open.remove(id)?;
        if let Some(at) = [row.lease.until, row.effect.deadline].into_iter().flatten().min() {
            self.times.remove(&(at, id.clone()));
        }
        Some(row)
    }

    /// The lease under which an effect stands here.
    pub(super) fn lease(&self, id: &EffectId) -> Option<u64> {
        self.open.get(id).map(|(row, _)| row.lease.number)
    }

    /// True if the effect stands here.
    pub(super) fn has(&self, row: &EffectRow) -> bool {
        self.open.contains_key(&id(row))
    }

    /// Look at an effect that has ended, when its lease runs out.
    pub(super) fn look(&mut self, row: EffectRow) {
        if let Some(at) = row.lease.until {
            self.looks.insert((at, id(&row)), row);
        }
    }

    /// The open effects that are to be called or looked at, with the time of that.
    pub(super) fn calls(&self) -> impl Iterator<Item = (&EffectRow, Timestamp)> {
        let to_call = self.open.values().filter(|(_, stands)| *stands == Stands::ToCall);
        to_call.filter_map(|(row, _)| Some((row, row.lease.until?)))
    }

    /// When something happens next.
    pub(super) fn next(&self) -> Option<Timestamp> {
        let look = self.looks.first_key_value().map(|((at, _), _)| *at);
        [look, self.times.first().map(|(at, _)| *at)].into_iter().flatten().min()
    }

    /// What happens first, if it does so until `now`, and if `wanted` says so. At one time an answer comes before the
    /// deadline.
    pub(super) fn pop(&mut self, now: Timestamp, wanted: impl Fn(&Event) -> bool) -> Option<Event> {
        let at = self.next().filter(|at| *at <= now)?;
        if let Some(((time, id), row)) = self.looks.first_key_value()
            && *time == at
        {
            let (key, event) = ((*time, id.clone()), Event::Look(row.clone()));
            return wanted(&event).then(|| {
                self.looks.remove(&key);
                event
            });
        }
        let (_, id) = self.times.first()?;
        let (row, stands) = self.open.get(id)?;
        let is_lease = row.lease.until.is_some_and(|until| until <= at);
        let event = match stands {
            Stands::ToCall if is_lease => Event::Call(row.clone()),
            Stands::Called if is_lease => Event::LeaseOver(row.clone()),
            _ => Event::Deadline(row.clone()),
        };
        let id = id.clone();
        wanted(&event).then(|| {
            self.take(&id);
            event
        })
    }
}
