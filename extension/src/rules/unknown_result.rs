//! Unknown results. A request whose result is not known at its deadline is repeated under its own key: the provider looks for what an
//! earlier request made before it makes anything. After a day the operators hear of it. Until the provider answers a request that
//! moves money, the money is neither offered nor paid in another way.

use crate::actions::failed_effect::{is_past_deadline, report_unanswered};
use crate::desk::Desk;
use crate::model::effect_kinds::{is_awaited, moves_money};
use crate::model::halt::{Answer, Ruled, Verdict};
use crate::model::records::requests::{OpenRequest, Requests};
use crate::model::time::{DAY_MS, HOUR_MS};
use extension_contract::{Effect, EffectFailureClass, EffectReport, IgnoreReason, Outcome};

/// Number of requests of a day that move money: each has an hour to be answered, and the next one follows an hour later. After a day
/// the requests follow each other daily.
const OF_A_DAY: u32 = 12;

/// Handles a result that decides nothing: an unknown result, or the failure of a request that a later one replaced. Returns `None` for
/// other results, which the rule of the request handles. The request is then no longer open.
pub(super) fn without_decision(desk: &mut Desk<'_>, report: &EffectReport) -> Ruled<Option<Verdict>> {
    if !is_awaited(desk.kind) {
        return Ok(None);
    }
    let row = desk.account.get::<Requests>(Requests::ID)?;
    let is_money = moves_money(desk.kind);
    let open = row.as_ref().and_then(|row| row.open.get(&report.key));
    let newest = open.filter(|request| !is_money || report.generation == request.requests);
    match (&report.answer, newest) {
        (Err(_), None) if is_money => Ok(Some(Outcome::Ignored(IgnoreReason::NoChange).into())),
        // The provider did not refuse it, so the request may have been carried out.
        (Err(failure), Some(request))
            if failure.class != EffectFailureClass::Final && (is_money || is_past_deadline(failure)) =>
        {
            request_again(desk, request.clone(), report)?;
            let unknown = "the result is not known yet, and the request is repeated until it is";
            Ok(Some(Verdict::answered(Answer::not_done(unknown))))
        }
        _ => {
            if let Some(mut row) = row.as_deref().filter(|row| row.open.contains_key(&report.key)).cloned() {
                row.open.remove(&report.key);
                match row.open.is_empty() {
                    true => desk.account.remove::<Requests>(Requests::ID),
                    false => desk.account.put(Requests::ID, row),
                }
            }
            Ok(None)
        }
    }
}

/// Repeats a request under the same key: later if it moves money, otherwise at once.
fn request_again(desk: &mut Desk<'_>, mut request: OpenRequest, report: &EffectReport) -> Ruled<()> {
    let is_money = moves_money(&request.kind);
    // A request that never began only waited for a host.
    if !request.told && report.attempts > 0 && (!is_money || request.requests >= OF_A_DAY) {
        request.told = true;
        report_unanswered(desk, report)?;
    }
    let delay = match is_money {
        true if request.requests < OF_A_DAY => HOUR_MS,
        true => DAY_MS,
        false => 0,
    };
    desk.account.ask(Effect {
        kind: request.kind.clone(),
        to: None,
        key: report.key.clone(),
        generation: report.generation.saturating_add(1),
        payload: request.payload.clone(),
        context: request.context.clone(),
        reply_to: None,
        ordering_key: request.ordering_key.clone(),
        not_before: Some(desk.now.saturating_add(delay)).filter(|_| delay > 0),
        deadline: None,
        retry: None,
    });
    let mut row = desk.account.row::<Requests>(Requests::ID)?.unwrap_or_default();
    row.open.insert(report.key.clone(), request);
    desk.account.put(Requests::ID, row);
    Ok(())
}
