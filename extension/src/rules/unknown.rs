//! Effects that move money and whose result is unknown. Such an effect is requested again under its own key: the provider
//! looks at Stripe for what an earlier request made before it makes anything. Until Stripe answers, the money is neither
//! offered nor paid in another way.

use crate::catalog::desk::Desk;
use crate::model::effect::ANSWERED_WITHIN_MS;
use crate::model::halt::Ruled;
use crate::model::notice::{To, send_once};
use crate::model::time::{DAY_MS, HOUR_MS};
use extension_contract::{Effect, EffectFailure, EffectFailureClass, EffectReport, Outcome};
use serde_json::json;

/// Number of requests of a day: each has an hour to be answered, and the next one follows an hour later. After a day the
/// operators hear of it, and the requests follow each other daily.
const OF_A_DAY: u32 = 12;

/// Returns whether it is unknown whether the effect was carried out: the provider did not refuse it.
pub(super) fn is_unknown(failure: &EffectFailure) -> bool {
    failure.class != EffectFailureClass::Final
}

/// Requests the effect of a report with an unknown result again, later and under the same key. Reports of earlier requests
/// must not reach this function, because each request would cause another one.
pub(super) fn request_again(desk: &mut Desk<'_>, effect: Effect, report: &EffectReport) -> Ruled<Outcome> {
    if report.generation == OF_A_DAY {
        let code = report.answer.as_ref().err().map(|failure| failure.code.as_str());
        let values = json!({"effect": report.key, "kind": effect.kind, "code": code});
        send_once(&mut desk.account, "effect_failed", To::Admin, &report.key, &values)?;
    }
    let delay = if report.generation < OF_A_DAY { HOUR_MS } else { DAY_MS };
    let begins = desk.now.saturating_add(delay);
    let (not_before, deadline) = (Some(begins), Some(begins.saturating_add(ANSWERED_WITHIN_MS)));
    let generation = report.generation.saturating_add(1);
    desk.account.ask(Effect { key: report.key.clone(), generation, not_before, deadline, ..effect });
    Ok(Outcome::Applied)
}
