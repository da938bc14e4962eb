//! Checks whether a change violates a constraint, for every store. A store checks before its first write, so that a
//! refusal has nothing to undo.

use crate::changes::{Changes, EffectChange, InboxChange};
use crate::error::{StoreError, Stored};
use extension_contract::{Purchase, Row, RowKey};
use std::collections::BTreeSet;

/// A field whose value is unique among the purchases of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UniqueField {
    /// The checkout session.
    Session,
    /// The payment intent.
    PaymentIntent,
}

impl UniqueField {
    /// All fields, in order of their discriminants.
    pub const ALL: [UniqueField; 2] = [UniqueField::Session, UniqueField::PaymentIntent];

    /// Returns the name of the unique index.
    pub fn index(self) -> &'static str {
        match self {
            UniqueField::Session => "purchase.session",
            UniqueField::PaymentIntent => "purchase.payment-intent",
        }
    }

    /// Returns the value of the field in a purchase.
    pub fn of(self, row: &Purchase) -> Option<&String> {
        match self {
            UniqueField::Session => row.values.session_id.as_ref(),
            UniqueField::PaymentIntent => row.values.payment_intent_id.as_ref(),
        }
    }
}

/// Looks up existing rows in the scope of a change.
pub trait Lookup {
    /// Returns the purchase with a value in a unique field.
    fn purchase(&self, unique: UniqueField, value: &str) -> Stored<Option<RowKey>>;
    /// Returns whether the scope has a fact.
    fn fact(&self, fact: &str) -> Stored<bool>;
    /// Returns whether a generation of an effect exists.
    fn effect(&self, key: &str, generation: u32) -> Stored<bool>;
    /// Returns whether the inbox has a row.
    fn event(&self, seq: u64) -> Stored<bool>;
}

/// Refuses a change that takes a unique value of another row, repeats a fact or a generation of an effect, or updates a
/// missing row.
pub fn check(changes: &Changes, existing: &impl Lookup) -> Stored<()> {
    check_purchases(changes, existing, UniqueField::Session)?;
    check_purchases(changes, existing, UniqueField::PaymentIntent)?;
    for fact in &changes.facts {
        if existing.fact(fact)? {
            return Err(StoreError::Taken("fact".to_owned()));
        }
    }
    check_effects(&changes.effects, existing)?;
    match &changes.inbox {
        Some(InboxChange::Move(change)) if !existing.event(change.seq)? => {
            Err(StoreError::Misuse(format!("no inbox row {}", change.seq)))
        }
        _ => Ok(()),
    }
}

fn check_purchases(changes: &Changes, existing: &impl Lookup, unique: UniqueField) -> Stored<()> {
    let mut seen = BTreeSet::new();
    for write in &changes.rows {
        let Some(Row::Purchase(row)) = &write.row else { continue };
        let Some(value) = unique.of(row) else { continue };
        // If the same change also writes the other row, the other row releases its old value.
        let other = existing.purchase(unique, value)?;
        let taken = other.is_some_and(|other| changes.rows.iter().all(|write| write.key != other));
        if taken || !seen.insert(value) {
            return Err(StoreError::Taken(unique.index().to_owned()));
        }
    }
    Ok(())
}

fn check_effects(changes: &[EffectChange], existing: &impl Lookup) -> Stored<()> {
    for (at, change) in changes.iter().enumerate() {
        let exists = |key: &str, generation: u32| -> Stored<bool> {
            let inserted = changes[..at].iter().any(|change| {
                matches!(change, EffectChange::Insert(row)
                    if row.effect.key == key && row.effect.generation == generation)
            });
            Ok(inserted || existing.effect(key, generation)?)
        };
        match change {
            EffectChange::Insert(row) => {
                if exists(&row.effect.key, row.effect.generation)? {
                    return Err(StoreError::Taken("effect.generation".to_owned()));
                }
            }
            EffectChange::Update { key, generation, .. } => {
                if !exists(key, *generation)? {
                    return Err(StoreError::Misuse(format!("no effect `{key}` of generation {generation}")));
                }
            }
        }
    }
    Ok(())
}
