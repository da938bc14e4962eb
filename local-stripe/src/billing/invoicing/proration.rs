//! Prorates a plan change. One line credits the unused time of the old price, and another bills the remaining time of
//! the new price. Amounts are exact to the second. Each line is rounded once to the nearest minor unit, halves away
//! from zero.

use serde_json::Value;

use crate::billing::invoicing::billed::{self, Billed};
use crate::billing::invoicing::invoice;
use crate::billing::items;
use crate::calendar::date_text;
use crate::discount::amount::{self, Discountable, Line};
use crate::discount::{self, term};
use crate::error::ApiError;
use crate::model::billing::NewLine;
use crate::money;
use crate::object::Object;
use crate::pricing;
use crate::state::State;

/// The two lines of a proration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Half {
    /// The credit for the unused time of the old price.
    Unused,
    /// The charge for the remaining time of the new price.
    Remaining,
}

/// Creates the pending invoice item of one half, for the time from `from_s` to the end of the item's period. For the
/// old price, `sub` is the subscription before the change; for the new price, it is the subscription after the change.
///
/// # Errors
/// The prorated amount is too large.
pub fn add(st: &mut State, sub: &Object, item: &Value, half: Half, from_s: i64) -> Result<(), ApiError> {
    if pricing::is_metered(&item["price"]) {
        // Metered items are billed by usage instead.
        return Ok(());
    }
    let end = item["current_period_end"].as_i64().unwrap_or_default();
    let quantity = item["quantity"].as_i64().unwrap_or(1);
    let price = &item["price"];
    let known = if half == Half::Unused { billed::newest(st, sub, item) } else { None };
    let billed = match known {
        Some(billed) => billed,
        None => Billed {
            amount: full_price(st, sub, item)?,
            period: (item["current_period_start"].as_i64().unwrap_or_default(), end),
            billed_by: Value::Null,
        },
    };
    let from_s = from_s.clamp(billed.period.0, end);
    let too_large = || ApiError::coded("amount_too_large", "The prorated amount is too large.");
    let rest = money::prorate(billed.amount, end - from_s, (end - billed.period.0).max(1)).ok_or_else(too_large)?;
    let name = items::product_name(st, price);
    let name = if quantity == 1 { name } else { format!("{quantity} × {name}") };
    let date = date_text(from_s);
    let (amount, description) = match half {
        Half::Unused => (-rest, format!("Unused time on {name} after {date}")),
        Half::Remaining => (rest, format!("Remaining time on {name} after {date}")),
    };
    let new = NewLine {
        amount,
        currency: sub.text("currency").to_owned(),
        description,
        period: (from_s, end),
        price: price.clone(),
        quantity,
        parent: Value::Null,
        metadata: sub.get("metadata").clone(),
        tax_rates: item["tax_rates"].clone(),
        discounts: Vec::new(),
    };
    invoice::add_pending_item(st, sub, item, new, |pending| {
        pending.set("proration", true);
        pending.set("discountable", false);
        pending.as_invoice_item_mut().debit = half == Half::Remaining;
        pending.as_invoice_item_mut().credited = billed.billed_by;
    });
    Ok(())
}

/// Returns an item's price for a whole period, in minor units, less its share of the lasting discounts. A one-time
/// discount is not part of this price: it reduces only the invoice that uses it.
fn full_price(st: &State, sub: &Object, item: &Value) -> Result<i64, ApiError> {
    let mut discounts = term::in_force(st, &st.copy_if_any(sub.text("customer")), Some(sub));
    discounts.retain(|discount| !term::counts_once(discount));
    let all = sub.list_at("items");
    let (mut lines, mut own_discounts) = (Vec::new(), Vec::new());
    for one in all {
        let is_metered = pricing::is_metered(&one["price"]);
        let amount =
            if is_metered { 0 } else { pricing::amount(&one["price"], one["quantity"].as_i64().unwrap_or(1))? };
        let product = one["price"]["product"].as_str().unwrap_or_default();
        lines.push(Line { amount, product, discountable: Discountable::Always });
        let mut of_item = discount::item::of(st, one);
        of_item.retain(|discount| !term::counts_once(discount));
        own_discounts.push(of_item);
    }
    let Some(own) = all.iter().position(|one| one["id"] == item["id"]) else { return Ok(0) };
    let (of_items, of_all) = amount::take_in_order(&own_discounts, &discounts, &lines, sub.text("currency"));
    Ok(of_items.iter().chain(&of_all).fold(lines[own].amount, |left, taken| left - taken.by_line[own]))
}
