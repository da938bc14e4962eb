//! Calls that ended with a success, as a store has them: by the results in its inbox.

use super::events::failure;
use extension_contract::{EffectFailure, EffectFailureClass, EffectReport, Payload, StoreError};
use host_provider_api::{Call, SecretAccess};
use host_store::{EffectRow, InboxRow, Partition, Store};
use serde_json::Value;

/// Rows of the inbox that are read at a time.
const PAGE: usize = 256;

/// Every call of this business and mode, or of all that a store has, that ended with a success, with its outputs, in the order
/// of the results. An effect that an erasure has emptied is passed over.
pub fn each_done(
    store: &dyn Store,
    of: Option<&Partition>,
    visit: &mut dyn FnMut(&Call, &Value),
) -> Result<(), StoreError> {
    let mut after = 0;
    loop {
        let page = store.inbox_after(after, PAGE)?;
        let Some(last) = page.last() else { return Ok(()) };
        after = last.seq;
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
    }
}

fn partition(inbox: &InboxRow) -> Partition {
    Partition { business: inbox.event.business.clone(), livemode: inbox.livemode }
}

/// The call that carries a row's effect out now.
pub(super) fn call_of(row: &EffectRow, secrets: SecretAccess) -> Result<Call, EffectFailure> {
    let payload = serde_json::from_str(&row.effect.payload)
        .map_err(|error| failure(EffectFailureClass::Final, "bad-payload", error.to_string()))?;
    Ok(Call {
        kind: row.effect.kind.clone(),
        scope: row.scope.name(),
        key: row.effect.key.clone(),
        generation: row.effect.generation,
        attempt: row.attempts,
        payload,
        token: row.lease.token.clone(),
        deadline: row.effect.deadline,
        lease: row.lease.number,
        secrets,
    })
}
