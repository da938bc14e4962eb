//! Charges usage whose price depends on the amount of the month: a plan includes a part of it, or its price has tiers. The month has
//! the units; their cost follows from these alone, so the order in which they are reported does not matter.

use crate::actions::spend::{ByMonth, Cost, give_back, log, open_month, spend, take_credits};
use crate::catalog::meter::included_by;
use crate::catalog::rate::{PaidBy, Rate, rate_at};
use crate::catalog::settings::Settings;
use crate::derive::included::{Span, included};
use crate::derive::standing::standing;
use crate::desk::Desk;
use crate::model::halt::Ruled;
use crate::model::monthly_price::Included;
use crate::model::records::usage::{Charge, MeterMonth, Units, UsageDay, UsageMonth, Use};
use crate::model::time::{date, day_of, month_id, month_of};
use extension_contract::{Timestamp, Usage};

/// Counts a measurement with its cost. Returns what it costs, in millionths: if its price depends on the amount of the month, the change
/// of the month's cost.
pub(crate) fn count(desk: &mut Desk<'_>, rate: &Rate, usage: &Usage, cost: &Cost) -> Ruled<i64> {
    let Some(monthly) = cost.monthly() else { return spend(desk, rate, usage, cost) };
    let (used, month, change) = add(desk, rate, usage, monthly)?;
    if rate.log {
        log(desk, usage, cost, &used, &month)?;
    }
    Ok(change)
}

/// Counts a measurement in the month of its time, and charges the change of that month's cost to the same month or, if it is closed,
/// to the current month. Returns the use without its cost, the id of the charged month, and the change.
fn add(desk: &mut Desk<'_>, rate: &Rate, usage: &Usage, monthly: &ByMonth) -> Ruled<(Use, String, i64)> {
    let (start, end) = month_of(usage.at);
    let (charged_id, mut charged) = open_month(desk, usage.at)?;
    let is_late = charged.start != start;
    let own_id = month_id(start);
    let mut own = match is_late {
        true => {
            let known = desk.account.row::<UsageMonth>(&own_id)?;
            let currency = charged.currency.clone();
            let mut own =
                known.unwrap_or_else(|| UsageMonth { start, end, currency, closed: true, ..UsageMonth::default() });
            // What the month costs is charged to another month, in its currency.
            let settings = desk.catalog.settings()?;
            if own.currency != charged.currency
                && let Some(meter) = own.meters.get_mut(&usage.meter)
            {
                let included = Included::of(meter.included);
                for (value, units) in &mut meter.units {
                    price_in(units, &settings, (&usage.meter, value), charged.currency(&settings.currency));
                    units.charge(included);
                }
            }
            own
        }
        false => charged.clone(),
    };
    if !own.meters.contains_key(&usage.meter) {
        let meter = first_use(desk, &usage.meter, Span { start, end })?;
        own.meters.insert(usage.meter.clone(), meter);
    }
    let by_credits = rate.pay.contains(&PaidBy::Credits);
    let mut change = 0;
    if let Some(meter) = own.meters.get_mut(&usage.meter) {
        meter.by_credits = by_credits;
        let units = meter.units.entry(monthly.value.clone()).or_default();
        units.by.clone_from(&monthly.by);
        units.add(monthly.since, monthly.price.clone(), usage.quantity);
        change = units.charge(Included::of(meter.included));
    }
    match is_late {
        true => desk.account.put(&own_id, own),
        false => charged = own,
    }
    let used = Use { quantity: usage.quantity, requests: 1, ..nothing(&usage.meter, &monthly.by, &monthly.value) };
    charged.uses.of_price(&used).count(&used);
    add_to_day(desk, usage.at, &used)?;
    charge(desk, (&charged_id, &mut charged), &used, (change, usage.at), by_credits)?;
    desk.account.put(&charged_id, charged);
    Ok((used, charged_id, change))
}

/// Takes measured units back. Returns their cost and the part of it that is returned to credits, both in millionths.
pub(crate) fn take_back(
    desk: &mut Desk<'_>,
    (id, mut month): (&str, UsageMonth),
    usage: &Usage,
    (monthly, used): (&ByMonth, &Use),
) -> Ruled<(i64, i64)> {
    let (mut change, mut by_credits) = (0, false);
    if let Some(meter) = month.meters.get_mut(&usage.meter) {
        by_credits = meter.by_credits;
        let units = meter.units.entry(monthly.value.clone()).or_default();
        units.add(monthly.since, monthly.price.clone(), -usage.quantity);
        change = units.charge(Included::of(meter.included));
    }
    let less = Use { quantity: -usage.quantity, ..used.without_amount() };
    month.uses.of_price(&less).count(&less);
    add_to_day(desk, usage.at, &less)?;
    let covered = charge(desk, (id, &mut month), used, (change, usage.at), by_credits)?;
    desk.account.put(id, month);
    Ok((-change, -covered))
}

/// Charges a change of the cost of a use to a month: credits pay more of it, or get back what they no longer pay. The day of the
/// change has it, too. Returns the change of what credits pay.
pub(crate) fn charge(
    desk: &mut Desk<'_>,
    (id, month): (&str, &mut UsageMonth),
    used: &Use,
    (change, at): (i64, Timestamp),
    by_credits: bool,
) -> Ruled<i64> {
    if change == 0 {
        return Ok(0);
    }
    let row = month.uses.of_price(used);
    row.cost_micros = row.cost_micros.saturating_add(change);
    let (cost, covered) = (row.cost_micros, row.covered_micros);
    let covered_change = match change > 0 {
        true if by_credits => take_credits(desk, change.min(cost.saturating_sub(covered)).max(0), (id, month))?,
        true => 0,
        false => -give_back(desk, (covered - cost.max(0)).max(0), id)?,
    };
    month.uses.of_price(used).count_at_use(change, covered_change);
    note(desk, month, used, (change, covered_change, at))?;
    Ok(covered_change)
}

/// Charges the change of the cost of a use after the included amount has changed. Returns the change of what credits pay.
pub(crate) fn charge_again(
    desk: &mut Desk<'_>,
    (id, month): (&str, &mut UsageMonth),
    used: &Use,
    change: i64,
    by_credits: bool,
) -> Ruled<i64> {
    let row = month.uses.of_price(used);
    let (wanted, covered) = (row.price_again(change), row.covered_micros);
    let covered_change = match wanted > covered {
        true if by_credits => take_credits(desk, wanted - covered, (id, month))?,
        true => 0,
        false => -give_back(desk, covered - wanted, id)?,
    };
    // The day on which the included amount has changed has the change.
    let today = desk.now;
    note(desk, month, used, (change, covered_change, today))?;
    let row = month.uses.of_price(used);
    let charged = Charge { cost_micros: row.cost_micros, covered_micros: row.covered_micros };
    row.at_use.take_if(|at_use| *at_use == charged);
    Ok(covered_change)
}

/// Notes what credits pay of a change of a use's cost in the month, and both in the day of the change.
fn note(
    desk: &mut Desk<'_>,
    month: &mut UsageMonth,
    used: &Use,
    (change, covered, at): (i64, i64, Timestamp),
) -> Ruled<()> {
    month.uses.of_price(used).covered_micros += covered;
    month.credits_micros = month.credits_micros.saturating_add(covered);
    add_to_day(desk, at, &Use { cost_micros: change, covered_micros: covered, ..used.without_amount() })
}

/// Returns a use of a price without an amount.
pub(crate) fn nothing(meter: &str, by: &str, value: &str) -> Use {
    let attributes = if by.is_empty() { Vec::new() } else { vec![(by.to_owned(), value.to_owned())] };
    Use {
        meter: meter.to_owned(),
        attributes,
        quantity: 0,
        cost_micros: 0,
        requests: 0,
        covered_micros: 0,
        at_use: None,
    }
}

/// Returns the record of a meter that was not used before in a month.
fn first_use(desk: &mut Desk<'_>, meter: &str, month: Span) -> Ruled<MeterMonth> {
    let mut record = MeterMonth::default();
    let settings = desk.catalog.settings()?;
    if let Some((key, _)) = included_by(&settings.entitlements, &settings.rates, meter) {
        let standing = standing(desk)?;
        record.included = included(&standing, desk.account.owner(), key, (month, desk.now), &mut record.granted)?;
    }
    Ok(record)
}

/// Adds a use to the day of a time.
fn add_to_day(desk: &mut Desk<'_>, at: Timestamp, used: &Use) -> Ruled<()> {
    let id = date(at);
    let mut day = desk.account.row::<UsageDay>(&id)?.unwrap_or_default();
    day.start = day_of(at);
    day.uses.of_price(used).count(used);
    desk.account.put(&id, day);
    Ok(())
}

/// Returns the values of a meter's price with the change of their cost.
pub(crate) fn changes(meter: &mut MeterMonth) -> Vec<(String, String, i64)> {
    let included = Included::of(meter.included);
    let change = |(value, units): (&String, &mut Units)| (units.by.clone(), value.clone(), units.charge(included));
    meter.units.iter_mut().map(change).filter(|(.., change)| *change != 0).collect()
}

/// Gives the units of a meter and a value of its price's attribute the prices in a currency: those of the same time.
pub(crate) fn price_in(units: &mut Units, settings: &Settings, (meter, value): (&str, &str), currency: &str) {
    for portion in &mut units.portions {
        let rate = rate_at(&settings.former_rates, &settings.rates, meter, portion.since);
        if let Some(price) = rate.and_then(|rate| rate.in_currency(currency).monthly(value)) {
            portion.price = price;
        }
    }
}
