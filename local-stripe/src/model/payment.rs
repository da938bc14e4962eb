//! Builders of payment intents, charges, refunds, disputes and balance transactions.

use serde_json::{Value, json};

use crate::calendar::DAY_S;
use crate::object::Object;

/// Builds a payment intent that waits for a payment method.
pub fn payment_intent(id: String, created_s: i64, amount: i64, currency: &str, secret: &str) -> Object {
    Object::of(json!({
        "client_secret": format!("{id}_secret_{secret}"),
        "id": id,
        "object": "payment_intent",
        "amount": amount,
        "amount_capturable": 0,
        "amount_details": { "tip": {} },
        "amount_received": 0,
        "application": null,
        "application_fee_amount": null,
        "automatic_payment_methods": null,
        "canceled_at": null,
        "cancellation_reason": null,
        "capture_method": "automatic",
        "confirmation_method": "automatic",
        "created": created_s,
        "currency": currency,
        "customer": null,
        "customer_account": null,
        "description": null,
        "excluded_payment_method_types": null,
        "last_payment_error": null,
        "latest_charge": null,
        "livemode": false,
        "managed_payments": null,
        "metadata": {},
        "next_action": null,
        "on_behalf_of": null,
        "payment_method": null,
        "payment_method_configuration_details": null,
        "payment_method_options": options(),
        "payment_method_types": ["card"],
        "processing": null,
        "receipt_email": null,
        "review": null,
        "setup_future_usage": null,
        "shipping": null,
        "statement_descriptor": null,
        "statement_descriptor_suffix": null,
        "status": "requires_payment_method",
        "transfer_data": null,
        "transfer_group": null,
    }))
}

/// Builds the `next_action` of an intent that waits for 3-D Secure at a URL. With `use_stripe_sdk`, it is for Stripe's scripts; its shape
/// comes from `SdkData` in <https://github.com/stripe/stripe-android>.
pub fn authentication(intent: &Object, url: &str) -> Value {
    if intent.as_intent().use_stripe_sdk {
        return json!({
            "type": "use_stripe_sdk", "use_stripe_sdk": { "stripe_js": url, "type": "three_d_secure_redirect" },
        });
    }
    let return_url = &intent.as_intent().return_url;
    json!({ "redirect_to_url": { "return_url": return_url, "url": url }, "type": "redirect_to_url" })
}

/// Builds the member `payment_method_options` of a new payment intent.
pub fn options() -> Value {
    json!({
        "card": { "installments": null, "mandate_options": null, "network": null, "request_three_d_secure": "automatic" },
    })
}

/// Builds the member `payment_method_details` of a charge for the type of the payment method.
fn paid_with(method: &Object, amount: i64) -> Value {
    let kind = method.text("type");
    if kind != "card" && !kind.is_empty() {
        let mut details = json!({ "type": kind });
        details[kind] = method.get(kind).clone();
        if kind != "customer_balance" {
            details[kind]["mandate"] = Value::Null;
        }
        return details;
    }
    let card = method.get("card");
    json!({
        "card": {
            "amount_authorized": amount,
            "authorization_code": "000000",
            "brand": card["brand"],
            "checks": card["checks"],
            "country": card["country"],
            "exp_month": card["exp_month"],
            "exp_year": card["exp_year"],
            "extended_authorization": { "status": "disabled" },
            "fingerprint": card["fingerprint"],
            "funding": card["funding"],
            "incremental_authorization": { "status": "unavailable" },
            "installments": null,
            "last4": card["last4"],
            "mandate": null,
            "multicapture": { "status": "unavailable" },
            "network": card["brand"],
            "network_token": { "used": false },
            "network_transaction_id": "000000000000000",
            "overcapture": { "maximum_amount_capturable": amount, "status": "unavailable" },
            "regulated_status": card["regulated_status"],
            "three_d_secure": null,
            "transaction_link_id": null,
            "wallet": null,
        },
        "type": "card",
    })
}

/// Builds the charge of a payment intent, succeeded and captured. For any other outcome, the caller changes it.
pub fn charge(id: String, created_s: i64, intent: &Object, method: &Object, receipt_url: String) -> Object {
    let amount = intent.int("amount");
    let details = paid_with(method, amount);
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
        "billing_details": method.get("billing_details"),
        "calculated_statement_descriptor": null,
        "captured": true,
        "created": created_s,
        "currency": intent.get("currency"),
        "customer": intent.get("customer"),
        "description": intent.get("description"),
        "disputed": false,
        "failure_balance_transaction": null,
        "failure_code": null,
        "failure_message": null,
        "fraud_details": {},
        "livemode": false,
        "metadata": intent.get("metadata"),
        "on_behalf_of": null,
        "outcome": {
            "advice_code": null,
            "network_advice_code": null,
            "network_decline_code": null,
            "network_status": "approved_by_network",
            "reason": null,
            "risk_level": "normal",
            "risk_score": 10,
            "seller_message": "Payment complete.",
            "type": "authorized",
        },
        "paid": true,
        "payment_intent": intent.get("id"),
        "payment_method": method.id(),
        "payment_method_details": details,
        "receipt_email": intent.get("receipt_email"),
        "receipt_number": null,
        "receipt_url": receipt_url,
        "refunded": false,
        "review": null,
        "shipping": intent.get("shipping"),
        "source_transfer": null,
        "statement_descriptor": intent.get("statement_descriptor"),
        "statement_descriptor_suffix": intent.get("statement_descriptor_suffix"),
        "status": "succeeded",
        "transfer_data": null,
        "transfer_group": intent.get("transfer_group"),
    }))
    .with(|charge| charge.as_charge_mut().invoice.clone_from(&intent.as_intent().invoice))
    .on_clock_of(intent)
}

/// Builds a transaction of an account's balance, without a fee. The categories are those of
/// <https://docs.stripe.com/reports/reporting-categories>.
pub fn balance_transaction(
    id: String,
    created_s: i64,
    amount: i64,
    currency: &str,
    kind: &str,
    source: &str,
) -> Object {
    let category = match kind {
        "adjustment" if amount > 0 => "dispute_reversal",
        "adjustment" => "dispute",
        "application_fee" => "platform_earning",
        "application_fee_refund" => "platform_earning_refund",
        "payment" => "charge",
        "payment_refund" => "refund",
        "payout_cancel" => "payout_reversal",
        "transfer_refund" => "transfer_reversal",
        other => other,
    };
    Object::of(json!({
        "id": id,
        "object": "balance_transaction",
        "amount": amount,
        "available_on": created_s,
        "balance_type": "payments",
        "created": created_s,
        "currency": currency,
        "description": null,
        "exchange_rate": null,
        "fee": 0,
        "fee_details": [],
        "net": amount,
        "reporting_category": category,
        "source": source,
        "status": "available",
        "type": kind,
    }))
}

/// Builds a succeeded refund.
pub fn refund(id: String, created_s: i64, charge: &Object, amount: i64, reason: Value) -> Object {
    Object::of(json!({
        "id": id,
        "object": "refund",
        "amount": amount,
        "balance_transaction": null,
        "charge": charge.id(),
        "created": created_s,
        "currency": charge.get("currency"),
        "customer": charge.get("customer"),
        "customer_account": null,
        "destination_details": {
            "card": { "type": "refund" },
            "type": "card",
        },
        "metadata": {},
        "payment_intent": charge.get("payment_intent"),
        "payment_method": charge.get("payment_method"),
        "reason": reason,
        "receipt_number": null,
        "source_transfer_reversal": null,
        "status": "succeeded",
        "transfer_reversal": null,
    }))
    .on_clock_of(charge)
}

/// The time in days within which a dispute must be answered.
const EVIDENCE_DAYS: i64 = 7;

/// Builds a dispute over the whole charge.
pub fn dispute(id: String, created_s: i64, charge: &Object, reason: &str, inquiry: bool) -> Object {
    let brand = charge.at("payment_method_details.card.brand");
    let evidence = EVIDENCE.iter().map(|name| ((*name).to_owned(), Value::Null));
    let mut evidence: serde_json::Map<String, Value> = evidence.collect();
    evidence.insert("enhanced_evidence".into(), json!({}));
    Object::of(json!({
        "id": id,
        "object": "dispute",
        "amount": charge.get("amount"),
        "balance_transactions": [],
        "charge": charge.id(),
        "created": created_s,
        "currency": charge.get("currency"),
        "enhanced_eligibility_types": [],
        "evidence": evidence,
        "evidence_details": {
            "due_by": created_s + EVIDENCE_DAYS * DAY_S,
            "enhanced_eligibility": {},
            "has_evidence": false,
            "past_due": false,
            "submission_count": 0,
        },
        "is_charge_refundable": inquiry,
        "livemode": false,
        "metadata": {},
        "payment_intent": charge.get("payment_intent"),
        "payment_method_details": {
            "card": {
                "brand": brand,
                "case_type": if inquiry { "inquiry" } else { "chargeback" },
                "network": brand,
                "network_reason_code": if reason == "fraudulent" { "10.4" } else { "13.1" },
            },
            "type": "card",
        },
        "reason": reason,
        "status": if inquiry { "warning_needs_response" } else { "needs_response" },
    }))
    .on_clock_of(charge)
}

/// The text members of a dispute's `evidence`.
pub const EVIDENCE: &[&str] = &[
    "access_activity_log",
    "billing_address",
    "cancellation_policy",
    "cancellation_policy_disclosure",
    "cancellation_rebuttal",
    "customer_communication",
    "customer_email_address",
    "customer_name",
    "customer_purchase_ip",
    "customer_signature",
    "duplicate_charge_documentation",
    "duplicate_charge_explanation",
    "duplicate_charge_id",
    "product_description",
    "receipt",
    "refund_policy",
    "refund_policy_disclosure",
    "refund_refusal_explanation",
    "service_date",
    "service_documentation",
    "shipping_address",
    "shipping_carrier",
    "shipping_date",
    "shipping_documentation",
    "shipping_tracking_number",
    "uncategorized_file",
    "uncategorized_text",
];
