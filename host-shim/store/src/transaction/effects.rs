//! The outbox as one transaction sees it.

use super::trace::AskedEffect;
use super::{Transaction, check};
use crate::changes::EffectChange;
use crate::rows::{EffectRow, EffectState, Lease, MESSAGE, TIMER};
use products_contract::{Account, Cancellation, Effect, EffectError, Stored};

/// What an effect means for those of its key that are there.
enum Step {
    /// It is there already.
    Nothing,
    /// It is the first of its key.
    Insert,
    /// It is newer than those of its key.
    Replace,
}

impl Transaction {
    pub(super) fn enqueue(&mut self, effects: &[Effect]) -> Stored<Result<(), EffectError>> {
        check::bulk(effects)?;
        let mut steps = Vec::with_capacity(effects.len());
        for (at, effect) in effects.iter().enumerate() {
            check_sizes(effect)?;
            if let Err(error) = self.check_effect(effect) {
                return Ok(Err(error));
            }
            match self.plan(effect, &effects[..at])? {
                Ok(step) => steps.push(step),
                Err(error) => return Ok(Err(error)),
            }
        }
        for (effect, step) in effects.iter().zip(steps) {
            self.trace.effects.push(AskedEffect {
                kind: effect.kind.clone(),
                key: effect.key.clone(),
                generation: effect.generation,
                new: !matches!(step, Step::Nothing),
            });
            match step {
                Step::Nothing => continue,
                Step::Insert => {}
                Step::Replace => {
                    for row in self.generations(&effect.key)? {
                        if not_started(&row) {
                            self.set_cancelled(row);
                        }
                    }
                }
            }
            self.trace.bytes += effect.payload.len() as u64;
            let now = self.context.now;
            let row = EffectRow {
                seq: 0,
                scope: self.context.scope.clone(),
                effect: effect.clone(),
                state: EffectState::Queued,
                attempts: 0,
                due_at: effect.not_before.unwrap_or(now),
                lease: Lease::default(),
                created_at: now,
                caused_by: self.context.event_id.clone(),
            };
            self.push_effect(effect.key.clone(), EffectChange::Insert(Box::new(row)));
        }
        Ok(Ok(()))
    }

    pub(super) fn cancel(&mut self, keys: &[String]) -> Stored<Vec<Cancellation>> {
        check::bulk(keys)?;
        for key in keys {
            check::id("effect key", key)?;
        }
        let mut answers = Vec::with_capacity(keys.len());
        for key in keys {
            let mut answer = Cancellation::Unknown;
            for row in self.generations(key)? {
                if not_started(&row) {
                    self.set_cancelled(row);
                    if answer == Cancellation::Unknown {
                        answer = Cancellation::Cancelled;
                    }
                } else if matches!(row.state, EffectState::Queued | EffectState::Running) {
                    answer = Cancellation::Started;
                }
            }
            answers.push(answer);
        }
        Ok(answers)
    }

    fn check_effect(&self, effect: &Effect) -> Result<(), EffectError> {
        let invalid = |text: &str| Err(EffectError::Invalid(format!("{} `{}`: {text}", effect.kind, effect.key)));
        match effect.kind.as_str() {
            TIMER if effect.not_before.is_none() => return invalid("a timer needs a not-before"),
            MESSAGE if effect.to.is_none() => return invalid("a message needs a receiver"),
            TIMER | MESSAGE => {}
            kind if !self.context.declared.effects.contains_key(kind) => {
                return Err(EffectError::UnknownKind(kind.to_owned()));
            }
            _ => {}
        }
        if effect.to.is_some() && effect.kind != MESSAGE {
            return invalid("only a message has a receiver");
        }
        if effect.retry.is_some_and(|retry| retry.max_attempts == 0) {
            return invalid("a retry policy has at least 1 attempt");
        }
        match check::json_problem(&effect.payload) {
            Some(problem) => invalid(&format!("payload: {problem}")),
            None => Ok(()),
        }
    }

    /// Decide what an effect means, given the ones before it in the same call.
    fn plan(&self, effect: &Effect, earlier: &[Effect]) -> Stored<Result<Step, EffectError>> {
        let rows = self.generations(&effect.key)?;
        let earlier = earlier.iter().filter(|other| other.key == effect.key);
        let mut step = Step::Insert;
        for other in rows.iter().map(|row| &row.effect).chain(earlier) {
            if other.generation > effect.generation {
                return Ok(Err(EffectError::Superseded(effect.key.clone())));
            }
            if other.generation == effect.generation {
                if !same_contents(other, effect) {
                    return Ok(Err(EffectError::KeyReused(effect.key.clone())));
                }
                step = Step::Nothing;
            } else if matches!(step, Step::Insert) {
                step = Step::Replace;
            }
        }
        Ok(Ok(step))
    }

    /// The generations of a key as they stand now.
    fn generations(&self, key: &str) -> Stored<Vec<EffectRow>> {
        let mut rows = self.store.effect(&self.context.scope, key)?;
        for place in self.effect_places.get(key).into_iter().flatten() {
            match &self.changes.effects[*place] {
                EffectChange::Insert(row) => rows.push((**row).clone()),
                EffectChange::Update { generation, state, .. } => {
                    if let Some(row) = rows.iter_mut().find(|row| row.effect.generation == *generation) {
                        row.state = *state;
                    }
                }
            }
        }
        Ok(rows)
    }

    fn set_cancelled(&mut self, row: EffectRow) {
        for place in self.effect_places.get(&row.effect.key).into_iter().flatten() {
            if let EffectChange::Insert(own) = &mut self.changes.effects[*place]
                && own.effect.generation == row.effect.generation
            {
                own.state = EffectState::Cancelled;
                return;
            }
        }
        let key = row.effect.key.clone();
        let change = EffectChange::Update {
            key: row.effect.key,
            generation: row.effect.generation,
            state: EffectState::Cancelled,
            attempts: row.attempts,
            due_at: row.due_at,
            lease: row.lease,
        };
        self.push_effect(key, change);
    }

    fn push_effect(&mut self, key: String, change: EffectChange) {
        self.effect_places.entry(key).or_default().push(self.changes.effects.len());
        self.changes.effects.push(change);
    }
}

fn not_started(row: &EffectRow) -> bool {
    row.state == EffectState::Queued && row.attempts == 0
}

/// Who waits for the end of an effect is not part of it.
fn same_contents(a: &Effect, b: &Effect) -> bool {
    a.kind == b.kind
        && a.to == b.to
        && a.payload == b.payload
        && a.ordering_key == b.ordering_key
        && a.not_before == b.not_before
        && a.deadline == b.deadline
        && a.retry == b.retry
}

fn check_sizes(effect: &Effect) -> Stored<()> {
    check::id("effect kind", &effect.kind)?;
    check::id("effect key", &effect.key)?;
    if let Some(ordering_key) = &effect.ordering_key {
        check::id("ordering key", ordering_key)?;
    }
    if let Some(Account::User(id) | Account::Organization(id)) = &effect.to {
        check::id("receiver", id)?;
    }
    check::json_size("effect payload", &effect.payload)
}
