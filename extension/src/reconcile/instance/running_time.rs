//! Counts the time for which an instance runs, for meters with `every`: one unit for each begun time of that length. It is counted when the
//! instance stops, and at the end of each day, so that each day and month has its own.

use super::super::schedule::DesiredSchedule;
use crate::actions::by_month;
use crate::actions::count::{self, count_by_day};
use crate::actions::spend;
use crate::derive::standing::AccountStanding;
use crate::desk::Desk;
use crate::desk::instance::Instance;
use crate::model::halt::Ruled;
use crate::model::keys::TimerKey;
use crate::model::records::instance::{InstanceStatus, Run};
use crate::model::time::{DAY_MS, day_of};
use extension_contract::{Timestamp, Usage};

/// Counts what has not been counted, and sets the timer for the end of the day.
pub(super) fn count(
    desk: &mut Desk<'_>,
    instance: &mut Instance,
    standing: &AccountStanding,
    later: &mut DesiredSchedule,
) -> Ruled<()> {
    let now = desk.now;
    let is_running = instance.is(InstanceStatus::Running);
    let mut runs = std::mem::take(&mut instance.record.runs);
    let meters = instance.decl.meters.iter().filter_map(|meter| Some((meter.meter.clone(), meter.every?)));
    let meters: Vec<_> = meters.collect();
    for (meter, every) in &meters {
        let known = runs.remove(meter);
        let Some(mut run) = known.or(is_running.then_some(Run { since: now, until: now, units: 0 })) else { continue };
        while run.until < now {
            run.until = end_of_day(run.until).min(now);
            let units = units(run, every.seconds() * 1_000);
            let usage = Usage {
                id: format!("{}:{}", instance.id, run.until),
                meter: meter.clone(),
                quantity: units - run.units,
                at: run.until - 1,
                attributes: vec![("instance".to_owned(), instance.id.clone())],
            };
            run.units = units;
            use_time(desk, standing, &usage)?;
        }
        if is_running {
            instance.record.runs.insert(meter.clone(), run);
        }
    }
    if !instance.record.runs.is_empty() {
        let due = end_of_day(now);
        later.timer(now, TimerKey::Running { instance: instance.id.clone(), due }, due);
    }
    Ok(())
}

/// Returns the first moment of the next day.
fn end_of_day(at: Timestamp) -> Timestamp {
    day_of(at).saturating_add(DAY_MS)
}

/// Returns the number of units that have begun in a run.
fn units(run: Run, every_ms: i64) -> i64 {
    let elapsed = run.until.saturating_sub(run.since);
    elapsed.saturating_add(every_ms - 1) / every_ms
}

/// Counts time as usage of the account. A meter that a later catalog no longer counts uses nothing.
fn use_time(desk: &mut Desk<'_>, standing: &AccountStanding, usage: &Usage) -> Ruled<()> {
    if usage.quantity <= 0 {
        return Ok(());
    }
    count_by_day(desk, standing, usage)?;
    let settings = desk.catalog.settings()?;
    if let Some(rate) = settings.rates.get(&usage.meter) {
        let cost = spend::cost(desk, rate, usage)?;
        by_month::count(desk, rate, usage, &cost)?;
    } else if let Some((key, decl)) = count::measured(desk, &usage.meter)? {
        count::count(desk, standing, &key, &decl, usage.quantity, usage.at)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_begun_hour_is_a_unit() {
        let hour = 3_600_000;
        for (elapsed, expected) in [(0, 0), (1, 1), (hour, 1), (hour + 1, 2), (24 * hour, 24)] {
            assert_eq!(units(Run { since: 5, until: 5 + elapsed, units: 0 }, hour), expected, "{elapsed}");
        }
    }

    #[test]
    fn a_day_ends_at_midnight() {
        assert_eq!([0, DAY_MS - 1, DAY_MS].map(end_of_day), [DAY_MS, DAY_MS, 2 * DAY_MS]);
    }
}
