//! Grace periods of subscriptions: stores when they end, and schedules their timers and mails.

use super::schedule::{DesiredSchedule, mail_unless_explained};
use crate::derive::standing::AccountStanding;
use crate::derive::subscriptions::SubscriptionFacts;
use crate::desk::Desk;
use crate::model::halt::Ruled;
use crate::model::keys::TimerKey;
use crate::model::mail_kinds;
use crate::model::notice::send_once;
use crate::model::records::subscription::{Observation, SubscriptionRow};
use crate::model::records::subscription_history::BillingHistory;
use crate::model::time::{plus_days, rfc3339};
use extension_contract::SubscriptionStatus;
use serde_json::json;

/// Stores the end of grace in each row, and schedules the timer and mails until then.
pub(super) fn reconcile(desk: &mut Desk<'_>, standing: &AccountStanding, desired: &mut DesiredSchedule) -> Ruled<()> {
    let now = desk.now;
    for facts in &standing.subscriptions {
        let id = &facts.id;
        if let Some(end) = facts.grace_end {
            let start = standing.settings.grace.before(end);
            desired.timer(now, TimerKey::Grace { subscription: id.to_string(), due: end }, end);
            let values = json!({"subscription": id, "grace_end": rfc3339(end)});
            // The reference uses the period, because the time of the first failure can change: events arrive in any
            // order.
            let period = facts.row.state().items.first().map_or(0, |item| item.period_start);
            for delay in &standing.settings.dunning {
                let reference = format!("{id}:{period}:{}", delay.key());
                if delay.is_zero() {
                    // If the failure is too old for a mail, an earlier period has already caused the mail: a period
                    // that begins while the previous period is unpaid has no failure of its own.
                    if standing.settings.mail_within.after(start) < now {
                        continue;
                    }
                    send_once(&mut desk.account, &mail_kinds::PAYMENT_FAILED, &reference, &values)?;
                } else {
                    let at = delay.after(start);
                    desired.mail(now, &mail_kinds::PAYMENT_FAILED, &reference, at, values.clone());
                }
            }
        }
        tell_paid_debt(desk, facts, desired)?;
        if facts.row.grace_end != facts.grace_end {
            desk.account.put(id, SubscriptionRow { grace_end: facts.grace_end, ..SubscriptionRow::clone(&facts.row) });
        }
    }
    Ok(())
}

/// Days for which Stripe has time to make a subscription active whose debt was paid.
const ACTIVE_WITHIN_DAYS: u32 = 1;

/// Schedules the report about a debt that was paid while its subscription stays unpaid: the period that was paid for is
/// over, and the next invoice is a draft that nobody collects.
fn tell_paid_debt(desk: &mut Desk<'_>, facts: &SubscriptionFacts, desired: &mut DesiredSchedule) -> Ruled<()> {
    if facts.row.status() != SubscriptionStatus::Unpaid {
        return Ok(());
    }
    let unpaid = facts.row.history.iter().rev().take_while(|seen| seen.status() == SubscriptionStatus::Unpaid);
    let Some(since) = unpaid.last().map(Observation::at) else { return Ok(()) };
    let Some(billing) = desk.account.get_here::<BillingHistory>(&facts.id)? else { return Ok(()) };
    if let Some(paid_at) = billing.paid.values().copied().max().filter(|paid_at| *paid_at > since) {
        let values = json!({"subscription": facts.id, "paid_at": rfc3339(paid_at)});
        let at = plus_days(paid_at, ACTIVE_WITHIN_DAYS);
        let reference = format!("{}:{paid_at}", facts.id);
        mail_unless_explained(desk, desired, &mail_kinds::DEBT_PAID, &reference, at, values)?;
    }
    Ok(())
}
