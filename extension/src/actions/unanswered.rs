//! Requests that have had no result until their deadline.

use crate::desk::Desk;
use crate::model::halt::Ruled;
use crate::model::mail_kinds;
use crate::model::notice::send_once;
use extension_contract::{EffectFailure, EffectFailureClass, EffectReport};
use serde_json::json;

/// Code of the host for an effect whose deadline has passed.
const DEADLINE: &str = "deadline";

/// Returns whether an effect ended because its deadline passed, and not because its attempts failed.
pub(crate) fn is_past_deadline(failure: &EffectFailure) -> bool {
    failure.class == EffectFailureClass::TimedOut && failure.code == DEADLINE
}

/// Reports a request without a result to the operators.
pub(crate) fn report_unanswered(desk: &mut Desk<'_>, report: &EffectReport) -> Ruled<()> {
    let values = json!({"effect": report.key, "kind": desk.kind});
    let reference = format!("{}:{}", report.key, report.generation);
    send_once(&mut desk.account, &mail_kinds::EFFECT_UNANSWERED, &reference, &values)
}
