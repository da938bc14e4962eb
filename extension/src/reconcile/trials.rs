//! Trials: a plan that is bought ends the trial that began with the sign-up, and customers learn when a trial without a card ends.

use super::schedule::DesiredSchedule;
use crate::catalog::sale::TrialThen;
use crate::derive::standing::AccountStanding;
use crate::derive::subscriptions::SubscriptionFacts;
use crate::desk::Desk;
use crate::model::halt::Ruled;
use crate::model::ids::PriceId;
use crate::model::keys::TimerKey;
use crate::model::mail_kinds;
use crate::model::notice::send_once;
use crate::model::records::purchase::{PurchaseRow, Sold};
use crate::model::records::sign_up_trial::SignUpTrialRow;
use crate::model::records::subscription::SubscriptionRow;
use crate::model::records::subscription_history::BillingHistory;
use crate::model::time::{DAY_MS, rfc3339};
use extension_contract::{SubscriptionStatus, Timestamp};
use serde_json::{Value, json};

/// Time before the end of a trial at which its mail is sent, as Stripe does. A trial of less than twice this time has its mail in the
/// middle.
const NOTICE_MS: i64 = 3 * DAY_MS;
/// Time after the end of a trial within which Stripe ends a subscription that has no card.
const ENDS_WITHIN_MS: i64 = DAY_MS;

/// Notes the time at which the account has bought a plan of the family that it tries: the first one, whatever the order of events.
pub(super) fn note_bought(desk: &mut Desk<'_>) -> Ruled<()> {
    let Some(trial) = desk.account.get_here::<SignUpTrialRow>(SignUpTrialRow::ID)? else { return Ok(()) };
    let mut bought = trial.bought.zip(trial.bought_by.clone());
    // What was refused later was never bought.
    if let Some((_, by)) = &bought {
        let of_subscription = desk.account.get_here::<BillingHistory>(by)?.is_some_and(|billing| billing.refused);
        let of_purchase = desk.account.get_here::<PurchaseRow>(by)?.is_some_and(|row| row.details.refused);
        bought = bought.filter(|_| !of_subscription && !of_purchase);
    }
    let mut add = |at: Timestamp, by: String| {
        let found = (at, by);
        bought = Some(bought.take().map_or(found.clone(), |known| known.min(found)));
    };
    for (id, row) in desk.account.all_where(|row: &SubscriptionRow| row.was_ever_served)? {
        let refused = desk.account.get_here::<BillingHistory>(&id)?.is_some_and(|billing| billing.refused);
        if !refused && is_of_family(desk, &row, &trial)? {
            add(row.first_at, id);
        }
    }
    for (id, purchase) in desk.account.all_where(|row: &PurchaseRow| row.grants() && !row.details.stands_in)? {
        let of = |sold: &Sold| sold.family == trial.tried.family;
        if purchase.details.sold.iter().any(of)
            && let Some(at) = purchase.details.counts.as_ref().and_then(|session| session.paid_at)
        {
            add(at, id);
        }
    }
    let (bought, bought_by) = bought.unzip();
    if bought != trial.bought || bought_by != trial.bought_by {
        desk.account.put(SignUpTrialRow::ID, SignUpTrialRow { bought, bought_by, ..SignUpTrialRow::clone(&trial) });
    }
    Ok(())
}

/// Returns whether a subscription ever had a plan of the trial's family.
fn is_of_family(desk: &Desk<'_>, row: &SubscriptionRow, trial: &SignUpTrialRow) -> Ruled<bool> {
    let ids: Vec<&PriceId> = row.named().collect();
    let prices = desk.catalog.prices(ids.iter().copied())?;
    Ok(prices.into_iter().flatten().any(|price| price.family == trial.tried.family))
}

/// Schedules the end of the trial that began with the sign-up, and sends the mails about the ends of trials.
pub(super) fn reconcile(desk: &mut Desk<'_>, standing: &AccountStanding, desired: &mut DesiredSchedule) -> Ruled<()> {
    if standing.closed_at.is_some() {
        return Ok(());
    }
    if let Some(trial) = desk.account.get_here::<SignUpTrialRow>(SignUpTrialRow::ID)?
        && trial.bought.is_none()
    {
        of_sign_up(desk, &trial, desired)?;
    }
    for facts in &standing.subscriptions {
        tell_end(desk, facts)?;
    }
    Ok(())
}

fn of_sign_up(desk: &mut Desk<'_>, trial: &SignUpTrialRow, desired: &mut DesiredSchedule) -> Ruled<()> {
    let until = trial.until;
    let reference = format!("sign-up:{until}");
    if until > desk.now {
        desired.timer(desk.now, TimerKey::TrialEnds { due: until }, until);
        let notice = NOTICE_MS.min(until.saturating_sub(trial.began) / 2);
        let values = json!({"plan": trial.product, "trial_end": rfc3339(until)});
        let at = until.saturating_sub(notice);
        desired.mail(desk.now, &mail_kinds::TRIAL_WILL_END, &reference, at, values);
        return Ok(());
    }
    let then = if trial.leads_to_checkout { TrialThen::Checkout } else { TrialThen::DefaultPlan };
    let values = json!({"plan": trial.product, "trial_end": rfc3339(until), "then": then.name()});
    tell(desk, &reference, until, values)
}

/// Tells the customer that a subscription has ended with its trial, because it had no card.
fn tell_end(desk: &mut Desk<'_>, facts: &SubscriptionFacts) -> Ruled<()> {
    let (row, state) = (&facts.row, facts.row.state());
    let Some(end) = state.trial_end.filter(|_| row.status() == SubscriptionStatus::Canceled) else { return Ok(()) };
    let ended = row.ended_at();
    // An operator may have ended the trial, which leaves Stripe's own time of its end as it was.
    let by_operator = facts.billing.trial_changes.last().filter(|change| change.until <= change.at);
    let end = by_operator.map_or(end, |change| change.at);
    let is_with_trial = ended >= end && ended <= end.saturating_add(ENDS_WITHIN_MS);
    let was_paid = |status| !matches!(status, SubscriptionStatus::Trialing | SubscriptionStatus::Canceled);
    let is_planned = state.cancel_at_period_end || state.cancel_at.is_some() || row.asked.is_some();
    if !is_with_trial || is_planned || facts.billing.refused || row.history.iter().any(|seen| was_paid(seen.status())) {
        return Ok(());
    }
    let Some(item) = state.items.first() else { return Ok(()) };
    let Some(price) = desk.catalog.price(&item.price_id.as_str().into())? else { return Ok(()) };
    let trial = desk.catalog.sale_of(&price.product_id)?.and_then(|sale| sale.trial);
    let then = trial.map(|trial| trial.then).unwrap_or_default();
    let values =
        json!({"subscription": facts.id, "plan": price.product_id, "trial_end": rfc3339(end), "then": then.name()});
    tell(desk, &format!("{}:{end}", facts.id), ended, values)
}

/// Sends the mail about the end of a trial once, unless the end is long past.
fn tell(desk: &mut Desk<'_>, reference: &str, at: Timestamp, values: Value) -> Ruled<()> {
    if desk.catalog.settings()?.mail_within.after(at) < desk.now {
        return Ok(());
    }
    send_once(&mut desk.account, &mail_kinds::TRIAL_ENDED, reference, &values)
}
