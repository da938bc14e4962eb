//! Pauses of subscriptions: schedules the end of the paid period of a paused subscription, and ends a pause at its time.

use super::schedule::DesiredSchedule;
use crate::actions::subscription_change::replace_change;
use crate::derive::standing::AccountStanding;
use crate::desk::Desk;
use crate::model::halt::Ruled;
use crate::model::keys::{EffectKey, TimerKey};
use crate::model::records::subscription::SubscriptionRow;
use crate::model::records::subscription_history::BillingHistory;
use serde_json::json;

/// Ends the pauses whose time has come. A request that Stripe has not answered yet comes first: its answer leads here again.
pub(super) fn reconcile(desk: &mut Desk<'_>, standing: &AccountStanding, desired: &mut DesiredSchedule) -> Ruled<()> {
    for facts in &standing.subscriptions {
        let (id, subscription) = (&facts.id, facts.id.to_string());
        if let Some(due) = facts.pause_begins {
            desired.timer(desk.now, TimerKey::Paused { subscription: subscription.clone(), due }, due);
        }
        let Some(row) = desk.account.get_here::<SubscriptionRow>(id)? else { continue };
        let Some(until) = row.paused.as_ref().map(|paused| paused.until).filter(|_| !row.is_final()) else { continue };
        if until > desk.now {
            desired.timer(desk.now, TimerKey::Resume { subscription, due: until }, until);
            continue;
        }
        let billing = desk.account.row::<BillingHistory>(id)?.unwrap_or_default();
        if let Some(earlier) = &billing.changing
            && desk.account.has_begun(earlier)?
        {
            continue;
        }
        desk.account.put(id, SubscriptionRow { paused: None, ..SubscriptionRow::clone(&row) });
        let key = EffectKey::Resume { subscription: id.clone(), asked_by: until.to_string() };
        replace_change(desk, id, billing, &key, &json!({"subscription": id}), None)?;
    }
    Ok(())
}
