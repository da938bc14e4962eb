//! What refuses a change, for every store alike: asked before the first row is touched, so that nothing is ever undone.

use crate::changes::{Changes, EffectChange, InboxChange};
use extension_contract::{Purchase, Row, RowKey, StoreError, Stored};
use std::collections::BTreeSet;

/// A field that only one purchase of an account may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unique {
    Session,
    PaymentIntent,
}

impl Unique {
    /// Every one of them, in the order of their numbers.
    pub(crate) const ALL: [Unique; 2] = [Unique::Session, Unique::PaymentIntent];

    fn index(self) -> &'static str {
        match self {
            Unique::Session => "purchase.session",
            Unique::PaymentIntent => "purchase.payment-intent",
        }
    }

    /// What a purchase has in the field.
    pub(crate) fn of(self, row: &Purchase) -> Option<&String> {
        match self {
            Unique::Session => row.values.session_id.as_ref(),
            Unique::PaymentIntent => row.values.payment_intent_id.as_ref(),
        }
    }
}

/// What is there, of the scope of a change.
pub(crate) trait Present {
    /// The purchase that has a value in a unique field.
    fn purchase(&self, unique: Unique, value: &str) -> Stored<Option<RowKey>>;
    /// Whether a fact is noted.
    fn fact(&self, fact: &str) -> Stored<bool>;
    /// Whether a generation of an effect was asked for.
    fn effect(&self, key: &str, generation: u32) -> Stored<bool>;
    /// Whether the inbox has a row.
    fn event(&self, seq: u64) -> Stored<bool>;
}

/// Refuse a change that takes what another row has, or changes what is not there.
pub(crate) fn check(changes: &Changes, present: &impl Present) -> Stored<()> {
    check_purchases(changes, present, Unique::Session)?;
    check_purchases(changes, present, Unique::PaymentIntent)?;
    for fact in &changes.facts {
        if present.fact(fact)? {
            return Err(StoreError::Taken("fact".to_owned()));
        }
    }
    check_effects(&changes.effects, present)?;
    match &changes.inbox {
        Some(InboxChange::Move(change)) if !present.event(change.seq)? => {
            Err(StoreError::Unavailable(format!("no inbox row {}", change.seq)))
        }
        _ => Ok(()),
    }
}

fn check_purchases(changes: &Changes, present: &impl Present, unique: Unique) -> Stored<()> {
    let mut seen = BTreeSet::new();
    for write in &changes.rows {
        let Some(Row::Purchase(row)) = &write.row else { continue };
        let Some(value) = unique.of(row) else { continue };
        // A row that is replaced by the same change gives up its old value.
        let other = present.purchase(unique, value)?;
        let taken = other.is_some_and(|other| changes.rows.iter().all(|write| write.key != other));
        if taken || !seen.insert(value) {
            return Err(StoreError::Taken(unique.index().to_owned()));
        }
    }
    Ok(())
}

fn check_effects(changes: &[EffectChange], present: &impl Present) -> Stored<()> {
    for (at, change) in changes.iter().enumerate() {
        let is_there = |key: &str, generation: u32| -> Stored<bool> {
            let inserted = changes[..at].iter().any(|change| {
                matches!(change, EffectChange::Insert(row)
                    if row.effect.key == key && row.effect.generation == generation)
            });
            Ok(inserted || present.effect(key, generation)?)
        };
        match change {
            EffectChange::Insert(row) => {
                if is_there(&row.effect.key, row.effect.generation)? {
                    return Err(StoreError::Taken("effect.generation".to_owned()));
                }
            }
            EffectChange::Update { key, generation, .. } => {
                if !is_there(key, *generation)? {
                    return Err(StoreError::Unavailable(format!("no effect `{key}` of generation {generation}")));
                }
            }
        }
    }
    Ok(())
}
