//! Results of requests that move money. A request whose result is unknown is repeated under its own key: the provider
//! looks at Stripe for what an earlier request made before it makes anything. Until Stripe answers, the money is neither
//! offered nor paid in another way.

use crate::catalog::desk::Desk;
use crate::model::effects::moves_money;
use crate::model::halt::{Answer, Ruled, Verdict};
use crate::model::mails;
use crate::model::notice::send_once;
use crate::model::records::money_requests::{MoneyRequest, MoneyRequests};
use crate::model::time::{DAY_MS, HOUR_MS};
use extension_contract::{Effect, EffectFailure, EffectFailureClass, EffectReport, IgnoreReason, Outcome, Refusal};
use serde_json::json;

/// Number of requests of a day: each has an hour to be answered, and the next one follows an hour later. After a day the
/// operators hear of it, and the requests follow each other daily.
const OF_A_DAY: u32 = 12;

/// Handles a result that decides nothing: an unknown result, or the failure of a request that a later one replaced. Returns
/// `None` for other results, which the rule of the request handles. The request is then no longer open.
pub(super) fn without_decision(desk: &mut Desk<'_>, report: &EffectReport) -> Ruled<Option<Verdict>> {
    if !moves_money(desk.kind) {
        return Ok(None);
    }
    let mut row = desk.account.fetch::<MoneyRequests>(MoneyRequests::ID)?.unwrap_or_default();
    let request = row.open.get(&report.key).filter(|request| report.generation == request.requests);
    match (&report.answer, request) {
        (Err(_), None) => Ok(Some(Outcome::Ignored(IgnoreReason::NoChange).into())),
        // The provider did not refuse it, so the request may have been carried out.
        (Err(failure), Some(request)) if failure.class != EffectFailureClass::Final => {
            request_again(desk, request, report, failure)?;
            let text = format!("{}: the result is unknown ({})", desk.kind, failure.code);
            Ok(Some(Verdict::answered(Answer::Refused(Refusal::BadTransition(text)))))
        }
        _ => {
            if row.open.remove(&report.key).is_some() {
                match row.open.is_empty() {
                    true => desk.account.remove::<MoneyRequests>(MoneyRequests::ID),
                    false => desk.account.put(MoneyRequests::ID, row),
                }
            }
            Ok(None)
        }
    }
}

/// Repeats a request later, under the same key.
fn request_again(
    desk: &mut Desk<'_>,
    request: &MoneyRequest,
    report: &EffectReport,
    failure: &EffectFailure,
) -> Ruled<()> {
    if report.generation == OF_A_DAY {
        let values = json!({"effect": report.key, "kind": request.kind, "code": failure.code});
        send_once(&mut desk.account, &mails::EFFECT_FAILED, &report.key, &values)?;
    }
    let delay = if report.generation < OF_A_DAY { HOUR_MS } else { DAY_MS };
    desk.account.ask(Effect {
        kind: request.kind.clone(),
        to: None,
        key: report.key.clone(),
        generation: report.generation.saturating_add(1),
        payload: request.payload.clone(),
        context: request.context.clone(),
        reply_to: None,
        ordering_key: None,
        not_before: Some(desk.now.saturating_add(delay)),
        deadline: None,
        retry: None,
    });
    Ok(())
}
