//! Questions to the payment provider: an object is asked for under one key, with a generation that rises with each
//! question that failed for good. After three of them an operator is told; who runs the event again asks again.

use crate::context::{Context, Step, encode, request, short_hash};
use crate::notice;
use products_contract::*;
use serde_json::{Value, json};

/// Failed questions in a row after which an operator is told instead of asking once more.
const ASKED_MAX: u32 = 3;

/// Ask for an object, unless the same question is open.
pub(crate) fn ask(context: &mut Context<'_, '_>, key: &str, payload: &Value) -> Step<()> {
    let failed = failures(context, key)?;
    // Each event that waits gives up by itself, so that two of them don't ask in turn for ever.
    let gave_up = format!("unanswered:{key}:{failed}:{}", short_hash(&context.event.id));
    if failed > 0 && failed % ASKED_MAX == 0 && context.note(&gave_up)? {
        let values = json!({"question": key, "asked": failed});
        return notice::now(context, "retrieve_unanswered", notice::To::Admin, &format!("{key}:{failed}"), &values);
    }
    let effect = request("stripe.retrieve", key.to_owned(), encode(payload)?);
    context.host.effects_enqueue(&[Effect { generation: failed.saturating_add(1), ..effect }]);
    Ok(())
}

/// Remember that a question failed for good.
pub(crate) fn note_failure(context: &mut Context<'_, '_>, report: &EffectReport) -> Step<()> {
    context.note(&failure(&report.key, report.generation))?;
    Ok(())
}

/// Questions under a key that failed for good.
fn failures(context: &mut Context<'_, '_>, key: &str) -> Step<u32> {
    let mut failed = 0;
    while context.host.is_noted(&failure(key, failed + 1))? {
        failed += 1;
    }
    Ok(failed)
}

fn failure(key: &str, generation: u32) -> String {
    format!("retrieve-failed:{key}:{generation}")
}
