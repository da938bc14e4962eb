//! Why effects are tried again: the last failed attempt of each, for operators. It is in memory, so a server knows the attempts that it
//! made itself since its start.

use host_provider_api::{Call, CallOutcome, Reply};
use host_store::EffectRow;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Maximum effects whose last attempt is known. Beyond it, the one that failed first is forgotten.
const KNOWN_MAX: usize = 1_000;

/// Scope (`business/mode/account`), key and generation of an effect.
type Id = (String, String, u32);

/// A failed attempt that is followed by another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FailedTry {
    /// Number of the attempt, from 1.
    pub(crate) attempt: u32,
    /// The provider's code, for example `throttled`.
    pub(crate) code: String,
    /// The provider's words, without secrets.
    pub(crate) message: String,
}

#[derive(Debug, Default)]
struct Known {
    tries: BTreeMap<Id, (u64, FailedTry)>,
    /// The effects in the order of their last failed attempts.
    order: BTreeMap<u64, Id>,
    /// The number of the next failed attempt.
    next: u64,
}

impl Known {
    fn forget(&mut self, id: &Id) {
        if let Some((number, _)) = self.tries.remove(id) {
            self.order.remove(&number);
        }
    }

    fn note(&mut self, id: Id, failed: FailedTry) {
        self.forget(&id);
        self.order.insert(self.next, id.clone());
        self.tries.insert(id, (self.next, failed));
        self.next += 1;
        if self.tries.len() > KNOWN_MAX
            && let Some((_, oldest)) = self.order.pop_first()
        {
            self.tries.remove(&oldest);
        }
    }
}

/// The last failed attempts of a server's effects.
#[derive(Debug, Default)]
pub(crate) struct Tries(Mutex<Known>);

impl Tries {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes the answer to a call. An answer that ends the effect is the end of what is known about it.
    pub(crate) fn note(&self, call: &Call, reply: &Reply) {
        let id = (call.scope.clone(), call.key.clone(), call.generation);
        match reply {
            Reply::Answer(CallOutcome::Retry { code, message, .. }) => {
                let failed = FailedTry { attempt: call.attempt, code: code.clone(), message: message.clone() };
                self.known().note(id, failed);
            }
            Reply::Answer(CallOutcome::Done(_) | CallOutcome::Refused { .. }) => self.known().forget(&id),
            Reply::Answer(CallOutcome::InProgress { .. }) | Reply::Silence { .. } => {}
        }
    }

    /// Returns the last failed attempt of an effect.
    pub(crate) fn of(&self, row: &EffectRow) -> Option<FailedTry> {
        let id = (row.scope.name(), row.effect.key.clone(), row.effect.generation);
        self.known().tries.get(&id).map(|(_, failed)| failed.clone())
    }
}
