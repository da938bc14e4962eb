//! Grace periods of subscriptions: stores when they end, and schedules their timers and the mails about unpaid subscriptions.

use super::schedule::{DesiredSchedule, mail_unless_explained};
use crate::derive::overdue;
use crate::derive::standing::AccountStanding;
use crate::derive::subscriptions::SubscriptionFacts;
use crate::desk::Desk;
use crate::model::halt::Ruled;
use crate::model::keys::TimerKey;
use crate::model::mail_kinds;
use crate::model::notice::send_once;
use crate::model::records::invoice::Invoice;
use crate::model::records::schedule::OpenSchedule;
use crate::model::records::subscription::{Observation, SubscriptionRow};
use crate::model::records::subscription_history::BillingHistory;
use crate::model::time::{plus_days, rfc3339};
use extension_contract::SubscriptionStatus;
use serde_json::{Value, json};

/// Stores the end of grace in each row, and schedules the timer and mails until then.
pub(super) fn reconcile(desk: &mut Desk<'_>, standing: &AccountStanding, desired: &mut DesiredSchedule) -> Ruled<()> {
    let now = desk.now;
    for facts in &standing.subscriptions {
        let id = &facts.id;
        if let Some(end) = facts.grace_end {
            let start = standing.settings.grace.before(end);
            desired.timer(now, TimerKey::Grace { subscription: id.to_string(), due: end }, end);
            let mut values = owed_values(desk, facts)?;
            values["grace_end"] = json!(rfc3339(end));
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
        tell_suspension(desk, standing, facts, desired)?;
        tell_paid_debt(desk, facts, desired)?;
        if facts.row.grace_end != facts.grace_end {
            desk.account.put(id, SubscriptionRow { grace_end: facts.grace_end, ..SubscriptionRow::clone(&facts.row) });
        }
    }
    Ok(())
}

/// Returns the values that name a subscription and its plan.
fn plan_values(desk: &Desk<'_>, facts: &SubscriptionFacts) -> Ruled<Value> {
    let mut values = json!({"subscription": facts.id});
    if let Some(item) = facts.row.state().items.first()
        && let Some(price) = desk.catalog.price(&item.price_id.as_str().into())?
    {
        values["plan"] = json!(price.product_id);
    }
    Ok(values)
}

/// Returns the values of the mails about an unpaid subscription: its plan, what is owed, and the page of Stripe that takes the
/// payment, if there is one such page.
fn owed_values(desk: &mut Desk<'_>, facts: &SubscriptionFacts) -> Ruled<Value> {
    let mut values = plan_values(desk, facts)?;
    let mut owed = Vec::new();
    for id in overdue::may_wait(&facts.billing) {
        owed.extend(desk.account.get::<Invoice>(id)?.and_then(|invoice| overdue::owed(id, &invoice)));
    }
    if let Some(first) = owed.first() {
        values["owed_minor"] = json!(owed.iter().fold(0_i64, |sum, owed| sum.saturating_add(owed.amount_minor)));
        values["currency"] = json!(first.currency);
    }
    if let [only] = &owed[..]
        && let Some(url) = &only.hosted_invoice_url
    {
        values["hosted_invoice_url"] = json!(url);
    }
    Ok(values)
}

/// Schedules the mail about the suspension of an unpaid subscription, and tells the customer when it was paid again.
fn tell_suspension(
    desk: &mut Desk<'_>,
    standing: &AccountStanding,
    facts: &SubscriptionFacts,
    desired: &mut DesiredSchedule,
) -> Ruled<()> {
    let found = overdue::suspension(&facts.row, &facts.billing, standing.settings.grace);
    let Some(found) = found.filter(|_| standing.closed_at.is_none() && !facts.billing.refused) else { return Ok(()) };
    let is_recent = |at| standing.settings.mail_within.after(at) >= desk.now;
    // Like that of the mails about the failure, the reference uses the period, because the time can still change.
    let period = facts.row.state().items.first().map_or(0, |item| item.period_start);
    let reference = format!("{}:{period}", facts.id);
    let Some(ended) = found.ended else {
        // A period that began after the suspension has not caused it, and the mail was sent in an earlier one.
        let is_of_period = period <= found.told_at;
        if is_of_period && (is_recent(found.told_at) || is_scheduled(desk, &reference)?) {
            let mut values = owed_values(desk, facts)?;
            values["suspended_at"] = json!(rfc3339(found.at));
            let mail = &mail_kinds::SUBSCRIPTION_SUSPENDED;
            mail_unless_explained(desk, desired, mail, &reference, found.told_at, values)?;
        }
        return Ok(());
    };
    if is_recent(ended) && ended >= found.told_at {
        let mut values = plan_values(desk, facts)?;
        values["suspended_at"] = json!(rfc3339(found.at));
        // The end becomes known more exactly with later events; the suspension does not.
        let reference = format!("{}:{}", facts.id, found.at);
        send_once(&mut desk.account, &mail_kinds::SUBSCRIPTION_RESTORED, &reference, &values)?;
    }
    Ok(())
}

/// Returns whether the mail about a suspension is scheduled.
fn is_scheduled(desk: &mut Desk<'_>, reference: &str) -> Ruled<bool> {
    let key = mail_kinds::SUBSCRIPTION_SUSPENDED.key(reference).to_string();
    let open = desk.account.get_here::<OpenSchedule>(OpenSchedule::ID)?;
    Ok(open.is_some_and(|open| open.mails.contains_key(&key)))
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
