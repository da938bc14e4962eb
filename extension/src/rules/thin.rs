//! Thin events, which only refer to their object: retrieves the object and injects it as the corresponding classic event,
//! under the id of the classic event. The host then places the event by the object's content, and the event counts only
//! once if the classic event arrives, too.

use crate::actions::failed_effect::unattended_result;
use crate::actions::inject::inject;
use crate::actions::retrieve::{read_answer, retrieve_for};
use crate::desk::Desk;
use crate::input::THIN;
use crate::input::stripe::ThinEvent;
use crate::model::correlation::Correlation;
use crate::model::halt::Ruled;
use crate::model::keys::{EffectKey, FactKey};
use extension_contract::*;
use serde_json::json;

/// Retrieves the object; the event is deferred until the result arrives.
pub(super) fn decide(desk: &mut Desk<'_>, event: &ThinEvent<'_>) -> Ruled<Outcome> {
    if !desk.catalog.settings()?.thin_events {
        let what = "v2.core.event: expected a classic event, since the business does not set `thin_events`";
        return Err(Refusal::WrongShape(what.to_owned()).into());
    }
    let facts = desk.payment.cloned().unwrap_or_default();
    let event_id = facts.snapshot_event.unwrap_or_else(|| format!("{}:object", desk.event_id));
    if desk.account.is_known(&FactKey::Told(&event_id).to_string())? {
        return Ok(Outcome::Applied);
    }
    let (id, kind) = (&event.related_object.id, desk.kind.strip_prefix(THIN).unwrap_or(desk.kind));
    let key = EffectKey::Retrieve { object: id.to_string(), because: desk.payment_time, views: 0 };
    let mut payload = json!({"object": event.related_object.object, "id": id});
    if let Some(connected) = facts.connected_account {
        payload["connected_account"] = json!(connected);
    }
    retrieve_for(desk, &key, &payload, &Correlation::Thin { event: event_id, kind: kind.to_owned() })?;
    Ok(Outcome::Deferred(DeferReason::Effect(key.to_string())))
}

/// Handles the retrieved object: injects it as an event of the payment source.
pub(super) fn retrieved(desk: &mut Desk<'_>, event: &str, kind: &str, report: &EffectReport) -> Ruled<Outcome> {
    let Some(answer) = read_answer(desk, report)? else { return unattended_result(desk, report) };
    if !desk.account.record_fact(&FactKey::Told(event).to_string())? {
        return Ok(Outcome::Ignored(IgnoreReason::NoChange));
    }
    inject(desk, event, kind, report, &answer)?;
    Ok(Outcome::Applied)
}
