//! Reports the usage of each day to Stripe's meters, an hour after the day's end. What comes later is reported by itself (S127). What
//! was used in a billing period that ends within the day is reported at once, before Stripe finalizes the period's invoice.

use super::schedule::DesiredSchedule;
use crate::actions::measurement::Window;
use crate::derive::customer::customer;
use crate::derive::standing::AccountStanding;
use crate::desk::Desk;
use crate::model::correlation::Correlation;
use crate::model::effect::request;
use crate::model::halt::Ruled;
use crate::model::keys::{EffectKey, TimerKey};
use crate::model::records::meter_day::MeterDay;
use crate::model::time::{DAY_MS, HOUR_MS, day_of, rfc3339};
use extension_contract::Timestamp;
use serde_json::json;

/// Time from a day's end to its report.
const WAIT_MS: i64 = HOUR_MS;

/// Reports the days that are over, and sets the timer of the next one. An account without a customer looks for one each day, for as
/// long as Stripe takes the day's usage.
pub(super) fn reconcile(desk: &mut Desk<'_>, standing: &AccountStanding, desired: &mut DesiredSchedule) -> Ruled<()> {
    let waiting: Vec<(String, MeterDay)> = desk
        .account
        .all::<MeterDay>()?
        .into_iter()
        .filter(|(_, day)| day.asked == 0 && day.rest() > 0)
        .map(|(id, day)| (id, MeterDay::clone(&day)))
        .collect();
    if waiting.is_empty() {
        return Ok(());
    }
    let settings = desk.catalog.settings()?;
    let customer = customer(desk)?;
    let tomorrow = day_of(desk.now).saturating_add(DAY_MS + WAIT_MS);
    let mut next: Option<Timestamp> = None;
    for (id, mut day) in waiting {
        let Some(event) = settings.meters.get(&day.meter).and_then(|decl| decl.meter_event.clone()) else { continue };
        let tomorrow_begins = day_of(day.start).saturating_add(DAY_MS);
        let within = standing.boundaries().filter(|end| (day.start + 1..tomorrow_begins).contains(end)).min();
        let (end, due) = within.map_or((tomorrow_begins, tomorrow_begins.saturating_add(WAIT_MS)), |end| (end, end));
        let look_at = match &customer {
            _ if due > desk.now => Some(due),
            None if Window::at(desk.now).place(day.start).is_eq() => Some(tomorrow),
            _ => None,
        };
        next = next.into_iter().chain(look_at).min();
        let Some(customer) = customer.as_ref().filter(|_| due <= desk.now) else { continue };
        day.asked = day.rest();
        let key =
            EffectKey::MeterEvent { meter: day.meter.clone(), day: MeterDay::words(day.start), again: day.answered };
        // The last second of the day or part.
        let at = rfc3339(end.saturating_sub(1_000));
        let payload = json!({"event_name": event, "customer": customer, "value": day.asked, "at": at});
        desk.account.ask(request(&key, &payload, Some(&Correlation::MeterEvent { day: id.clone() }))?);
        desk.account.put(&id, day);
    }
    if let Some(due) = next {
        desired.timer(desk.now, TimerKey::MeterEvents { due }, due);
    }
    Ok(())
}
