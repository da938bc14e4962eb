//! Finds changes that were not delivered as events: retrieves subscriptions without a recent snapshot.

use super::schedule::DesiredSchedule;
use crate::derive::standing::AccountStanding;
use crate::desk::Desk;
use crate::model::correlation::Correlation;
use crate::model::effect::request;
use crate::model::halt::Ruled;
use crate::model::keys::{EffectKey, TimerKey};
use crate::model::records::comparison::Comparison;
use serde_json::json;

/// Retrieves the subscriptions that are due, and sets a timer for the next subscription.
pub(super) fn reconcile(desk: &mut Desk<'_>, standing: &AccountStanding, desired: &mut DesiredSchedule) -> Ruled<()> {
    let Some(after) = standing.settings.compare_after else { return Ok(()) };
    let before = desk.account.row::<Comparison>(Comparison::ID)?.unwrap_or_default();
    let mut known = before.clone();
    let ongoing = || standing.subscriptions.iter().filter(|facts| !facts.row.is_final());
    known.asked.retain(|id, _| ongoing().any(|facts| facts.id == *id));
    let mut next = None;
    for facts in ongoing() {
        let asked = known.asked.get(&facts.id).copied();
        let mut due = after.after(asked.map_or(facts.row.at, |asked| asked.max(facts.row.at)));
        if due <= desk.now {
            let about = Correlation::Compare { subscription: facts.id.clone() };
            let key = EffectKey::Compare { subscription: facts.id.clone(), due };
            let payload = json!({"object": "subscription", "id": facts.id});
            desk.account.ask(request(&key, &payload, Some(&about))?);
            known.asked.insert(facts.id.clone(), desk.now);
            due = after.after(desk.now);
        }
        next = Some(next.map_or(due, |next| due.min(next)));
    }
    if let Some(due) = next {
        desired.timer(desk.now, TimerKey::Compare { due }, due);
    }
    if known == Comparison::default() {
        desk.account.remove::<Comparison>(Comparison::ID);
    } else if known != before {
        desk.account.put(Comparison::ID, known);
    }
    Ok(())
}
