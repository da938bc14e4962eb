//! Counts by day the measurements that Stripe's meters get (S127).

use crate::derive::standing::AccountStanding;
use crate::desk::Desk;
use crate::model::halt::Ruled;
use crate::model::records::meter_day::MeterDay;
use crate::model::time::day_of;
use extension_contract::{Timestamp, Usage};

/// Returns the first moment of the part of a day to which a time belongs.
pub(crate) fn part_of_day(standing: &AccountStanding, at: Timestamp) -> Timestamp {
    let day = day_of(at);
    standing.boundaries().filter(|boundary| (day..=at).contains(boundary)).max().unwrap_or(day)
}

/// Counts a measurement in the day of its time, if its meter is reported to Stripe.
pub(crate) fn count_by_day(desk: &mut Desk<'_>, standing: &AccountStanding, usage: &Usage) -> Ruled<()> {
    let settings = desk.catalog.settings()?;
    if settings.meters.get(&usage.meter).is_none_or(|decl| decl.meter_event.is_none()) {
        return Ok(());
    }
    let start = part_of_day(standing, usage.at);
    let id = MeterDay::id_of(&usage.meter, start);
    let mut day = desk.account.row::<MeterDay>(&id)?.unwrap_or_default();
    (day.meter, day.start) = (usage.meter.clone(), start);
    day.counted = day.counted.saturating_add(usage.quantity);
    desk.account.put(&id, day);
    Ok(())
}
