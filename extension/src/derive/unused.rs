//! The money that was received for periods of a subscription, less what went back, and its part for the rest of these
//! periods. List prices take no part: a discounted year is worth what was paid for it.

use crate::desk::Desk;
use crate::model::halt::Ruled;
use crate::model::ids::{InvoiceId, SubscriptionId};
use crate::model::records::invoice::{Invoice, InvoiceStatus};
use crate::model::records::payment::Payment;
use extension_contract::{Money, Timestamp};
use std::collections::BTreeMap;

/// A period of a subscription's item.
pub(crate) struct Period {
    pub start: Timestamp,
    pub end: Timestamp,
}

/// Returns what went back of each invoice by its loaded payments with refunds or disputes, in minor units: for each payment, what
/// `back_of` counts.
pub(crate) fn back_by_invoice(
    desk: &mut Desk<'_>,
    back_of: fn(&Payment) -> i64,
) -> Ruled<BTreeMap<InvoiceId, BTreeMap<String, i64>>> {
    let mut back: BTreeMap<InvoiceId, BTreeMap<String, i64>> = BTreeMap::new();
    for (id, payment) in desk.account.all::<Payment>()? {
        if let Some(invoice) = payment.invoice.as_ref().filter(|_| payment.has_returns()) {
            back.entry(invoice.clone()).or_default().insert(id, back_of(&payment));
        }
    }
    Ok(back)
}

/// Precision of the weights of lines.
const WHOLE: i128 = 1_000_000_000;

/// Returns the money that was received until a time for the rest of a period, by currency, rounded down: at Stripe, or
/// with `is_by_hand` outside of it. `is_counted` chooses the lines by their prices. Reads all invoices and payments of
/// the account.
pub(crate) fn rest(
    desk: &mut Desk<'_>,
    subscription: &SubscriptionId,
    period: &Period,
    since: Timestamp,
    is_by_hand: bool,
    is_counted: &dyn Fn(&str) -> bool,
) -> Ruled<Vec<Money>> {
    let rest = Period { start: since, end: period.end };
    let is_early =
        |invoice: &Invoice| invoice.paid_out_of_band == is_by_hand && invoice.paid_at.unwrap_or(invoice.at) <= since;
    within(desk, subscription, period, &rest, &is_early, is_counted)
}

/// Returns the received money for a part of a period, by currency, rounded down. A refund of the rest of a period does
/// not reduce what is given back for a payment that arrives later.
pub(crate) fn within(
    desk: &mut Desk<'_>,
    subscription: &SubscriptionId,
    period: &Period,
    part: &Period,
    is_meant: &dyn Fn(&Invoice) -> bool,
    is_counted: &dyn Fn(&str) -> bool,
) -> Ruled<Vec<Money>> {
    desk.account.load_whole(Invoice::COLLECTION)?;
    desk.account.load_whole(Payment::COLLECTION)?;
    let back = back_by_invoice(desk, Payment::back_of_use_minor)?;
    let mut out: BTreeMap<String, i64> = BTreeMap::new();
    for (id, invoice) in desk.account.all::<Invoice>()? {
        if invoice.subscription.as_ref() == Some(subscription) && pays_for(&invoice, period) && is_meant(&invoice) {
            let back = back.get(&*id).map_or(0, |payments| payments.values().sum());
            let left = of_invoice(&invoice, back, period, part, is_counted);
            let sum = out.entry(invoice.currency.clone()).or_default();
            *sum = sum.saturating_add(left);
        }
    }
    Ok(out
        .into_iter()
        .filter(|(_, left)| *left > 0)
        .map(|(currency, amount_minor)| Money { amount_minor, currency })
        .collect())
}

/// Returns whether an invoice was paid within a period, and for time in it.
fn pays_for(invoice: &Invoice, period: &Period) -> bool {
    let at = invoice.paid_at.unwrap_or(invoice.at);
    let is_within = (period.start..period.end).contains(&at);
    let covers = invoice.period_end.is_none_or(|end| end > period.start);
    invoice.status == InvoiceStatus::Paid && is_within && covers
}

/// Returns the share of an invoice's money for a part of the period. A line pays for the whole period, and a proration
/// for the time after its invoice, so a change within the part counts from the change on.
fn of_invoice(
    invoice: &Invoice,
    back_minor: i64,
    period: &Period,
    part: &Period,
    is_counted: &dyn Fn(&str) -> bool,
) -> i64 {
    let received = i128::from(invoice.takings_minor().saturating_sub(back_minor).max(0));
    let (mut all, mut weighed) = (0i128, 0i128);
    for line in &invoice.lines {
        let amount = i128::from(line.amount_minor);
        all += amount;
        if !line.price.as_deref().is_some_and(is_counted) {
            continue;
        }
        let is_change = line.proration || invoice.is_change();
        let start = if is_change { invoice.first_at.clamp(period.start, period.end) } else { period.start };
        let left = i128::from((part.end.min(period.end) - part.start.max(start)).max(0));
        let whole = i128::from(period.end - start);
        if whole > 0 {
            weighed += amount * left * WHOLE / whole;
        }
    }
    if all <= 0 {
        return 0;
    }
    i64::try_from(received * weighed.clamp(0, all * WHOLE) / (all * WHOLE)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::records::invoice::Line;

    const YEAR: Period = Period { start: 0, end: 365 };

    fn line(price: &str, amount_minor: i64, proration: bool) -> Line {
        Line { price: Some(price.into()), amount_minor, quantity: None, proration, credit: amount_minor < 0 }
    }

    fn rest(invoice: &Invoice, back_minor: i64, now: Timestamp) -> i64 {
        let part = Period { start: now, end: YEAR.end };
        of_invoice(invoice, back_minor, &YEAR, &part, &|price| price.starts_with("year"))
    }

    fn paid(amount_minor: i64, at: Timestamp, lines: Vec<Line>) -> Invoice {
        Invoice {
            amount_due_minor: amount_minor,
            amount_paid_minor: amount_minor,
            at,
            first_at: at,
            lines,
            ..Invoice::default()
        }
    }

    #[test]
    fn the_rest_of_a_discounted_year_is_a_part_of_the_paid_amount() {
        let half = paid(2_500, 0, vec![line("year_a", 5_000, false)]);
        assert_eq!([0, 219, 364].map(|now| rest(&half, 0, now)), [2_500, 1_000, 6]);
        assert_eq!(rest(&half, 500, 219), 800, "what went back is not part of the rest");
        assert_eq!(rest(&half, 9_000, 219), 0);
    }

    #[test]
    fn other_lines_of_the_invoice_take_their_part() {
        let both = paid(6_000, 0, vec![line("year_a", 5_000, false), line("month", 1_000, false)]);
        assert_eq!(rest(&both, 0, 219), 2_000);
        assert_eq!(rest(&paid(0, 0, vec![line("year_a", 0, false)]), 0, 219), 0);
    }

    /// 50.00 were paid for the year: 45.00 in money, and 5.00 by the rest of a month. What is left of it goes back, at most the money.
    #[test]
    fn the_credit_of_a_month_has_paid_for_the_year() {
        let year = paid(4_500, 0, vec![line("month", -500, true), line("year_a", 5_000, false)]);
        assert_eq!([0, 36, 219, 364].map(|now| rest(&year, 0, now)), [4_500, 4_500, 2_000, 13]);
    }

    #[test]
    fn a_change_within_the_year_pays_for_the_time_after_it() {
        let change = paid(1_500, 146, vec![line("year_a", -3_000, true), line("year_b", 4_500, true)]);
        // 219 days are left at the change, 73 of them at the end.
        assert_eq!(rest(&change, 0, 292), 500);
    }
}
