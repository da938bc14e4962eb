//! Measurements. Counters sum up the measurements of the account and of its instances, or a rate prices them. The
//! measurements of an instance are also stored in its metadata, as sums per billing period and as the newest gauges.

use crate::actions::by_month;
use crate::actions::count::{self, count_by_day};
use crate::actions::measurement::{BEHIND_MAX_DAYS, Window, fact_of};
use crate::actions::spend::{self, Cost};
use crate::catalog::entitlement::EntitlementDecl;
use crate::catalog::meter::{is_sum, measured_by};
use crate::catalog::rate::Rate;
use crate::catalog::schema::Meter;
use crate::catalog::words::ID_BYTES;
use crate::derive::standing::{UNLIMITED, standing};
use crate::desk::Desk;
use crate::desk::instance::Instance;
use crate::model::halt::Ruled;
use crate::model::json::Object;
use crate::model::records::instance::ArchiveMode;
use crate::model::records::summary::Summary;
use crate::model::records::usage_request::UsageRequest;
use crate::model::time::rfc3339;
use extension_contract::*;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The subject of a measurement.
enum Subject<'u> {
    /// The account, with a rate and the cost.
    Paid(Box<(Rate, Cost)>),
    /// The account, with the key of a counter.
    Account(String, EntitlementDecl),
    /// An instance, with a meter of its type, and the key of the counter that the meter measures.
    Instance(&'u str, Meter, Option<(String, EntitlementDecl)>),
}

/// Fails if a measurement that is not counted yet has a time outside of the window in which usage is billed.
fn check_time(desk: &mut Desk<'_>, usage: &Usage) -> Ruled<()> {
    if Window::at(desk.now).place(usage.at).is_ne() && !desk.account.is_known(&fact_of(usage))? {
        let text = format!(
            "time of {}: expected at most {BEHIND_MAX_DAYS} days ago and at most 5 minutes ahead, found {}",
            usage.id,
            rfc3339(usage.at)
        );
        return Err(Refusal::Malformed(text).into());
    }
    Ok(())
}

/// Fails if a measurement has an impossible quantity or id.
fn check(usage: &Usage) -> Ruled<()> {
    if usage.quantity < 0 {
        return Err(Refusal::Malformed(format!("quantity of {}", usage.id)).into());
    }
    if usage.id.is_empty() || usage.id.len() > ID_BYTES {
        return Err(Refusal::Malformed(format!("id of {} bytes", usage.id.len())).into());
    }
    Ok(())
}

/// Decides a batch of measurements. Each counts once, by its meter and id.
pub(super) fn decide(desk: &mut Desk<'_>, batch: &[Usage]) -> Ruled<Outcome> {
    let standing = standing(desk)?;
    let mut instances: BTreeMap<String, Instance> = BTreeMap::new();
    let mut checked = Vec::with_capacity(batch.len());
    let settings = desk.catalog.settings()?;
    for usage in batch {
        check(usage)?;
        check_time(desk, usage)?;
        if let Some(rate) = settings.rates.get(&usage.meter) {
            let cost = spend::cost(desk, rate, usage)?;
            checked.push((Subject::Paid(Box::new((rate.clone(), cost))), usage));
            continue;
        }
        let named = usage.attributes.iter().find(|(name, _)| name == "instance").map(|(_, value)| value.as_str());
        let mut counter = count::measured(desk, &usage.meter)?;
        if let Some((key, decl)) = counter.take_if(|_| named.is_none()) {
            checked.push((Subject::Account(key, decl), usage));
            continue;
        }
        let unknown = || {
            let unknown_meter = || format!("rate or counter `{}`, or the attribute `instance`", usage.meter);
            Refusal::NotFound(named.map_or_else(unknown_meter, |id| format!("instance {id}")))
        };
        let id = named.filter(|id| (1..=ID_BYTES_MAX).contains(&id.len())).ok_or_else(unknown)?;
        if !instances.contains_key(id) {
            let found = Instance::find(desk, id)?.ok_or_else(unknown)?;
            instances.insert(id.to_owned(), found);
        }
        let meters = instances.get(id).map(|instance| instance.decl.measured());
        let Some(meter) = meters.into_iter().flatten().find(|meter| meter.meter == usage.meter).cloned() else {
            return Err(Refusal::NotFound(format!("meter {}", usage.meter)).into());
        };
        checked.push((Subject::Instance(id, meter, counter), usage));
    }
    // The whole batch is checked before any measurement is recorded.
    let logged = checked.iter().filter(|(subject, _)| matches!(subject, Subject::Paid(paid) if paid.0.log));
    let rows: Vec<String> = logged.map(|(_, usage)| UsageRequest::id_of(usage.at, &usage.id)).collect();
    if !rows.is_empty() {
        desk.account.load::<UsageRequest>(&rows)?;
    }
    let mut has_news = false;
    for (subject, usage) in checked {
        if !desk.account.record_fact(&fact_of(usage))? {
            continue;
        }
        has_news = true;
        count_by_day(desk, &standing, usage)?;
        match subject {
            Subject::Paid(paid) => drop(by_month::count(desk, &paid.0, usage, &paid.1)?),
            Subject::Account(key, decl) => count::count(desk, &standing, &key, &decl, usage.quantity, usage.at)?,
            Subject::Instance(id, meter, counter) => {
                if let Some((key, decl)) = counter {
                    count::count(desk, &standing, &key, &decl, usage.quantity, usage.at)?;
                }
                if let Some(instance) = instances.get_mut(id) {
                    record_use(instance, usage, desk.now);
                    let settings = &standing.settings;
                    let measured = measured_by(&settings.entitlements, &meter.meter).map(|(key, _)| key);
                    let period = standing.period_of(meter.of.as_ref().or(measured).unwrap_or(&meter.meter));
                    let period = period.map(|(_, item)| (item.period_start, item.period_end));
                    add(instance, &meter.meter, is_sum(&settings.meters, &meter.meter), usage, period);
                }
            }
        }
    }
    if !has_news {
        return Ok(Outcome::Duplicate(batch.first().map_or_else(String::new, |usage| format!("usage:{}", usage.id))));
    }
    if instances.is_empty() {
        return Ok(Outcome::Applied);
    }
    for instance in instances.values_mut() {
        instance.save(&mut desk.account)?;
    }
    // Excess of held amounts begins with the first measurement that shows it.
    let mut summary = desk.account.row::<Summary>(Summary::ID)?.unwrap_or_default();
    summary.excess.retain(|key, _| summary.held.contains_key(key));
    for (key, held) in &summary.held {
        let allowed = standing.allows(key);
        if allowed != UNLIMITED && *held > allowed {
            summary.excess.entry(key.clone()).or_insert(desk.now);
        } else {
            summary.excess.remove(key);
        }
    }
    desk.account.put(Summary::ID, summary);
    Ok(Outcome::Applied)
}

/// Records that an instance was used: it is no longer idle, and a failed archive may be retried later.
fn record_use(instance: &mut Instance, usage: &Usage, now: Timestamp) {
    let idle = instance.decl.lifecycle.as_ref().and_then(|lifecycle| lifecycle.idle.as_ref());
    let is_use = idle.is_some_and(|idle| idle.meter == usage.meter) && usage.quantity > 0;
    let at = Some(usage.at.min(now));
    if is_use && at > instance.record.active_at {
        instance.record.active_at = at;
        instance.record.archive = ArchiveMode::Automatic;
    }
}

fn add(instance: &mut Instance, meter: &str, is_sum: bool, usage: &Usage, period: Option<(Timestamp, Timestamp)>) {
    let known = instance.record.measured_at.get(meter).copied();
    // A counter starts at the beginning of a period, or continues if no period is known. After the known period it counts in
    // the next period, whose renewal is not known yet. A gauge belongs to its time.
    let of = match (is_sum, period) {
        (false, _) => usage.at,
        (true, Some((_, end))) if usage.at >= end => known.map_or(end, |known| known.max(end)),
        (true, Some((start, _))) => known.map_or(start, |known| known.max(start)),
        (true, None) => known.unwrap_or(0),
    };
    // A measurement from before the recorded time no longer counts.
    if known.is_some_and(|known| known > of) || usage.at < of {
        return;
    }
    let mut object = |key: &str| match instance.metadata.remove(key) {
        Some(Value::Object(map)) => map,
        _ => Object::new(),
    };
    let (mut amounts, mut times) = (object("usage"), object("usage_at"));
    let held = amounts.get(meter).and_then(Value::as_i64).unwrap_or(0);
    let base = if is_sum && known == Some(of) { held } else { 0 };
    amounts.insert(meter.to_owned(), json!(base.saturating_add(usage.quantity)));
    times.insert(meter.to_owned(), json!(rfc3339(of)));
    instance.record.measured_at.insert(meter.to_owned(), of);
    instance.metadata.insert("usage".to_owned(), Value::Object(amounts));
    instance.metadata.insert("usage_at".to_owned(), Value::Object(times));
}
