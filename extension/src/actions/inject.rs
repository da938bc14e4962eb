//! Injects an object that was retrieved as an event of the payment source, so that the host places it by its content.

use super::retrieve::RetrieveResult;
use crate::desk::Desk;
use crate::model::effect::request;
use crate::model::halt::Ruled;
use crate::model::json::decode;
use crate::model::keys::EffectKey;
use extension_contract::EffectReport;
use serde::Serialize;
use serde_json::Value;

/// Payload of `payment.event`: the event that the host is to process.
#[derive(Serialize)]
struct InjectedEvent<'a> {
    id: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    date_ms: i64,
    object: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    connected_account: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    api_version: Option<String>,
}

/// Injects a retrieved object as an event of the given kind.
pub(crate) fn inject(
    desk: &mut Desk<'_>,
    event: &str,
    kind: &str,
    report: &EffectReport,
    answer: &RetrieveResult<'_>,
) -> Ruled<()> {
    let facts = desk.payment.cloned().unwrap_or_default();
    let payload = InjectedEvent {
        id: event,
        kind,
        date_ms: answer.date_ms,
        object: decode("effects", &report.key, answer.object.get())?,
        connected_account: facts.connected_account,
        api_version: facts.api_version,
    };
    let key = EffectKey::Told { event: event.to_owned() };
    desk.account.ask(request(&key, &payload, None)?);
    Ok(())
}
