//! Builders of transfers to connected accounts and their reversals.

use serde_json::{Value, json};

use crate::object::{Object, list};

/// Builds a transfer from the account's balance.
pub fn transfer(id: String, created_s: i64, amount: i64, currency: &str, destination: &str, payment: String) -> Object {
    Object::of(json!({
        "id": id,
        "object": "transfer",
        "amount": amount,
        "amount_reversed": 0,
        "balance_transaction": null,
        "created": created_s,
        "currency": currency,
        "description": null,
        "destination": destination,
        "destination_payment": payment,
        "livemode": false,
        "metadata": {},
        "reversals": list(&format!("/v1/transfers/{id}/reversals"), Vec::new()),
        "reversed": false,
        "source_transaction": null,
        "source_type": "card",
        "transfer_group": null,
    }))
}

/// Builds a full or partial reversal of a transfer.
pub fn reversal(id: String, created_s: i64, transfer: &Object, amount: i64, movement: &str, metadata: Value) -> Object {
    Object::of(json!({
        "id": id,
        "object": "transfer_reversal",
        "amount": amount,
        "balance_transaction": movement,
        "created": created_s,
        "currency": transfer.get("currency"),
        "destination_payment_refund": null,
        "metadata": metadata,
        "source_refund": null,
        "transfer": transfer.id(),
    }))
}
