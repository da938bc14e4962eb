//! Credits a paying customer for the days that an instance was in `error`, pro rata and rounded down.

use super::context::Context;
use crate::catalog::desk::Desk;
use crate::catalog::instance::Instance;
use crate::model::effect::request;
use crate::model::halt::Ruled;
use crate::model::keys::EffectKey;
use crate::model::time::DAY_MS;
use serde_json::json;

/// Credits the lost days if a credit is due.
pub(super) fn lost_days(desk: &mut Desk<'_>, instance: &mut Instance, context: &Context<'_>) -> Ruled<()> {
    let (Some(since), Some(link)) = (instance.record.lost_since.take(), &instance.decl.plan) else { return Ok(()) };
    let Some(plan) = context.standing.plans.get(&link.family) else { return Ok(()) };
    let Some((facts, item)) = context.standing.plan_item(&link.family) else { return Ok(()) };
    let Some(price) = plan.amount.as_ref().filter(|_| plan.price_id.as_ref() == Some(&item.price_id)) else {
        return Ok(());
    };
    let lost = desk.now.saturating_sub(since) / DAY_MS;
    let period = (item.period_end.saturating_sub(item.period_start) / DAY_MS).max(1);
    let amount = price.amount_minor.saturating_mul(lost.min(period)) / period;
    if amount <= 0 {
        return Ok(());
    }
    let payload = json!({
        "customer": facts.row.customer_id, "amount_minor": amount, "currency": price.currency,
        "reason": "days lost", "instance": instance.id,
    });
    let key = EffectKey::Credit { instance: instance.id.clone(), since };
    desk.account.ask(request(&key, &payload, None)?);
    Ok(())
}
