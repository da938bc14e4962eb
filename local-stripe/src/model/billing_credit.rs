//! Builders of billing credits: grants, the transactions of their balances, and the summary of a customer's balance.

use serde_json::{Value, json};

use crate::object::Object;

/// Builds the amount of a grant, of a transaction or of a balance, in minor units.
pub fn amount(value: i64, currency: &str) -> Value {
    json!({ "monetary": { "currency": currency, "value": value }, "type": "monetary" })
}

/// Builds a grant for a customer, effective immediately and without an end.
pub fn grant(id: String, created_s: i64, customer: &Object, value: i64, currency: &str) -> Object {
    Object::of(json!({
        "id": id,
        "object": "billing.credit_grant",
        "amount": amount(value, currency),
        "applicability_config": { "scope": { "price_type": "metered" } },
        "category": "paid",
        "created": created_s,
        "customer": customer.id(),
        "customer_account": null,
        "effective_at": created_s,
        "expires_at": null,
        "livemode": false,
        "metadata": {},
        "name": null,
        "priority": 50,
        "test_clock": customer.get("test_clock"),
        "updated": created_s,
        "voided_at": null,
    }))
    .with(|grant| grant.as_grant_mut().left = value)
}

/// The reason for a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Movement<'m> {
    /// The credits were granted.
    Granted,
    /// Credits were applied to the line with the second id, of the invoice with the first id.
    Applied(&'m str, &'m str),
    /// The invoice was voided, so its credits were returned.
    Reinstated(&'m str, &'m str),
    /// The rest expired.
    Expired,
    /// The grant was voided.
    Voided,
}

/// Builds a transaction of a grant's balance, of an amount in minor units.
pub fn transaction(id: String, created_s: i64, grant: &Object, value: i64, movement: Movement) -> Object {
    let amount = amount(value, grant.text_at("amount.monetary.currency").unwrap_or_default());
    let line = |invoice: &str, line: &str| json!({ "invoice": invoice, "invoice_line_item": line });
    let credit = |kind: &str, voided: Value| json!({ "amount": amount, "credits_application_invoice_voided": voided, "type": kind });
    let debit = |kind: &str, applied: Value| json!({ "amount": amount, "credits_applied": applied, "type": kind });
    let (credit, debit) = match movement {
        Movement::Granted => (credit("credits_granted", Value::Null), Value::Null),
        Movement::Reinstated(invoice, il) => {
            (credit("credits_application_invoice_voided", line(invoice, il)), Value::Null)
        }
        Movement::Applied(invoice, il) => (Value::Null, debit("credits_applied", line(invoice, il))),
        Movement::Expired => (Value::Null, debit("credits_expired", Value::Null)),
        Movement::Voided => (Value::Null, debit("credits_voided", Value::Null)),
    };
    // A grant may become effective after it was created.
    let effective_at = if movement == Movement::Granted { grant.int("effective_at") } else { created_s };
    Object::of(json!({
        "id": id,
        "object": "billing.credit_balance_transaction",
        "created": created_s,
        "credit": credit,
        "credit_grant": grant.id(),
        "debit": debit,
        "effective_at": effective_at,
        "livemode": false,
        "test_clock": grant.get("test_clock"),
        "type": if debit.is_null() { "credit" } else { "debit" },
    }))
    .with(|made| grant.text("customer").clone_into(&mut made.as_credit_transaction_mut().customer))
}

/// Builds the summary of a customer's balance: the sums in minor units, by currency.
pub fn summary(customer: &str, sums: impl Iterator<Item = (String, i64)>) -> Value {
    let balances: Vec<Value> = sums
        .map(|(currency, sum)| {
            let amount = amount(sum, &currency);
            json!({ "available_balance": amount, "ledger_balance": amount })
        })
        .collect();
    json!({
        "object": "billing.credit_balance_summary",
        "balances": balances,
        "customer": customer,
        "customer_account": null,
        "livemode": false,
    })
}

/// The `type` of a line's entry for credits, as opposed to that for discounts.
pub const OF_CREDITS: &str = "credit_balance_transaction";

/// Iterates over the credit entries of a line's `pretax_credit_amounts`.
pub fn of_line(line: &Value) -> impl Iterator<Item = &Value> {
    let entries = line["pretax_credit_amounts"].as_array().map(Vec::as_slice).unwrap_or_default();
    entries.iter().filter(|entry| entry["type"] == OF_CREDITS)
}

/// Returns the credits that were applied to a line, in minor units.
pub fn on_line(line: &Value) -> i64 {
    of_line(line).filter_map(|entry| entry["amount"].as_i64()).sum()
}
