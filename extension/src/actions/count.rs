//! Counts the account's own usage: in counters by period, and by day what Stripe's meters get (S127).

use crate::catalog::entitlement::{EntitlementDecl, EntitlementKind, declared};
use crate::catalog::meter::{is_included, measured_by};
use crate::derive::period::{Period, period_of};
use crate::derive::standing::AccountStanding;
use crate::desk::Desk;
use crate::model::halt::Ruled;
use crate::model::mail_kinds;
use crate::model::notice::send_once;
use crate::model::records::counter::Counter;
use crate::model::records::meter_day::MeterDay;
use crate::model::time::{day_of, rfc3339};
use extension_contract::{Timestamp, Usage};
use serde_json::json;

/// Returns the declaration of a counter; `None` if the key is not declared as a counter.
pub(crate) fn counter(desk: &Desk<'_>, key: &str) -> Ruled<Option<EntitlementDecl>> {
    let settings = desk.catalog.settings()?;
    let found = declared(&settings.entitlements, key).filter(|decl| decl.kind == EntitlementKind::Counter);
    Ok(found.cloned())
}

/// Returns the counter that a meter measures, with its key; `None` if the meter measures no counter.
pub(crate) fn measured(desk: &Desk<'_>, meter: &str) -> Ruled<Option<(String, EntitlementDecl)>> {
    let settings = desk.catalog.settings()?;
    let found = measured_by(&settings.entitlements, meter).filter(|(_, decl)| decl.kind == EntitlementKind::Counter);
    Ok(found.map(|(key, decl)| (key.clone(), decl.clone())))
}

/// Counts an amount in the period of its time, and sends alerts when thresholds are reached.
pub(crate) fn count(
    desk: &mut Desk<'_>,
    standing: &AccountStanding,
    key: &str,
    decl: &EntitlementDecl,
    amount: i64,
    at: Timestamp,
) -> Ruled<()> {
    let period = period_of(standing, key, decl, at);
    let mut counter = desk.account.row::<Counter>(key)?.unwrap_or_default();
    if counter.add(period.start, amount) {
        let used = counter.used(period.start);
        desk.account.put(key, counter);
        alert(desk, standing.allows(key), key, decl, period, used)?;
    }
    Ok(())
}

/// Sends an alert for each reached threshold, once per period and limit: a raised limit has thresholds of its own.
pub(crate) fn alert(
    desk: &mut Desk<'_>,
    allowed: i64,
    key: &str,
    decl: &EntitlementDecl,
    period: Period,
    used: i64,
) -> Ruled<()> {
    // There are no thresholds of 0 or of an unlimited amount, which is negative.
    if allowed <= 0 {
        return Ok(());
    }
    // What is beyond an included amount is not refused, but has a price.
    let priced = is_included(decl, &desk.catalog.settings()?.rates);
    for percent in &decl.alerts {
        if i128::from(used) * 100 < i128::from(allowed) * i128::from(*percent) {
            continue;
        }
        let mut values = json!({
            "key": key, "percent": percent, "used": used, "allowed": allowed, "resets_at": rfc3339(period.end),
        });
        if priced {
            values["priced"] = json!(true);
        }
        let reference = format!("{key}:{}:{percent}:{allowed}", period.start);
        send_once(&mut desk.account, &mail_kinds::USAGE_ALERT, &reference, &values)?;
    }
    Ok(())
}

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
