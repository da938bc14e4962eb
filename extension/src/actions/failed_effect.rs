//! Reports to the operators effects that failed for good or have had no result until their deadline. The operators need the
//! provider's code and message; customers see neither.

use crate::desk::Desk;
use crate::model::effect_kinds::MAIL_SEND;
use crate::model::halt::Ruled;
use crate::model::mail_kinds;
use crate::model::notice::send_once;
use crate::model::time::{day_of, rfc3339};
use extension_contract::{EffectFailure, EffectFailureClass, EffectReport, IgnoreReason, Outcome};
use serde_json::json;

/// Code of the host for an effect whose deadline has passed.
const DEADLINE: &str = "deadline";

/// Handles the result of an effect that no rule waits for: reports a failure to the operators.
pub(crate) fn unattended_result(desk: &mut Desk<'_>, report: &EffectReport) -> Ruled<Outcome> {
    let Err(failure) = &report.answer else { return Ok(Outcome::Ignored(IgnoreReason::NoChange)) };
    // A mail about a failed mail would fail, too; the outbox shows the failure.
    if desk.kind != MAIL_SEND {
        send(desk, report, failure, &format!("{}:{}", report.key, report.generation))?;
    }
    Ok(Outcome::Applied)
}

/// Reports a failure to the operators, because its caller only learns that it happened. Callers try again, so an
/// account causes at most one mail a day for each kind of effect.
pub(crate) fn tell_operators(desk: &mut Desk<'_>, report: &EffectReport, failure: &EffectFailure) -> Ruled<()> {
    let day = rfc3339(day_of(desk.now));
    let reference = format!("{}:{}", desk.kind, &day[..10]);
    send(desk, report, failure, &reference)
}

fn send(desk: &mut Desk<'_>, report: &EffectReport, failure: &EffectFailure, reference: &str) -> Ruled<()> {
    let values = json!({"effect": report.key, "kind": desk.kind, "code": failure.code, "message": failure.message});
    send_once(&mut desk.account, &mail_kinds::EFFECT_FAILED, reference, &values)
}

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
