//! The lines of a subscription's invoices.

use serde_json::{Value, json};

use crate::billing::intervals;
use crate::billing::invoicing::invoice::LINES_MAX;
use crate::billing::invoicing::usage;
use crate::billing::items::{self, Priced};
use crate::billing::period::Span;
use crate::calendar;
use crate::discount;
use crate::error::ApiError;
use crate::model::billing::{NewLine, item_parent, subscription_parent};
use crate::money;
use crate::object::Object;
use crate::pricing;
use crate::state::State;

/// Returns the invoice lines of a subscription for the period `next`. In a trial, the lines are free. The lines of
/// metered items bill the usage of the past period `over`; without a past period, they have the quantity 0.
///
/// # Errors
/// An amount or a usage sum is too large.
pub fn lines(
    st: &State,
    sub: &Object,
    next: (i64, i64),
    over: Option<(i64, i64)>,
    trial: bool,
) -> Result<Vec<NewLine>, ApiError> {
    let mut out = Vec::new();
    let is_mixed = intervals::is_mixed(sub.list_at("items"));
    for item in sub.list_at("items") {
        let price = &item["price"];
        let own = |member: &str| item[member].as_i64().unwrap_or_default();
        if is_mixed && own("current_period_start") != next.0 {
            // The item was billed before, for a longer interval.
            continue;
        }
        let next = if is_mixed { (next.0, own("current_period_end")) } else { next };
        let (period, (quantity, costs)) = match (pricing::is_metered(price), over) {
            (false, _) => {
                let quantity = item["quantity"].as_i64().unwrap_or(1);
                (next, (quantity, pricing::amount(price, quantity)?))
            }
            (true, Some(over)) => (over, usage::rest(sub, item, over.0, usage::of_item(st, sub, item, over)?)?),
            (true, None) => (next, (0, pricing::amount(price, 0)?)),
        };
        // If a trial begins in a paid period, the usage before the trial is still billed.
        let is_free = trial && !(pricing::is_metered(price) && over.is_some());
        let amount = if is_free { 0 } else { costs };
        let name = items::product_name(st, price);
        let description = if is_free { format!("Trial period for {name}") } else { items::words(st, price, quantity) };
        out.push(NewLine {
            amount,
            currency: sub.text("currency").to_owned(),
            description,
            period,
            price: price.clone(),
            quantity,
            parent: subscription_parent(sub.id(), item["id"].as_str().unwrap_or_default(), false),
            metadata: sub.get("metadata").clone(),
            tax_rates: item["tax_rates"].clone(),
            discounts: discount::item::in_force(st, sub.text("customer"), item),
        });
    }
    Ok(out)
}

/// Returns the lines for a time before the first regular period: one for each interval counted from its start, the last of which is
/// prorated. This is how `billing_mode[type]=flexible` bills; `classic` has one line with the same total.
///
/// # Errors
/// There are more lines than an invoice can have, or an amount is too large.
pub fn past_lines(st: &State, sub: &Object, (start, end): (i64, i64)) -> Result<Vec<NewLine>, ApiError> {
    let Some(price) = sub.list_at("items").first().map(|item| item["price"].clone()) else { return Ok(Vec::new()) };
    let (mut all, mut from, mut count) = (Vec::new(), start, 0);
    while from < end {
        count += 1;
        let whole_end = calendar::after(start, &price, count);
        let until = whole_end.min(end);
        for mut line in lines(st, sub, (from, until), None, false)? {
            let share = money::prorate(line.amount, until - from, whole_end - from);
            line.amount = share.ok_or_else(|| ApiError::coded("amount_too_large", "The amount is too large."))?;
            all.push(line);
        }
        if all.len() > LINES_MAX {
            return Err(ApiError::invalid(format!("An invoice can have at most {LINES_MAX} lines."))
                .about("backdate_start_date"));
        }
        from = until;
    }
    Ok(if sub.at("billing_mode.type") == "classic" { merged(all) } else { all })
}

/// Adds up the lines of each subscription item.
fn merged(lines: Vec<NewLine>) -> Vec<NewLine> {
    let mut out: Vec<NewLine> = Vec::new();
    for line in lines {
        match out.iter_mut().find(|one| one.parent == line.parent) {
            Some(one) => {
                one.amount = one.amount.saturating_add(line.amount);
                one.period.1 = line.period.1;
            }
            None => out.push(line),
        }
    }
    out
}

/// Returns the line of a one-time price on a subscription's invoice.
///
/// # Errors
/// The amount is too large.
pub fn extra_line(st: &State, sub: &Object, priced: &Priced, now: i64) -> Result<NewLine, ApiError> {
    let price = priced.price.value();
    Ok(NewLine {
        amount: pricing::amount(&price, priced.quantity)?,
        currency: sub.text("currency").to_owned(),
        description: items::words(st, &price, priced.quantity),
        period: (now, now),
        price,
        quantity: priced.quantity,
        parent: item_parent("", false, &Value::Null, &json!(sub.id())),
        metadata: json!({}),
        tax_rates: priced.tax_rates.clone(),
        discounts: Vec::new(),
    })
}

/// Reduces each line to its period's part of its whole interval; see [`Span::prorate`].
///
/// # Errors
/// A prorated amount is too large.
pub fn prorate_each(sub: &Object, lines: &mut [NewLine], is_free: bool) -> Result<(), ApiError> {
    for line in lines {
        Span::beginning(sub, &line.price, line.period.0).prorate(std::slice::from_mut(line), is_free)?;
    }
    Ok(())
}
