//! Finds the calls that have succeeded, by reading the effect results in a store's inbox.

use super::events::failure;
use extension_contract::{EffectFailure, EffectFailureClass, EffectReport, Payload};
use host_provider_api::{Call, SecretAccess};
use host_store::{EffectRow, InboxRow, Partition, Read, StoreError};
use serde_json::Value;

/// Number of inbox rows per query.
const PAGE: usize = 256;

/// Visits every successful call of one business and mode, or of the whole store, with its outputs, in the order of the
/// results. Omits erased effects.
///
/// # Errors
/// Fails if the store fails.
pub fn each_done(
    store: &dyn Read,
    of: Option<&Partition>,
    visit: &mut dyn FnMut(&Call, &Value),
) -> Result<(), StoreError> {
    let mut after = 0;
    while let Some(next) = done_page(store, of, after, visit)? {
        after = next;
    }
    Ok(())
}

/// Visits the successful calls of one page of effect results, after the row `after`. Returns the last row of the page; none at
/// the end.
pub(super) fn done_page(
    store: &dyn Read,
    of: Option<&Partition>,
    after: u64,
    visit: &mut dyn FnMut(&Call, &Value),
) -> Result<Option<u64>, StoreError> {
    let page = store.effect_results_after(after, PAGE)?;
    let last = page.last().map(|row| row.seq);
    for inbox in page {
        let partition = partition(&inbox);
        let Payload::EffectResult(EffectReport { key, generation, answer: Ok(answer), .. }) = &inbox.event.payload
        else {
            continue;
        };
        let Some(account) = inbox.event.account.filter(|_| of.is_none_or(|of| *of == partition)) else { continue };
        let rows = store.effect(&partition.scope(account), key)?;
        let Some(row) = rows.into_iter().find(|row| row.effect.generation == *generation) else { continue };
        if let (Ok(call), Ok(outputs)) = (call_of(&row, SecretAccess::default()), serde_json::from_str(answer)) {
            visit(&call, &outputs);
        }
    }
    Ok(last)
}

fn partition(inbox: &InboxRow) -> Partition {
    Partition { business: inbox.event.business.clone(), livemode: inbox.livemode }
}

/// Builds the call that carries out the effect of a row.
pub(super) fn call_of(row: &EffectRow, secrets: SecretAccess) -> Result<Call, EffectFailure> {
    let payload = serde_json::from_str(&row.effect.payload)
        .map_err(|error| failure(EffectFailureClass::Final, "bad-payload", error.to_string()))?;
    Ok(Call {
        kind: row.effect.kind.clone(),
        scope: row.scope.name(),
        key: row.effect.key.clone(),
        requested_at: row.created_at,
        generation: row.effect.generation,
        attempt: row.attempts,
        payload,
        token: row.lease.token.clone(),
        deadline: row.effect.deadline,
        lease: row.lease.number,
        secrets,
    })
}
