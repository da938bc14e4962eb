//! Retrieves objects from Stripe, each under one effect key, with a generation that rises after each final failure.
//! After three failures the operators are notified; redelivering the event retrieves again.

use crate::desk::Desk;
use crate::model::correlation::Correlation;
use crate::model::effect::request;
use crate::model::halt::Ruled;
use crate::model::keys::{EffectKey, FactKey};
use crate::model::mail_kinds;
use crate::model::notice::send_once;
use extension_contract::*;
use extension_reader::Raw;
use serde::Deserialize;
use serde_json::{Value, json};

/// Number of consecutive failures after which the operators are notified instead of another attempt.
const ATTEMPTS_MAX: u32 = 3;

/// Retrieves the current state of an object; the event is deferred until the result arrives.
pub(crate) fn retrieve_snapshot(desk: &mut Desk<'_>, object: &str, id: &str, at: Timestamp) -> Ruled<Outcome> {
    retrieve_again(desk, object, id, at, KnownSnapshots::default())
}

/// The known snapshots of an object at the time of a retrieval.
#[derive(Default)]
pub(crate) struct KnownSnapshots {
    /// Ids of the events that delivered the snapshots; the retrieved snapshot is newer.
    pub events: Vec<String>,
    /// Number of snapshots of the same second if a retrieved snapshot is among them, and otherwise 0. It distinguishes
    /// the keys of repeated retrievals.
    pub views: usize,
}

/// Like [`retrieve_snapshot`], for an object with known snapshots.
pub(crate) fn retrieve_again(
    desk: &mut Desk<'_>,
    object: &str,
    id: &str,
    at: Timestamp,
    known: KnownSnapshots,
) -> Ruled<Outcome> {
    let key = EffectKey::Retrieve { object: id.to_owned(), because: at, views: known.views };
    retrieve(desk, &key, id, &json!({"object": object, "id": id}), known.events)?;
    Ok(Outcome::Deferred(DeferReason::Effect(key.to_string())))
}

/// Retrieves an object. The request has no effect if the same retrieval is open.
pub(crate) fn retrieve(
    desk: &mut Desk<'_>,
    key: &EffectKey,
    id: &str,
    payload: &Value,
    known: Vec<String>,
) -> Ruled<()> {
    retrieve_for(desk, key, payload, &Correlation::Retrieve { object: id.to_owned(), known })
}

/// Retrieves an object with a given correlation. The request has no effect if the same retrieval is open. After each third
/// failure, notifies the operators instead.
pub(crate) fn retrieve_for(desk: &mut Desk<'_>, key: &EffectKey, payload: &Value, about: &Correlation) -> Ruled<()> {
    let text = key.to_string();
    let failures = failures(desk, &text)?;
    // Each waiting event gives up separately, so that two events do not retry in turn without end.
    let gave_up = FactKey::Unanswered { key: &text, failures, event: &desk.event_hash() }.to_string();
    if failures > 0 && failures % ATTEMPTS_MAX == 0 && desk.account.record_fact(&gave_up)? {
        let values = json!({"question": text, "asked": failures});
        let reference = format!("{text}:{failures}");
        return send_once(&mut desk.account, &mail_kinds::RETRIEVE_UNANSWERED, &reference, &values);
    }
    let effect = request(key, payload, Some(about))?;
    desk.account.ask(Effect { generation: failures.saturating_add(1), ..effect });
    Ok(())
}

/// Returns the number of final failures under a key.
fn failures(desk: &mut Desk<'_>, key: &str) -> Ruled<u32> {
    let mut failures = 0;
    while desk.account.is_known(&FactKey::RetrieveFailed { key, generation: failures + 1 }.to_string())? {
        failures += 1;
    }
    Ok(failures)
}

/// The result of a `stripe.retrieve`.
#[derive(Deserialize)]
pub(crate) struct RetrieveResult<'a> {
    /// The date of Stripe's response, in milliseconds since the Unix epoch.
    pub date_ms: i64,
    #[serde(borrow)]
    pub object: Raw<'a>,
}

/// Returns the result of a retrieval. After a final failure it counts the failure and returns `None`.
pub(crate) fn read_answer<'r>(desk: &mut Desk<'_>, report: &'r EffectReport) -> Ruled<Option<RetrieveResult<'r>>> {
    let Ok(answer) = &report.answer else {
        let failed = FactKey::RetrieveFailed { key: &report.key, generation: report.generation };
        desk.account.record_fact(&failed.to_string())?;
        return Ok(None);
    };
    Ok(Some(extension_reader::from_str(answer).map_err(|error| malformed(report, &error))?))
}

/// Returns the refusal of a result that cannot be read.
pub(crate) fn malformed(report: &EffectReport, error: &extension_reader::Error) -> Refusal {
    Refusal::Malformed(format!("{}: {error}", report.key))
}
