//! Credits a paying customer for the days that an instance was in `error`, pro rata and rounded down: a part of what was paid
//! for these days, less what went back, and never of a list price.

use super::context::Context;
use crate::derive::unused;
use crate::desk::Desk;
use crate::desk::instance::Instance;
use crate::model::effect::request;
use crate::model::halt::Ruled;
use crate::model::keys::EffectKey;
use crate::model::money::sendable;
use crate::model::records::invoice::Invoice;
use crate::model::time::DAY_MS;
use extension_contract::{Money, Timestamp};
use serde_json::json;

/// Credits the lost days if a credit is due.
pub(super) fn lost_days(desk: &mut Desk<'_>, instance: &mut Instance, context: &Context<'_>) -> Ruled<()> {
    let (Some(since), Some(link)) = (instance.record.lost_since.take(), &instance.decl.plan) else { return Ok(()) };
    let Some((facts, item)) = context.standing.plan_item(&link.family) else { return Ok(()) };
    let lost = (desk.now.saturating_sub(since) / DAY_MS).saturating_mul(DAY_MS);
    let period = unused::Period { start: item.period_start, end: item.period_end };
    let family = Some(link.family.as_str());
    let is_of_plan = |id: &str| facts.named.iter().any(|price| *price.id == *id && price.family.as_deref() == family);
    let subscription = facts.id.clone();
    let customer = facts.row.customer_id.clone();
    // Lost days of earlier periods were paid for, too, but at most one period is credited.
    let lost = unused::Period { start: since.max(period.start), end: since.max(period.start).saturating_add(lost) };
    // A more expensive plan that was bought after the failure does not count for the days before.
    let is_earlier = |invoice: &Invoice| invoice.first_at <= since || !invoice.is_change();
    for Money { amount_minor, currency } in
        unused::within(desk, &subscription, &period, &lost, &is_earlier, &is_of_plan)?
    {
        credit(desk, instance, since, &customer, sendable(amount_minor, &currency), &currency)?;
    }
    Ok(())
}

fn credit(
    desk: &mut Desk<'_>,
    instance: &Instance,
    since: Timestamp,
    customer: &str,
    amount: i64,
    currency: &str,
) -> Ruled<()> {
    if amount <= 0 {
        return Ok(());
    }
    let payload = json!({
        "customer": customer, "amount_minor": amount, "currency": currency,
        "reason": "days lost", "instance": instance.id,
    });
    let key = EffectKey::Credit { instance: instance.id.clone(), since };
    desk.account.ask(request(&key, &payload, None)?);
    Ok(())
}
