//! Builders of transfers to connected accounts, their reversals, and application fees.

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

/// Builds the payment by which a transfer arrives at its connected account. `platform` is the account that sent it.
pub fn payment(transfer: &Object, platform: &str) -> Object {
    let amount = transfer.get("amount");
    let id = transfer.get("destination_payment");
    Object::of(json!({
        "id": id,
        "object": "charge",
        "amount": amount,
        "amount_captured": amount,
        "amount_refunded": 0,
        "application": null,
        "application_fee": null,
        "application_fee_amount": null,
        "balance_transaction": null,
        "billing_details": {
            "address": {
                "city": null, "country": null, "line1": null, "line2": null, "postal_code": null, "state": null,
            },
            "email": null, "name": null, "phone": null, "tax_id": null,
        },
        "calculated_statement_descriptor": null,
        "captured": true,
        "created": transfer.get("created"),
        "currency": transfer.get("currency"),
        "customer": null,
        "description": null,
        "disputed": false,
        "failure_balance_transaction": null,
        "failure_code": null,
        "failure_message": null,
        "fraud_details": {},
        "livemode": false,
        "metadata": {},
        "on_behalf_of": null,
        "outcome": {
            "advice_code": null,
            "network_advice_code": null,
            "network_decline_code": null,
            "network_status": "approved_by_network",
            "reason": null,
            "risk_level": "not_assessed",
            "seller_message": "Payment complete.",
            "type": "authorized",
        },
        "paid": true,
        "payment_intent": null,
        "payment_method": null,
        "payment_method_details": { "stripe_account": {}, "type": "stripe_account" },
        "receipt_email": null,
        "receipt_number": null,
        "receipt_url": null,
        "refunded": false,
        "review": null,
        "shipping": null,
        "source": { "id": platform, "object": "account" },
        "source_transfer": transfer.id(),
        "statement_descriptor": null,
        "statement_descriptor_suffix": null,
        "status": "succeeded",
        "transfer_data": null,
        "transfer_group": transfer.get("transfer_group"),
    }))
}

/// Builds an application fee that the platform took from a payment of a connected account.
pub fn application_fee(id: String, created_s: i64, amount: i64, currency: &str, account: &str, charge: &str) -> Object {
    let refunds = list(&format!("/v1/application_fees/{id}/refunds"), Vec::new());
    Object::of(json!({
        "id": id,
        "object": "application_fee",
        "account": account,
        "amount": amount,
        "amount_refunded": 0,
        "application": null,
        "balance_transaction": null,
        "charge": charge,
        "created": created_s,
        "currency": currency,
        "fee_source": { "charge": charge, "type": "charge" },
        "livemode": false,
        "originating_transaction": null,
        "refunded": false,
        "refunds": refunds,
    }))
}

/// Builds a full or partial refund of an application fee.
pub fn fee_refund(id: String, created_s: i64, fee: &Object, amount: i64, movement: &str, metadata: Value) -> Object {
    Object::of(json!({
        "id": id,
        "object": "fee_refund",
        "amount": amount,
        "balance_transaction": movement,
        "created": created_s,
        "currency": fee.get("currency"),
        "fee": fee.id(),
        "metadata": metadata,
    }))
}
