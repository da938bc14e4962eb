//! Effects that were begun in this process and whose answer is still to come.

use host_providers::Answer;
use host_store::EffectRow;
use products_contract::Timestamp;
use std::collections::BTreeMap;

/// Partition, key and generation.
type EffectId = (String, String, u32);

/// A begun effect without an answer.
struct Open {
    row: EffectRow,
    /// When the answer arrives, and which; none if it never does.
    answer: Option<(Timestamp, Answer)>,
}

/// Something that happens to a begun effect.
pub(crate) enum Arrival {
    /// Its answer arrives in time.
    Answer(EffectRow, Answer),
    /// Its deadline passes.
    Deadline(EffectRow),
    /// Its answer arrives after its deadline.
    TooLate(EffectRow, Answer),
}

/// All begun effects without an answer, in memory only: a provider that still works on one after a restart is called
/// again under the same key.
#[derive(Default)]
pub(crate) struct Waiting {
    open: BTreeMap<EffectId, Open>,
    /// What happens next, by time; the flag tells that the effect has ended already.
    agenda: BTreeMap<(Timestamp, EffectId), Option<(EffectRow, Answer)>>,
}

impl Waiting {
    /// Wait for an answer that arrives at a time, or never, and for the effect's deadline.
    pub(crate) fn add(&mut self, row: EffectRow, answer: Option<(Timestamp, Answer)>) {
        let id = id(&row);
        let ends = answer.as_ref().map(|(at, _)| *at).into_iter().chain(row.effect.deadline).min();
        if let Some(at) = ends {
            self.agenda.insert((at, id.clone()), None);
        }
        self.open.insert(id, Open { row, answer });
    }

    /// True if this process waits for the effect's answer.
    pub(crate) fn has(&self, row: &EffectRow) -> bool {
        self.open.contains_key(&id(row))
    }

    /// When something happens next.
    pub(crate) fn next(&self) -> Option<Timestamp> {
        self.agenda.first_key_value().map(|((at, _), _)| *at)
    }

    /// What happens first, if it does so until `now`.
    pub(crate) fn pop(&mut self, now: Timestamp) -> Option<Arrival> {
        self.agenda.first_key_value().filter(|((at, _), _)| *at <= now)?;
        let ((at, id), too_late) = self.agenda.pop_first()?;
        if let Some((row, answer)) = too_late {
            return Some(Arrival::TooLate(row, answer));
        }
        let Open { row, answer } = self.open.remove(&id)?;
        match answer {
            Some((arrives, answer)) if arrives <= at => Some(Arrival::Answer(row, answer)),
            Some((arrives, answer)) => {
                self.agenda.insert((arrives, id), Some((row.clone(), answer)));
                Some(Arrival::Deadline(row))
            }
            None => Some(Arrival::Deadline(row)),
        }
    }
}

fn id(row: &EffectRow) -> EffectId {
    (row.scope.partition(), row.effect.key.clone(), row.effect.generation)
}
