//! Proration: what is left of the old price comes back, what is left of the new one is due. To the second, rounded
//! to the nearest minor unit, halves away from zero, once per line.

use serde_json::{Value, json};

use crate::billing::{items, usage};
use crate::calendar::date_text;
use crate::discount::{amount, term};
use crate::error::ApiError;
use crate::model;
use crate::model::billing::NewLine;
use crate::money;
use crate::object::Object;
use crate::state::State;

/// Which half of a change a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Half {
    /// The unused rest of the old price, a credit.
    Unused,
    /// The remaining time of the new price.
    Remaining,
}

/// Makes the pending invoice item of one half, for the rest of the item's period from `from_s`.
pub fn add(st: &mut State, sub: &Object, item: &Value, half: Half, from_s: i64) -> Result<(), ApiError> {
    if usage::is_metered(&item["price"]) {
        // What is metered is billed when it was used.
        return Ok(());
    }
    let start = item["current_period_start"].as_i64().unwrap_or_default();
    let end = item["current_period_end"].as_i64().unwrap_or_default();
    let quantity = item["quantity"].as_i64().unwrap_or(1);
    let price = &item["price"];
    let whole = items::amount(price, quantity)?;
    let from_s = from_s.clamp(start, end);
    let too_large = || ApiError::coded("amount_too_large", "The prorated amount is too large.");
    // What was or will be paid for the whole period, with its discounts.
    let discounts = term::in_force(st, &st.copy(sub.text("customer")), Some(sub));
    let product = price["product"].as_str().unwrap_or_default();
    let whole = amount::reduced(&discounts, whole, product, sub.text("currency"));
    let rest = money::prorate(whole, end - from_s, (end - start).max(1)).ok_or_else(too_large)?;
    let name = items::product_name(st, price);
    let name = if quantity == 1 { name } else { format!("{quantity} × {name}") };
    let date = date_text(from_s);
    let (amount, description) = match half {
        Half::Unused => (-rest, format!("Unused time on {name} after {date}")),
        Half::Remaining => (rest, format!("Remaining time on {name} after {date}")),
    };
    let customer = st.copy(sub.text("customer"));
    let id = st.new_id("ii");
    let new = NewLine {
        amount,
        currency: sub.text("currency").to_owned(),
        description,
        period: (from_s, end),
        price: price.clone(),
        quantity,
        parent: Value::Null,
        metadata: sub.get("metadata").clone(),
    };
    let mut pending = model::billing::invoice_item(id, st.now(&customer), &customer, new);
    pending.set("proration", true);
    pending.set("discountable", false);
    let details = json!({ "subscription": sub.id(), "subscription_item": item["id"] });
    pending.set("parent", json!({ "subscription_details": details, "type": "subscription_details" }));
    let pending = st.put(pending);
    st.emit("invoiceitem.created", &pending);
    Ok(())
}
