//! Records why effects fail: the last failed attempt of each, for operators. It is kept in memory, so a server knows only
//! the attempts that it has made since its start.

use host_provider_api::{Call, CallOutcome, Reply};
use host_store::EffectRow;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// Maximum number of effects whose last attempt is known. Beyond that, the one that failed first is dropped.
const KNOWN_MAX: usize = 1_000;

/// Scope (`business/mode/account`), key and generation of an effect.
type Id = (String, String, u32);

/// A failed attempt, which may be followed by another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FailedTry {
    /// Number of the attempt, from 1.
    pub(crate) attempt: u32,
    /// The provider's code, for example `throttled`.
    pub(crate) code: String,
    /// The provider's message, without secrets.
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
pub(crate) struct Tries {
    known: Mutex<Known>,
    /// Changes with each failed attempt.
    failed: watch::Sender<u64>,
}

impl Tries {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records the answer to a call. After a success, the effect is dropped.
    pub(crate) fn note(&self, call: &Call, reply: &Reply) {
        let id = (call.scope.clone(), call.key.clone(), call.generation);
        match reply {
            Reply::Answer(CallOutcome::Retry { code, message, .. } | CallOutcome::Refused { code, message }) => {
                let failed = FailedTry { attempt: call.attempt, code: code.clone(), message: message.clone() };
                self.known().note(id, failed);
                self.failed.send_modify(|number| *number += 1);
            }
            Reply::Answer(CallOutcome::Done(_)) => self.known().forget(&id),
            Reply::Answer(CallOutcome::InProgress { .. }) | Reply::Silence { .. } => {}
        }
    }

    /// Returns a receiver that changes with each failed attempt.
    pub(crate) fn watch(&self) -> watch::Receiver<u64> {
        self.failed.subscribe()
    }

    /// Returns the last failed attempt of an effect.
    pub(crate) fn of(&self, row: &EffectRow) -> Option<FailedTry> {
        let id = (row.scope.name(), row.effect.key.clone(), row.effect.generation);
        self.known().tries.get(&id).map(|(_, failed)| failed.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const SCOPE: &str = "shop/test/user:A";

    fn call(key: &str, attempt: u32) -> Call {
        Call {
            kind: "mail.send".to_owned(),
            scope: SCOPE.to_owned(),
            key: key.to_owned(),
            generation: 1,
            attempt,
            payload: json!({}),
            lease: 1,
            ..Call::default()
        }
    }

    fn code_of(tries: &Tries, key: &str) -> Option<(u32, String)> {
        let known = tries.known();
        let failed = known.tries.get(&(SCOPE.to_owned(), key.to_owned(), 1));
        failed.map(|(_, failed)| (failed.attempt, failed.code.clone()))
    }

    #[test]
    fn the_last_failed_attempt_is_known_until_the_effect_ends() {
        let tries = Tries::default();
        let fails =
            |attempt: u32, code: &str| tries.note(&call("k", attempt), &CallOutcome::retry(code, "later").into());
        fails(1, "throttled");
        fails(2, "timeout");
        assert_eq!(code_of(&tries, "k"), Some((2, "timeout".to_owned())));
        assert_eq!(code_of(&tries, "other"), None);
        tries.note(&call("k", 3), &Reply::Silence { lease_ms: None });
        assert_eq!(code_of(&tries, "k"), Some((2, "timeout".to_owned())), "silence says nothing");
        tries.note(&call("k", 3), &CallOutcome::refused("not-found", "there is no file").into());
        assert_eq!(code_of(&tries, "k"), Some((3, "not-found".to_owned())), "also why it failed for good");
        tries.note(&call("k", 4), &CallOutcome::Done(json!({})).into());
        assert_eq!(code_of(&tries, "k"), None);
        assert!(tries.known().order.is_empty());
    }

    #[test]
    fn the_effect_that_failed_first_is_forgotten_beyond_the_limit() {
        let tries = Tries::default();
        for number in 0..KNOWN_MAX {
            tries.note(&call(&format!("k{number}"), 1), &CallOutcome::retry("busy", "").into());
        }
        tries.note(&call("k0", 2), &CallOutcome::retry("busy", "").into());
        tries.note(&call("new", 1), &CallOutcome::retry("busy", "").into());
        let known = |key: &str| code_of(&tries, key).is_some();
        assert_eq!((known("k0"), known("k1"), known("k2"), known("new")), (true, false, true, true));
        let all = tries.known();
        assert_eq!((all.tries.len(), all.order.len()), (KNOWN_MAX, KNOWN_MAX));
    }
}
