//! An operator retries, adopts or abandons an effect that has not ended.

use super::agenda;
use super::events::{failure, is_hosts_own};
use super::queue::EffectTransition;
use super::{Outbox, OutboxError, without_lease};
use crate::processor::Report;
use extension_contract::{Actor, EffectFailureClass, Timestamp};
use host_store::Scope;
use serde_json::Value;

/// An effect that has not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenEffect {
    /// Scope that requested the effect.
    pub scope: Scope,
    /// Key.
    pub key: String,
    /// Generation.
    pub generation: u32,
}

/// An action of an operator on an effect.
#[derive(Clone, Debug, PartialEq)]
pub enum Intervention {
    /// The next attempt begins now. A call without an answer counts as lost; if it succeeds late, that is a separate
    /// event.
    Retry,
    /// The operator has done the work manually: the effect succeeds with these outputs.
    Adopt(Value),
    /// Nobody will do it: the effect fails permanently, with the code `abandoned` and this text.
    Abandon(String),
}

/// The reason why an operator could not act on an effect.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum InterveneError {
    /// There is no such effect, or it has ended.
    #[error("no open effect `{key}`, generation {generation}, of {scope}")]
    NotOpen {
        /// The given scope.
        scope: String,
        /// The given key.
        key: String,
        /// The given generation.
        generation: u32,
    },
    /// The host itself carries out the effect when it is due.
    #[error("`{kind}` is carried out by the host when it is due: expected an effect of a provider")]
    HostsOwn {
        /// Kind of the effect.
        kind: String,
    },
    /// The outbox failed; the effect is unchanged.
    #[error(transparent)]
    Outbox(#[from] OutboxError),
}

impl Outbox {
    /// Retries or ends an effect on behalf of an operator. Returns the reports of its result and of the events that it
    /// woke; none for a retry, which begins with the next [`Outbox::begin`].
    ///
    /// # Errors
    /// Fails if the effect has ended or is carried out by the host itself, in an open group, or if the store fails.
    pub fn intervene(
        &mut self,
        effect: &OpenEffect,
        intervention: Intervention,
        by: Actor,
        now: Timestamp,
    ) -> Result<Vec<Report>, InterveneError> {
        if self.processor().in_group() {
            return Err(OutboxError::GroupOpen.into());
        }
        self.clock = self.clock.max(now);
        let OpenEffect { scope, key, generation } = effect;
        let not_open = || InterveneError::NotOpen { scope: scope.name(), key: key.clone(), generation: *generation };
        let row = self.queue.row(scope, key, *generation).map_err(OutboxError::from)?;
        let row = row.filter(|row| row.state.is_open()).ok_or_else(not_open)?;
        let id = agenda::id(&row);
        if is_hosts_own(&row.effect.kind) {
            return Err(InterveneError::HostsOwn { kind: row.effect.kind });
        }
        let transition = match intervention {
            Intervention::Retry => EffectTransition::Retry(now),
            Intervention::Adopt(outputs) => EffectTransition::End { answer: Ok(outputs), by },
            Intervention::Abandon(text) => {
                EffectTransition::End { answer: Err(failure(EffectFailureClass::Final, "abandoned", text)), by }
            }
        };
        let (reports, stored) =
            self.queue.record(&[(without_lease(row), transition)], now).map_err(OutboxError::from)?;
        if stored != [true] {
            return Err(not_open());
        }
        self.agenda.take(&id);
        Ok(reports)
    }
}
