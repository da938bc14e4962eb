//! The totals of a session: the lines after discounts, their taxes, and the shipping cost.

use serde_json::{Value, json};

use crate::billing::tax;
use crate::object::Object;

/// Computes the taxes of a session's lines, and its totals. The discounts of the lines must already be set.
pub fn set(session: &mut Object) {
    let default = session.as_session().default_tax_rates.clone();
    let exempt = session.as_session().tax_exempt.clone();
    let mut lines = session.as_session().lines.clone();
    let (mut total, mut all_taxes) = (0_i64, 0_i64);
    for line in &mut lines {
        let of_line = |member: &str| line[member].as_i64().unwrap_or_default();
        let net = of_line("amount_subtotal") - of_line("amount_discount");
        let own = line["tax_rates"].as_array().filter(|own| !own.is_empty());
        let taxes = tax::of_amount(own.unwrap_or(&default), net, &exempt);
        let sum = |wanted: &dyn Fn(&Value) -> bool| -> i64 {
            taxes.iter().filter(|tax| wanted(tax)).filter_map(|tax| tax["amount"].as_i64()).sum()
        };
        let (every, added) = (sum(&|_| true), sum(&|tax| tax["tax_behavior"] == "exclusive"));
        line["amount_tax"] = json!(every);
        line["amount_total"] = json!(net + added);
        total += net + added;
        all_taxes += every;
    }
    let shipping = session.at("shipping_cost.amount_total").as_i64().unwrap_or_default();
    session.as_session_mut().lines = lines;
    session.set_at("total_details.amount_tax", all_taxes);
    session.set_at("total_details.amount_shipping", shipping);
    session.set("amount_total", total + shipping);
}
