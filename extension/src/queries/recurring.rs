//! What a subscription brings in a month: the recurring lines of its next full invoice after discounts and before tax, divided by the
//! months of its interval and rounded half to even.

use crate::catalog::coupon::Coupon;
use crate::catalog::known_coupon::KnownCoupons;
use crate::model::records::subscription::{Observation, SubscriptionRow};
use crate::model::records::subscription_history::PendingChange;
use crate::model::time::{DAY_MS, rfc3339};
use extension_contract::{SubscriptionStatus, Timestamp};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A code with which the customer pays less, and since when.
#[derive(Clone, Debug, Default)]
pub(super) struct Code {
    pub code: String,
    pub since: Timestamp,
    /// Whether the discount came with the purchase, so that the first invoice already had it.
    pub is_of_purchase: bool,
}

/// Returns how a subscription counts: `active`, or apart from it as `leaving`, `trial`, `paused`, `unpaid` or `ended`.
pub(super) fn standing(row: &SubscriptionRow) -> &'static str {
    match row.status() {
        _ if row.is_final() => "ended",
        SubscriptionStatus::Trialing => "trial",
        _ if row.state().pause.is_some() || row.paused.is_some() => "paused",
        SubscriptionStatus::Active if row.is_leaving() => "leaving",
        SubscriptionStatus::Active => "active",
        _ => "unpaid",
    }
}

/// Returns whether a subscription was ever more than a trial.
pub(super) fn was_customer(row: &SubscriptionRow) -> bool {
    let is_paying = |seen: &Observation| seen.status() == SubscriptionStatus::Active;
    row.history.iter().any(is_paying)
}

/// A line of the next full invoice.
struct NextLine<'a> {
    product: &'a str,
    amount_minor: i64,
}

/// Returns the monthly amount, the discount that counts for it, and the next charge with its time. `sold` is what the prices sell.
/// Null for a subscription without a known price.
pub(super) fn recurring(
    row: &SubscriptionRow,
    pending: Option<&PendingChange>,
    code: Option<&Code>,
    (sold, coupons, default): (&BTreeMap<String, Value>, &KnownCoupons, &str),
) -> Value {
    let Some(first) = row.state().items.first() else { return Value::Null };
    let next_at = first.period_end;
    let changes = pending.filter(|change| change.at <= next_at);
    let items = row.state().items.iter().enumerate().map(|(place, item)| match changes {
        Some(change) if place == 0 => (change.price.to_string(), change.quantity),
        _ => (item.price_id.clone(), item.quantity),
    });
    let items: Vec<(String, u32)> = items.collect();
    let known = || items.iter().filter_map(|(price, quantity)| Some((sold.get(price)?, *quantity)));
    let Some((main, _)) = known().next() else { return Value::Null };
    let currency = main["amount"]["currency"].as_str().unwrap_or(default);
    let lines: Vec<NextLine<'_>> = known()
        .map(|(of, quantity)| NextLine {
            product: of["product_id"].as_str().unwrap_or_default(),
            amount_minor: of["amount"]["amount_minor"].as_i64().unwrap_or(0).saturating_mul(i64::from(quantity)),
        })
        .collect();
    let total = lines.iter().fold(0_i64, |sum, line| sum.saturating_add(line.amount_minor));
    let found = code.and_then(|code| {
        let known = coupons.get(&code.code)?;
        let coupon = known.made.as_ref().map(|made| &made.coupon).or(known.wanted.as_ref())?;
        let of_next = counts_at(coupon, code, first.period_start, next_at);
        of_next.then(|| (code, coupon, off(coupon, &lines, currency, default)))
    });
    let left = total.saturating_sub(found.as_ref().map_or(0, |(.., off)| *off));
    let count = main["interval"]["count"].as_i64().unwrap_or(1).max(1);
    let monthly = match main["interval"]["unit"].as_str() {
        Some("year") => half_to_even(left, 1, 12 * count),
        Some("week") => half_to_even(left, 52, 12 * count),
        Some("day") => half_to_even(left, 365, 12 * count),
        _ => half_to_even(left, 1, count),
    };
    let money = |amount_minor: i64| json!({"amount_minor": amount_minor, "currency": currency});
    let discount = found.map(|(code, coupon, off)| {
        json!({"code": code.code, "off": money(off), "months": coupon.months, "forever": coupon.forever})
    });
    json!({"monthly": money(monthly), "next": money(left), "next_at": next_at, "discount": discount})
}

/// Returns whether a discount still counts for the invoice at the end of the current period.
fn counts_at(coupon: &Coupon, code: &Code, period_start: Timestamp, next_at: Timestamp) -> bool {
    match (coupon.forever, coupon.months) {
        (true, _) => true,
        (false, Some(months)) => months_between(code.since, next_at) < i64::from(months),
        // Only one invoice is discounted: the first one, or the next one of a customer who stayed.
        (false, None) => !code.is_of_purchase && code.since >= period_start,
    }
}

fn off(coupon: &Coupon, lines: &[NextLine<'_>], currency: &str, default: &str) -> i64 {
    let is_discounted = |line: &&NextLine<'_>| {
        coupon.products.is_empty() || coupon.products.iter().any(|product| product == line.product)
    };
    let of = lines.iter().filter(is_discounted).fold(0_i64, |sum, line| sum.saturating_add(line.amount_minor));
    coupon.off_minor(of, currency, default)
}

/// Returns the number of whole months between two times. The last day of a short month ends a month that began later in its own.
fn months_between(from: Timestamp, to: Timestamp) -> i64 {
    let parts = |at: Timestamp| {
        let text = rfc3339(at);
        let number =
            |range: std::ops::Range<usize>| text.get(range).and_then(|part| part.parse::<i64>().ok()).unwrap_or(0);
        (number(0..4) * 12 + number(5..7), number(8..10), text.get(11..).unwrap_or_default().to_owned())
    };
    let ((from_month, from_day, from_time), (to_month, to_day, to_time)) = (parts(from), parts(to));
    let is_last_day = parts(to.saturating_add(DAY_MS)).0 != to_month;
    let to_day = if is_last_day { to_day.max(from_day) } else { to_day };
    to_month - from_month - i64::from((to_day, to_time) < (from_day, from_time))
}

/// Returns `amount * times / parts`, rounded half to even.
fn half_to_even(amount: i64, times: i64, parts: i64) -> i64 {
    let (amount, parts) = (i128::from(amount) * i128::from(times), i128::from(parts.max(1)));
    let (whole, rest) = (amount.div_euclid(parts), amount.rem_euclid(parts));
    let up = match (rest * 2).cmp(&parts) {
        std::cmp::Ordering::Less => 0,
        std::cmp::Ordering::Greater => 1,
        std::cmp::Ordering::Equal => whole.rem_euclid(2),
    };
    i64::try_from(whole + up).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::parse_rfc3339;

    #[test]
    fn a_half_is_rounded_to_the_even_neighbour() {
        for (amount, parts, expected) in
            [(30, 12, 2), (42, 12, 4), (18, 12, 2), (31, 12, 3), (-30, 12, -2), (-42, 12, -4), (0, 12, 0)]
        {
            assert_eq!(half_to_even(amount, 1, parts), expected, "{amount} / {parts}");
        }
        assert_eq!(half_to_even(1200, 52, 12), 5200);
    }

    #[test]
    fn a_month_that_began_on_the_last_day_ends_with_the_short_month() {
        for (from, to, expected) in [
            ("2026-01-31T00:00:00Z", "2026-02-28T00:00:00Z", 1),
            ("2026-01-31T00:00:00Z", "2026-02-27T00:00:00Z", 0),
            ("2026-01-15T10:00:00Z", "2026-04-15T10:00:00Z", 3),
            ("2026-01-15T10:00:00Z", "2026-04-15T09:59:59Z", 2),
        ] {
            let at = |text: &str| parse_rfc3339(text).unwrap_or_default();
            assert_eq!(months_between(at(from), at(to)), expected, "{from} {to}");
        }
    }
}
