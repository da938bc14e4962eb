//! The answers to reports of usage to Stripe's meters, and the report that an operator repeats (S127).

use crate::catalog::product::required_text;
use crate::desk::Desk;
use crate::model::halt::{Answer, Ruled, Verdict};
use crate::model::json::{Object, encode};
use crate::model::records::meter_day::MeterDay;
use crate::model::time::is_rfc3339;
use extension_contract::*;
use serde_json::json;

/// Handles the answer to a report. After a refusal the quantity is not billed until an operator reports it again.
pub(super) fn answered(desk: &mut Desk<'_>, id: &str, report: &EffectReport) -> Ruled<Outcome> {
    let Some(mut day) = desk.account.row::<MeterDay>(id)? else {
        return Ok(Outcome::Ignored(IgnoreReason::NoChange));
    };
    day.answered = day.answered.saturating_add(1);
    match report.answer.is_ok() {
        true => (day.reported, day.asked) = (day.reported.saturating_add(day.asked), 0),
        false => day.refused = true,
    }
    desk.account.put(id, day);
    Ok(Outcome::Applied)
}

/// `usage.report`: reports the quantity of a meter and a day again after Stripe refused it. The report has a new
/// identifier, because Stripe may repeat its answer to the old one.
pub(super) fn again(desk: &mut Desk<'_>, body: &Object) -> Ruled<Verdict> {
    let of_day = required_text(body, "day")?;
    let id = format!("{}:{of_day}", required_text(body, "meter")?);
    let is_day = is_rfc3339(&of_day) || is_rfc3339(&format!("{of_day}T00:00:00Z"));
    let not_found = || match is_day {
        true => {
            Refusal::NotFound(format!("usage of {id}: expected a meter, and a day on which the account has used it"))
        }
        false => Refusal::NotFound(format!("usage of {id}: expected a meter, and a day such as 2026-01-31")),
    };
    let mut day = desk.account.row::<MeterDay>(&id)?.ok_or_else(not_found)?;
    if !day.refused {
        let state = match (day.asked, day.rest()) {
            (0, 0) => "reported",
            (0, _) => "not reported yet",
            _ => "asked for, and not known to be refused",
        };
        return Err(Refusal::BadTransition(state.to_owned()).into());
    }
    // The reconciliation of the same decision reports the day.
    (day.refused, day.asked) = (false, 0);
    let reply = json!({"meter": day.meter, "quantity": day.rest(), "requests": day.answered + 1});
    desk.account.put(&id, day);
    Ok(Verdict::answered(Answer::Value(encode(&reply)?)))
}
