//! Finds what still refers to a resource. Each request about a resource has a higher generation than the previous one,
//! and the last request for a resource that is no longer needed destroys it; so the newest effect on it shows whether
//! the extension wants it to exist.

use extension_contract::{EffectFailureClass, Payload};
use host_provider_api::{ResourceId, VERBS};
use host_store::{EFFECT_RESULTS, EffectRow, EffectState, Partition, Read, Scope, StoreError};
use std::fmt;

/// The effect that refers to a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceUse {
    /// Key of the effect, for example `inst_1/compute/ensure`.
    pub key: String,
    /// Generation of the effect.
    pub generation: u32,
    /// State of the effect.
    pub state: EffectState,
}

impl fmt::Display for ResourceUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, generation {}, {}", self.key, self.generation, self.state.name())
    }
}

/// Returns what refers to a resource: an effect that has not ended, or else the newest effect after the last destruction. A creation
/// that the provider refused refers to nothing. None if the resource was never requested, or if it is no longer needed.
///
/// # Errors
/// Fails if the store fails.
pub fn use_of(store: &dyn Read, id: &ResourceId) -> Result<Option<ResourceUse>, StoreError> {
    let Some(scope) = scope_of(&id.scope) else { return Ok(None) };
    let mut rows: Vec<EffectRow> = Vec::new();
    for verb in VERBS {
        rows.extend(store.effect(&scope, &format!("{}/{verb}", id.id))?);
    }
    // A cancelled effect never began. A different kind of resource may have had the same name.
    let is_about = |row: &EffectRow| row.effect.kind.rsplit_once('.').is_some_and(|(of, _)| of == id.resource);
    rows.retain(|row| row.state != EffectState::Cancelled && is_about(row));
    rows.sort_by_key(|row| (row.state.is_open(), row.effect.generation));
    let asks = |row: &EffectRow, verb: &str| row.effect.key.ends_with(&format!("/{verb}"));
    while let Some(row) = rows.pop() {
        if row.state.is_open() || !(asks(&row, "destroy") || (asks(&row, "ensure") && is_refused(store, &row)?)) {
            return Ok(Some(ResourceUse { key: row.effect.key, generation: row.effect.generation, state: row.state }));
        }
        if asks(&row, "destroy") {
            return Ok(None);
        }
    }
    Ok(None)
}

/// Returns whether the provider refused an effect on its first attempt, so that it had no consequences.
fn is_refused(store: &dyn Read, row: &EffectRow) -> Result<bool, StoreError> {
    let id = format!("{}/{}@{}", row.scope.name(), row.effect.key, row.effect.generation);
    let Some(inbox) = store.event(&row.scope.partition(), EFFECT_RESULTS, &id)? else { return Ok(false) };
    let Payload::EffectResult(report) = inbox.event.payload else { return Ok(false) };
    Ok(report.attempts <= 1 && report.answer.is_err_and(|failure| failure.class == EffectFailureClass::Final))
}

/// Parses the name of a scope: `business/mode/account`.
fn scope_of(name: &str) -> Option<Scope> {
    let mut parts = name.splitn(3, '/');
    let (business, mode, account) = (parts.next()?, parts.next()?, parts.next()?);
    let livemode = match mode {
        "live" => true,
        "test" => false,
        _ => return None,
    };
    Some(Partition { business: business.to_owned(), livemode }.scope(account.parse().ok()?))
}
