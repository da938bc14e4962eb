//! What a store says should exist: every resource that was made, and was not destroyed since.

use crate::error::ReplayError;
use host_providers::scripted::{Resource, Scripted};
use host_providers::{Call, Simulation};
use host_store::{Scope, Store};
use products_contract::{EffectReport, Payload};

/// Rows of the inbox that are read at a time.
const PAGE: usize = 256;

/// The resources of all businesses in a store, by the results that came in, in their order. Nothing is started and nothing
/// written.
pub fn recorded(store: &dyn Store) -> Result<Vec<Resource>, ReplayError> {
    let made = Scripted::new();
    let mut after = 0;
    loop {
        let page = store.inbox_after(after, PAGE)?;
        let Some(last) = page.last() else { return Ok(made.inventory()) };
        after = last.seq;
        for inbox in page {
            let Payload::EffectResult(EffectReport { key, generation, answer: Ok(answer), .. }) = &inbox.event.payload
            else {
                continue;
            };
            let Some(account) = inbox.event.account else { continue };
            let livemode = inbox.event.livemode == Some(true);
            let scope = Scope { business: inbox.event.business, livemode, account };
            let rows = store.effect(&scope, key)?;
            let Some(row) = rows.into_iter().find(|row| row.effect.generation == *generation) else { continue };
            // What an erasure has emptied says nothing of a resource any more.
            let (Ok(payload), Ok(outputs)) = (serde_json::from_str(&row.effect.payload), serde_json::from_str(answer))
            else {
                continue;
            };
            let call = Call {
                kind: row.effect.kind,
                scope: scope.name(),
                key: row.effect.key,
                generation: *generation,
                payload,
                ..Call::default()
            };
            made.remember(&call, &outputs);
        }
    }
}
