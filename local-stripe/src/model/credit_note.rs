//! Builders of credit notes and their lines.

use serde_json::{Value, json};

use crate::billing::tax;
use crate::object::{Object, list};

/// Builds a line of a credit note, with or without a line of the invoice.
pub fn line(id: String, amount: i64, quantity: i64, description: Value, invoice_line: Option<&str>) -> Value {
    let unit = if invoice_line.is_some() || quantity == 0 { None } else { Some(amount / quantity) };
    let mut line = json!({
        "id": id,
        "object": "credit_note_line_item",
        "amount": amount,
        "description": description,
        "discount_amount": 0,
        "discount_amounts": [],
        "livemode": false,
        "metadata": {},
        "pretax_credit_amounts": [],
        "quantity": quantity,
        "tax_rates": [],
        "taxes": [],
        "type": if invoice_line.is_some() { "invoice_line_item" } else { "custom_line_item" },
        "unit_amount": unit,
        "unit_amount_decimal": unit.map(|u| u.to_string()),
    });
    if let Some(invoice_line) = invoice_line {
        line["invoice_line_item"] = json!(invoice_line);
    }
    line
}

/// Builds an issued credit note for an amount of an invoice.
pub fn credit_note(
    id: String,
    created_s: i64,
    invoice: &Object,
    number: String,
    lines: Vec<Value>,
    pdf: String,
) -> Object {
    let subtotal: i64 = lines.iter().filter_map(|l| l["amount"].as_i64()).sum();
    let total = subtotal + lines.iter().map(tax::added).sum::<i64>();
    let taxes = tax::by_rate(&lines);
    let taxed: i64 = taxes.iter().filter_map(|t| t["amount"].as_i64()).sum();
    let paid = invoice.text("status") == "paid";
    let url = format!("/v1/credit_notes/{id}/lines");
    Object::of(json!({
        "id": id,
        "object": "credit_note",
        "amount": total,
        "amount_shipping": 0,
        "created": created_s,
        "currency": invoice.get("currency"),
        "customer": invoice.get("customer"),
        "customer_account": null,
        "customer_balance_transaction": null,
        "discount_amount": 0,
        "discount_amounts": [],
        "effective_at": created_s,
        "invoice": invoice.id(),
        "lines": list(&url, lines),
        "livemode": false,
        "memo": null,
        "metadata": {},
        "number": number,
        "out_of_band_amount": null,
        "pdf": pdf,
        "post_payment_amount": if paid { total } else { 0 },
        "pre_payment_amount": if paid { 0 } else { total },
        "pretax_credit_amounts": [],
        "reason": null,
        "refunds": [],
        "shipping_cost": null,
        "status": "issued",
        "subtotal": subtotal,
        "subtotal_excluding_tax": total - taxed,
        "total": total,
        "total_excluding_tax": total - taxed,
        "total_taxes": taxes,
        "type": if paid { "post_payment" } else { "pre_payment" },
        "voided_at": null,
    }))
    .on_clock_of(invoice)
}
