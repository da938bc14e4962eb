//! Invoices a month's usage once, a day after the month's end. Amounts below the minimum are carried over (TES-68,
//! If a source reports the usage, the invoice waits until the month is counted, at most three days.

use super::schedule::DesiredSchedule;
use crate::actions::usage_pull;
use crate::catalog::rate::{PaidBy, Rates};
use crate::derive::customer::customer;
use crate::desk::Desk;
use crate::model::correlation::Correlation;
use crate::model::effect::request;
use crate::model::halt::Ruled;
use crate::model::json::Object;
use crate::model::keys::{EffectKey, TimerKey};
use crate::model::money::to_minor_up;
use crate::model::records::usage::UsageMonth;
use crate::model::time::{DAY_MS, month_id, month_of, rfc3339};
use serde_json::{Value, json};

/// Time from a month's end to its invoice if the source of the usage does not answer.
const SOURCE_WAITS_MS: i64 = 3 * DAY_MS;

/// Closes the months that are over, and sets timers for the other months.
pub(super) fn reconcile(desk: &mut Desk<'_>, desired: &mut DesiredSchedule) -> Ruled<()> {
    // The order of the ids is chronological.
    let months: Vec<String> = desk.account.all::<UsageMonth>()?.into_iter().map(|(id, _)| id).collect();
    if months.is_empty() {
        return Ok(());
    }
    let rates = desk.catalog.settings()?.rates.clone();
    let counted_until = usage_pull::counted_until(desk)?;
    for id in months {
        let Some(month) = desk.account.row::<UsageMonth>(&id)?.filter(|month| !month.closed) else { continue };
        let is_counted = counted_until.is_none_or(|until| until >= month.end);
        let due = month.end.saturating_add(if is_counted { DAY_MS } else { SOURCE_WAITS_MS });
        match due <= desk.now {
            true => close(desk, &id, month, &rates, desired)?,
            false => desired.timer(desk.now, TimerKey::UsageInvoice { due }, due),
        }
    }
    Ok(())
}

fn close(
    desk: &mut Desk<'_>,
    id: &str,
    mut month: UsageMonth,
    rates: &Rates,
    desired: &mut DesiredSchedule,
) -> Ruled<()> {
    let settings = desk.catalog.settings()?;
    let currency = month.currency(&settings.currency).to_owned();
    let terms = rates.values().filter(|rate| rate.pay.contains(&PaidBy::Invoice)).filter_map(|r| r.invoice.as_ref());
    let least = terms.map(|terms| terms.min).min();
    let open = month.open_micros();
    let total = to_minor_up(open.max(0), &currency);
    month.closed = true;
    cover_by_credits(&mut month);
    match least {
        // Without a rate that is paid by invoice, only credits pay.
        None => {}
        Some(least) if total > 0 && total >= least => {
            month.invoiced_minor = total;
            let payload = invoice(desk, id, &month, total, &currency)?;
            let key = EffectKey::UsageInvoice { month: id.to_owned(), again: month.asked_again };
            let about = Correlation::UsageInvoice { month: id.to_owned() };
            desk.account.ask(request(&key, &payload, Some(&about))?);
        }
        // Late usage can lower the price of the units before it; then the next month has a credit.
        Some(_) if open != 0 => carry(desk, open, &mut month, desired)?,
        Some(_) => {}
    }
    desk.account.put(id, month);
    Ok(())
}

/// Returns the payload of the invoice: a line per meter and attributes, the credits, the carried amount, and the total
/// in minor units.
fn invoice(desk: &mut Desk<'_>, id: &str, month: &UsageMonth, total: i64, currency: &str) -> Ruled<Value> {
    let lines: Vec<Value> = month
        .uses
        .0
        .iter()
        .map(|used| {
            let attributes: Object = used.attributes.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
            let mut line = json!({"meter": used.meter, "attributes": attributes, "quantity": used.quantity,
                "cost_micros": used.cost_micros});
            if let Some(meter) = month.meters.get(&used.meter).filter(|meter| meter.included > 0) {
                line["included"] = json!(meter.included);
            }
            line
        })
        .collect();
    let mut payload = json!({
        "customer": customer(desk)?, "month": id, "period_start": rfc3339(month.start), "period_end": rfc3339(month.end),
        "currency": currency, "lines": lines, "cost_micros": month.cost_micros(),
        "credits_micros": -month.credits_micros, "carried_micros": month.carried_micros, "total_minor": total,
    });
    if let Some(tax) = desk.catalog.settings()?.tax {
        payload["tax_behavior"] = json!(tax.behavior());
    }
    Ok(payload)
}

/// Distributes the credits over the sellers in proportion to their usage.
fn cover_by_credits(month: &mut UsageMonth) {
    let (credits, cost) = (month.credits_micros, month.cost_micros());
    for part in month.sellers.values_mut() {
        part.paid_micros = part.paid_by_credits(credits, cost);
    }
}

/// Carries an amount that is too small for an invoice over to the current month.
fn carry(desk: &mut Desk<'_>, open_micros: i64, closed: &mut UsageMonth, desired: &mut DesiredSchedule) -> Ruled<()> {
    let (start, end) = month_of(desk.now);
    let id = month_id(start);
    let mut month = match desk.account.row::<UsageMonth>(&id)? {
        Some(month) => month,
        None => UsageMonth { currency: closed.currency.clone(), ..UsageMonth::default() },
    };
    (month.start, month.end) = (start, end);
    month.carried_micros = month.carried_micros.saturating_add(open_micros);
    for (product, part) in &mut closed.sellers {
        let unpaid = part.micros + part.carried_micros - part.paid_micros;
        if unpaid > 0 {
            let next = month.sellers.entry(product.clone()).or_default();
            if let Some(to) = &part.to {
                next.agree(to, part.share_bp, part.hold_days);
            }
            next.carried_micros = next.carried_micros.saturating_add(unpaid);
            // The month to which an amount is carried reports the amount.
            (part.carried_micros, part.micros) = (0, part.paid_micros);
        }
    }
    desk.account.put(&id, month);
    let due = end.saturating_add(DAY_MS);
    desired.timer(desk.now, TimerKey::UsageInvoice { due }, due);
    Ok(())
}
