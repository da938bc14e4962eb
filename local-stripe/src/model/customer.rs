//! Builders of customers, payment methods and balance transactions.

use serde_json::{Map, Value, json};

use crate::cards::TestCard;
use crate::debits::TestAccount;
use crate::object::Object;

/// Builds an empty customer.
pub fn customer(id: String, created_s: i64, invoice_prefix: String) -> Object {
    Object::of(json!({
        "id": id,
        "object": "customer",
        "address": null,
        "balance": 0,
        "created": created_s,
        "currency": null,
        "default_source": null,
        "delinquent": false,
        "description": null,
        "discount": null,
        "email": null,
        "invoice_prefix": invoice_prefix,
        "invoice_settings": {
            "custom_fields": null, "default_payment_method": null, "footer": null, "rendering_options": null,
        },
        "livemode": false,
        "metadata": {},
        "name": null,
        "next_invoice_sequence": 1,
        "phone": null,
        "preferred_locales": [],
        "shipping": null,
        "tax_exempt": "none",
        "test_clock": null,
    }))
}

/// Returns an address with all members present.
pub fn whole_address(given: &Value) -> Value {
    let members = ["city", "country", "line1", "line2", "postal_code", "state"];
    members.into_iter().map(|member| (member.to_owned(), given[member].clone())).collect::<Map<_, _>>().into()
}

/// Builds empty billing details.
pub fn no_billing_details() -> Value {
    json!({ "address": whole_address(&Value::Null), "email": null, "name": null, "phone": null, "tax_id": null })
}

/// Builds a card payment method.
pub fn payment_method(id: String, created_s: i64, card: &TestCard, expiry: (i64, i64), fingerprint: String) -> Object {
    let last4 = card.number.get(card.number.len() - 4..).unwrap_or_default();
    Object::of(json!({
        "id": id,
        "object": "payment_method",
        "allow_redisplay": "unspecified",
        "billing_details": no_billing_details(),
        "card": {
            "brand": card.brand,
            "checks": { "address_line1_check": null, "address_postal_code_check": null, "cvc_check": "pass" },
            "country": "US",
            "display_brand": card.brand,
            "exp_month": expiry.0,
            "exp_year": expiry.1,
            "fingerprint": fingerprint,
            "funding": card.funding(),
            "generated_from": null,
            "last4": last4,
            "networks": { "available": [card.brand], "preferred": null },
            "regulated_status": "unregulated",
            "three_d_secure_usage": { "supported": card.supports_3d_secure() },
            "wallet": null,
        },
        "created": created_s,
        "customer": null,
        "customer_account": null,
        "livemode": false,
        "metadata": {},
        "type": "card",
    }))
    .with(|method| card.number.clone_into(&mut method.as_payment_method_mut().number))
}

/// Builds a bank account payment method.
pub fn bank_account(id: String, created_s: i64, account: &TestAccount, fingerprint: String) -> Object {
    let kind = account.debit.kind;
    let last4 = account.number.get(account.number.len() - 4..).unwrap_or_default();
    let details = match kind {
        "sepa_debit" => json!({
            "bank_code": account.number.get(4..12),
            "branch_code": "",
            "country": account.number.get(..2),
            "fingerprint": fingerprint,
            "generated_from": { "charge": null, "setup_attempt": null },
            "last4": last4,
        }),
        _ => json!({
            "account_holder_type": "individual",
            "account_type": "checking",
            "bank_name": "STRIPE TEST BANK",
            "financial_connections_account": null,
            "fingerprint": fingerprint,
            "last4": last4,
            "networks": { "preferred": "ach", "supported": ["ach"] },
            "routing_number": "110000000",
            "status_details": null,
        }),
    };
    let mut method = Object::of(json!({
        "id": id,
        "object": "payment_method",
        "allow_redisplay": "unspecified",
        "billing_details": no_billing_details(),
        "created": created_s,
        "customer": null,
        "customer_account": null,
        "livemode": false,
        "metadata": {},
        "type": kind,
    }))
    .with(|method| account.number.clone_into(&mut method.as_payment_method_mut().number));
    method.set(kind, details);
    method
}

/// Builds a payment method that pays from the customer's cash balance.
pub fn customer_balance(id: String, created_s: i64) -> Object {
    Object::of(json!({
        "id": id,
        "object": "payment_method",
        "allow_redisplay": "unspecified",
        "billing_details": no_billing_details(),
        "created": created_s,
        "customer": null,
        "customer_account": null,
        "customer_balance": {},
        "livemode": false,
        "metadata": {},
        "type": "customer_balance",
    }))
}

/// Builds a transaction of a customer's balance.
pub fn balance_movement(id: String, created_s: i64, customer: &Object, amount: i64, ending: i64, kind: &str) -> Object {
    Object::of(json!({
        "id": id,
        "object": "customer_balance_transaction",
        "amount": amount,
        "checkout_session": null,
        "created": created_s,
        "credit_note": null,
        "currency": customer.get("currency"),
        "customer": customer.id(),
        "customer_account": null,
        "description": null,
        "ending_balance": ending,
        "invoice": null,
        "livemode": false,
        "metadata": {},
        "type": kind,
    }))
}
