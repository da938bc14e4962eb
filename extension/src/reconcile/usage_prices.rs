//! Prices the usage of each open month whose price depends on the amount of the month. What plans include can have changed since the
//! usage was reported; then the month costs more or less, and credits pay more or get something back.

use crate::actions::by_month;
use crate::actions::count::alert;
use crate::actions::measurement::BEHIND_MAX_DAYS;
use crate::actions::reprice::reprice;
use crate::catalog::meter::included_by;
use crate::derive::included::{Span, included};
use crate::derive::period::Period;
use crate::derive::standing::AccountStanding;
use crate::desk::Desk;
use crate::model::halt::Ruled;
use crate::model::records::usage::UsageMonth;
use crate::model::time::{month_of, plus_days};
use extension_contract::Timestamp;

/// Prices the open months again. Returns whether credits were spent or given back.
pub(super) fn reconcile(desk: &mut Desk<'_>, standing: &AccountStanding) -> Ruled<bool> {
    let is_open = |month: &UsageMonth| !month.closed && !month.meters.is_empty();
    let mut has_moved_credits = false;
    let settings = standing.settings.clone();
    for (id, known) in desk.account.all_where::<UsageMonth>(is_open)? {
        let mut month = reprice(desk, &id, UsageMonth::clone(&known))?;
        has_moved_credits |= month.credits_micros != known.credits_micros;
        let known = month.clone();
        let mut counted = Vec::new();
        let meters: Vec<String> = month.meters.keys().cloned().collect();
        for name in meters {
            let Some(mut meter) = month.meters.remove(&name) else { continue };
            let span = Span { start: month.start, end: month.end };
            let counter = included_by(&settings.entitlements, &settings.rates, &name);
            if let Some((key, _)) = counter {
                let owner = desk.account.owner().cloned();
                meter.included = included(standing, owner.as_ref(), key, (span, desk.now), &mut meter.granted)?;
            }
            let (by_credits, quantity, allowed) = (meter.by_credits, meter.quantity(), meter.included);
            let changes = by_month::changes(&mut meter);
            month.meters.insert(name.clone(), meter);
            for (by, value, change) in changes {
                let used = by_month::nothing(&name, &by, &value);
                has_moved_credits |= by_month::charge_again(desk, (&id, &mut month), &used, change, by_credits)? != 0;
            }
            counted.extend(counter.map(|(key, decl)| (key, decl, allowed, quantity)));
        }
        let period = Period { start: month.start, end: month.end };
        if month != known {
            desk.account.put(&id, month);
        }
        // A month that the event has not changed has sent its alerts.
        if desk.account.touched::<UsageMonth>().contains(&id) {
            for (key, decl, allowed, quantity) in counted {
                alert(desk, allowed, key, decl, period, quantity)?;
            }
        }
    }
    Ok(has_moved_credits)
}

/// Returns whether a subscription that ended at a time can still decide what a month included: until no more usage of that month
/// is taken.
pub(super) fn needs(standing: &AccountStanding, ended_at: Timestamp, now: Timestamp) -> bool {
    let settings = &standing.settings;
    let until = plus_days(month_of(ended_at).1, BEHIND_MAX_DAYS);
    now <= until
        && settings.rates.keys().any(|meter| included_by(&settings.entitlements, &settings.rates, meter).is_some())
}
