//! Builders of payouts and top-ups.

use serde_json::{Value, json};

use crate::calendar::DAY_S;
use crate::object::Object;

/// The time in days until a payout arrives.
const ARRIVAL_DAYS: i64 = 2;

/// Builds a manual payout.
pub fn payout(id: String, created_s: i64, amount: i64, currency: &str) -> Object {
    Object::of(json!({
        "id": id,
        "object": "payout",
        "amount": amount,
        "application_fee": null,
        "application_fee_amount": null,
        "arrival_date": created_s + ARRIVAL_DAYS * DAY_S,
        "automatic": false,
        "balance_transaction": null,
        "created": created_s,
        "currency": currency,
        "description": null,
        "destination": null,
        "failure_balance_transaction": null,
        "failure_code": null,
        "failure_message": null,
        "livemode": false,
        "metadata": {},
        "method": "standard",
        "original_payout": null,
        "payout_method": null,
        "reconciliation_status": "not_applicable",
        "reversed_by": null,
        "source_type": "card",
        "statement_descriptor": null,
        "status": "pending",
        "trace_id": null,
        "type": "bank_account",
    }))
}

/// Builds a pending top-up.
pub fn topup(id: String, created_s: i64, amount: i64, currency: &str, description: Value) -> Object {
    Object::of(json!({
        "id": id,
        "object": "topup",
        "amount": amount,
        "balance_transaction": null,
        "created": created_s,
        "currency": currency,
        "description": description,
        "expected_availability_date": created_s,
        "failure_code": null,
        "failure_message": null,
        "initiated_by": null,
        "livemode": false,
        "metadata": {},
        "source": null,
        "statement_descriptor": null,
        "status": "pending",
        "transfer_group": null,
    }))
}
