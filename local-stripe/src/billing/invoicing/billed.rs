//! Finds the amount that a subscription item was billed for its current period, which determines the credit for unused
//! time.

use serde_json::{Value, json};

use crate::discount::amount;
use crate::object::Object;
use crate::state::State;

/// A charge for a subscription item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Billed {
    /// The amount in minor units, after discounts.
    pub amount: i64,
    /// The billed period, in Unix seconds.
    pub period: (i64, i64),
    /// The invoice and the line that billed it, in the form of a credit's `credited_items`; null without an invoice.
    pub billed_by: Value,
}

/// Returns the newest charge for the current period of a subscription item: the debit of the last change, or otherwise
/// the line of the regular invoice. Returns `None` if there is no charge, or if the item's price or quantity has
/// changed since.
pub fn newest(st: &State, sub: &Object, item: &Value) -> Option<Billed> {
    let customer = sub.text("customer");
    let start = item["current_period_start"].as_i64()?;
    let end = &item["current_period_end"];
    let is_debit = |debit: &std::sync::Arc<Object>| {
        debit.as_invoice_item().debit
            && debit.at("parent.subscription_details.subscription_item") == &item["id"]
            && debit.at("period.end") == end
    };
    // Invoice items from before the period are not part of it.
    let mut items = st.newest("invoiceitem", Some(customer)).take_while(|made| made.int("date") >= start);
    if let Some(debit) = items.find(is_debit) {
        let line = line_of(st, &debit);
        let off = line.as_ref().map_or(0, amount::on_line);
        let billed_by = line.map_or(Value::Null, |line| named(&line));
        return of_same(item, &debit.value(), debit.int("amount") - off, billed_by);
    }
    let is_regular = |line: &&Value| {
        line["parent"]["subscription_item_details"]["subscription_item"] == item["id"] && &line["period"]["end"] == end
    };
    let mut invoices = st.newest("invoice", Some(customer)).take_while(|made| made.int("created") >= start);
    let line = invoices.find_map(|invoice| invoice.list_at("lines").iter().find(is_regular).cloned())?;
    of_same(item, &line, line["amount"].as_i64()? - amount::on_line(&line), named(&line))
}

/// Returns the invoice line of an invoice item, if it is on an invoice.
fn line_of(st: &State, item: &Object) -> Option<Value> {
    let invoice = st.seek(item.text("invoice"))?;
    let is_its = |line: &&Value| line["parent"]["invoice_item_details"]["invoice_item"] == item.id();
    invoice.list_at("lines").iter().find(is_its).cloned()
}

/// Returns `credited_items` of a credit for a line.
fn named(line: &Value) -> Value {
    json!({ "invoice": line["invoice"], "invoice_line_items": [line["id"]] })
}

/// Returns the charge of an invoice item or line, if it was for the subscription item's current price and quantity.
fn of_same(item: &Value, bill: &Value, amount: i64, billed_by: Value) -> Option<Billed> {
    let is_same = bill["price"]["id"] == item["price"]["id"]
        && bill["quantity"].as_i64() == item["quantity"].as_i64().or(Some(1));
    let period = (bill["period"]["start"].as_i64()?, bill["period"]["end"].as_i64()?);
    is_same.then_some(Billed { amount, period, billed_by })
}
