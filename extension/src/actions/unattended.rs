//! Results of effects that no rule waits for.

use crate::catalog::desk::Desk;
use crate::model::effects::MAIL_SEND;
use crate::model::halt::Ruled;
use crate::model::mails;
use crate::model::notice::send_once;
use extension_contract::{EffectReport, IgnoreReason, Outcome};

/// Handles the result of an effect that no rule waits for: reports a failure to the operators.
pub(crate) fn unattended_result(desk: &mut Desk<'_>, report: &EffectReport) -> Ruled<Outcome> {
    let Err(failure) = &report.answer else { return Ok(Outcome::Ignored(IgnoreReason::NoChange)) };
    // A mail about a failed mail would fail, too; the outbox shows the failure.
    if desk.kind == MAIL_SEND {
        return Ok(Outcome::Applied);
    }
    let values = serde_json::json!({"effect": report.key, "kind": desk.kind, "code": failure.code});
    let reference = format!("{}:{}", report.key, report.generation);
    send_once(&mut desk.account, &mails::EFFECT_FAILED, &reference, &values)?;
    Ok(Outcome::Applied)
}
