//! Usage whose price depends on the amount of the month: tiers, and amounts that plans include. Computes the cost of each month from
//! its sum.

use crate::catalog::{Rate, UNLIMITED};
use std::collections::BTreeMap;

/// The units of one meter and month.
#[derive(Clone, Debug, Default)]
struct MonthUnits {
    /// Units by the value of the price's attribute.
    of_value: BTreeMap<String, i64>,
    /// Cost as it was last charged, in millionths.
    cost: BTreeMap<String, i64>,
}

/// A change of what an account is charged.
pub struct Charged {
    /// The month of the usage.
    pub month: String,
    /// The change of the cost of the units in millionths, and the cost before it.
    pub change: i64,
    /// The meter and the value of the attribute.
    pub of: (String, String),
    /// Whether credits pay first.
    pub by_credits: bool,
}

/// The units of an account.
#[derive(Clone, Debug, Default)]
pub struct Units {
    months: BTreeMap<(String, String), MonthUnits>,
    /// The most that was included at any time of a month, by month and meter.
    included: BTreeMap<(String, String), i64>,
    /// What the account had of each meter at the last look, with its second. Of several looks in one second the last one counts: of the
    /// changes of a second, Stripe's events do not show the order.
    last: BTreeMap<String, (i64, i64)>,
    /// What everybody has of a meter who pays for nothing: also in the months before the account was seen.
    pub of_everybody: BTreeMap<String, i64>,
}

impl Units {
    /// Notes what the account has in a month of each meter with an included amount. A month begins with what the account had before.
    pub fn note(&mut self, month: &str, meter: &str, (now_s, allowed): (i64, i64)) {
        let before = self.last.insert(meter.to_owned(), (now_s, allowed)).unwrap_or((now_s, allowed));
        if before.0 < now_s {
            for month in [month, &host_engine::time::text(before.0 * 1_000)[..7]] {
                let most = self.included.entry((month.to_owned(), meter.to_owned())).or_insert(before.1);
                *most = more(*most, before.1);
            }
        }
    }

    /// Returns the most that was included of a meter in a month; of the current month also what the account has now.
    pub fn included(&self, month: &str, meter: &str) -> i64 {
        let known = self.included.get(&(month.to_owned(), meter.to_owned())).copied();
        let now = self.last.get(meter).filter(|(now_s, _)| host_engine::time::text(now_s * 1_000)[..7] == *month);
        match (known, now) {
            (Some(known), Some(&(_, now))) => more(known, now),
            (Some(amount), None) | (None, Some(&(_, amount))) => amount,
            (None, None) => self.of_everybody.get(meter).copied().unwrap_or(0),
        }
    }

    /// Returns the number of units of a meter in a month.
    pub fn used(&self, month: &str, meter: &str) -> i64 {
        let units = self.months.get(&(month.to_owned(), meter.to_owned()));
        units.map_or(0, |units| units.of_value.values().sum())
    }

    /// Adds units.
    pub fn add(&mut self, month: &str, rate: &Rate, value: &str, quantity: i64) -> Charged {
        let units = self.months.entry((month.to_owned(), rate.meter.clone())).or_default();
        *units.of_value.entry(value.to_owned()).or_default() += quantity;
        self.charge(month, rate, value)
    }

    /// Prices the units of a month again, whose included amount may have changed.
    pub fn again(&mut self, month: &str, rate: &Rate) -> Vec<Charged> {
        let known = self.months.get(&(month.to_owned(), rate.meter.clone()));
        let values: Vec<String> = known.map(|units| units.of_value.keys().cloned().collect()).unwrap_or_default();
        values.iter().map(|value| self.charge(month, rate, value)).collect()
    }

    /// Returns what the units of a meter cost more if nothing is included than with an amount, or with the most that the account ever had.
    pub fn worth_included(&self, rate: &Rate, amount: i64) -> i64 {
        let of_meter = |(at, _): &(&(String, String), _)| at.1 == rate.meter;
        let ever = self.included.iter().filter(of_meter).map(|(_, amount)| *amount);
        let now = self.last.get(&rate.meter).map(|(_, amount)| *amount);
        let most = ever.chain(now).fold(amount, more);
        let of_value = |(value, all): (&String, &i64)| {
            let paid = if most == UNLIMITED { 0 } else { (all - most).max(0) };
            price_of(rate, value, *all) - price_of(rate, value, paid)
        };
        let months = self.months.iter().filter(|((_, meter), _)| *meter == rate.meter);
        months.flat_map(|(_, units)| &units.of_value).map(of_value).sum()
    }

    fn charge(&mut self, month: &str, rate: &Rate, value: &str) -> Charged {
        let included = if rate.counter.is_some() { self.included(month, &rate.meter) } else { 0 };
        let units = self.months.entry((month.to_owned(), rate.meter.clone())).or_default();
        let all = units.of_value.get(value).copied().unwrap_or(0);
        let paid = if included == UNLIMITED { 0 } else { (all - included).max(0) };
        let cost = price_of(rate, value, paid);
        let before = units.cost.insert(value.to_owned(), cost).unwrap_or(0);
        let of = (rate.meter.clone(), value.to_owned());
        Charged { month: month.to_owned(), change: cost - before, of, by_credits: rate.by_credits }
    }
}

/// Returns the larger amount.
fn more(one: i64, other: i64) -> i64 {
    if one == UNLIMITED || other == UNLIMITED { UNLIMITED } else { one.max(other) }
}

/// Returns what a number of units of a month costs.
fn price_of(rate: &Rate, value: &str, paid: i64) -> i64 {
    let tiers = rate.micros.iter().find(|(name, _)| name == value).map_or(&[][..], |(_, tiers)| tiers);
    if rate.is_volume {
        let tier = tiers.iter().find(|(to, _)| to.is_none_or(|to| paid <= to));
        return tier.map_or(0, |(_, price)| paid * price);
    }
    let mut left = paid;
    let mut begin = 0;
    tiers.iter().fold(0, |sum, (to, price)| {
        let within = to.map_or(left, |to| (to - begin).min(left));
        (left, begin) = (left - within, begin + within);
        sum + within * price
    })
}
