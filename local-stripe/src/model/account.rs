//! Builders of the sandbox's own account and of connected accounts, with their bank accounts, capabilities and persons.

use serde_json::{Value, json};

use crate::descriptor;
use crate::ids;
use crate::object::{Object, list};
use crate::settings::Settings;

/// Keeps the account's id distinct from the ids that are generated with the counter.
const OWN_ID_SALT: u64 = 0x6163_636f_756e_7400;
/// The number of characters of an account's id after `acct_1`.
const OWN_ID_CHARS: usize = 15;

/// Returns the id of the sandbox's own account, which depends only on the seed.
pub fn own_id(settings: &Settings) -> String {
    format!("acct_1{}", ids::characters(settings.seed ^ OWN_ID_SALT, 0, OWN_ID_CHARS))
}

/// Builds the sandbox's own account: verified, with all capabilities active.
pub fn own(settings: &Settings) -> Object {
    let id = own_id(settings);
    Object::of(json!({
        "id": id,
        "object": "account",
        "business_profile": {
            "annual_revenue": { "amount": null, "currency": null, "fiscal_year_end": null },
            "estimated_worker_count": null,
            "mcc": "5734",
            "minority_owned_business_designation": null,
            "name": "Local sandbox",
            "product_description": null,
            "support_address": {
                "city": null, "country": null, "line1": null, "line2": null, "postal_code": null, "state": null,
            },
            "support_email": null,
            "support_phone": null,
            "support_url": null,
            "url": null,
        },
        "business_type": "company",
        "capabilities": { "card_payments": "active", "transfers": "active" },
        "charges_enabled": true,
        "controller": { "type": "account" },
        "country": "US",
        "created": settings.start_s,
        "default_currency": "usd",
        "details_submitted": true,
        "email": "sandbox@example.com",
        "external_accounts": list(&format!("/v1/accounts/{id}/external_accounts"), Vec::new()),
        "future_requirements": nothing_required(),
        "metadata": {},
        "payouts_enabled": true,
        "requirements": nothing_required(),
        "settings": account_settings(settings),
        "tos_acceptance": { "date": settings.start_s, "ip": "127.0.0.1", "user_agent": null },
        "type": "standard",
    }))
}

/// Builds a connected account that has not completed onboarding.
pub fn connected(id: String, created_s: i64, settings: &Settings) -> Object {
    let mut account = own(settings);
    let url = format!("/v1/accounts/{id}/external_accounts");
    for (member, value) in [
        ("id", json!(id)),
        ("business_type", Value::Null),
        ("capabilities", json!({})),
        ("charges_enabled", json!(false)),
        ("controller", json!({ "type": "application" })),
        ("created", json!(created_s)),
        ("details_submitted", json!(false)),
        ("email", Value::Null),
        ("external_accounts", list(&url, Vec::new())),
        ("payouts_enabled", json!(false)),
        ("tos_acceptance", json!({ "date": null, "ip": null, "user_agent": null })),
        ("type", json!("standard")),
    ] {
        account.set(member, value);
    }
    for member in ["mcc", "name"] {
        account.set_at(&format!("business_profile.{member}"), Value::Null);
    }
    for path in ["settings.dashboard.display_name", "settings.payments.statement_descriptor"] {
        account.set_at(path, Value::Null);
    }
    account
}

/// Builds a bank account for payouts.
pub fn bank_account(id: String, country: &str, number: &str, fingerprint: String) -> Object {
    let last4 = number.get(number.len().saturating_sub(4)..).unwrap_or_default();
    let none = json!({ "currently_due": [], "errors": [], "past_due": [], "pending_verification": [] });
    Object::of(json!({
        "id": id,
        "object": "bank_account",
        "account": null,
        "account_holder_name": null,
        "account_holder_type": null,
        "account_type": null,
        "available_payout_methods": ["standard"],
        "bank_name": null,
        "country": country,
        "currency": null,
        "default_for_currency": false,
        "fingerprint": fingerprint,
        "future_requirements": none,
        "last4": last4,
        "metadata": {},
        "requirements": none,
        "routing_number": null,
        "status": "new",
    }))
}

/// Builds a capability of an account.
pub fn capability(account: &str, name: &str, status: &str) -> Object {
    Object::of(json!({
        "id": name,
        "object": "capability",
        "account": account,
        "future_requirements": nothing_required(),
        "requested": status != "unrequested",
        "requested_at": null,
        "requirements": nothing_required(),
        "status": status,
    }))
}

/// Builds a person of an account.
pub fn person(id: String, created_s: i64, account: &str) -> Object {
    let document = json!({ "back": null, "details": null, "details_code": null, "front": null });
    Object::of(json!({
        "id": id,
        "object": "person",
        "account": account,
        "address": {
            "city": null, "country": null, "line1": null, "line2": null, "postal_code": null, "state": null,
        },
        "created": created_s,
        "dob": { "day": null, "month": null, "year": null },
        "email": null,
        "first_name": null,
        "future_requirements": nothing_required(),
        "id_number_provided": false,
        "last_name": null,
        "metadata": {},
        "phone": null,
        "relationship": {
            "authorizer": false, "director": false, "executive": false, "legal_guardian": false, "owner": false,
            "percent_ownership": null, "representative": false, "title": null,
        },
        "requirements": nothing_required(),
        "ssn_last_4_provided": false,
        "verification": {
            "additional_document": document, "details": null, "details_code": null, "document": document,
            "status": "unverified",
        },
    }))
}

fn nothing_required() -> Value {
    json!({
        "alternatives": [],
        "current_deadline": null,
        "currently_due": [],
        "disabled_reason": null,
        "errors": [],
        "eventually_due": [],
        "past_due": [],
        "pending_verification": [],
    })
}

fn account_settings(settings: &Settings) -> Value {
    json!({
        "bacs_debit_payments": { "display_name": null, "service_user_number": null },
        "branding": { "icon": null, "logo": null, "primary_color": null, "secondary_color": null },
        "card_issuing": { "tos_acceptance": { "date": null, "ip": null } },
        "card_payments": {
            "decline_on": { "avs_failure": false, "cvc_failure": false },
            "statement_descriptor_prefix": null,
            "statement_descriptor_prefix_kana": null,
            "statement_descriptor_prefix_kanji": null,
        },
        "dashboard": { "display_name": "Local sandbox", "timezone": "Etc/UTC" },
        "invoices": { "default_account_tax_ids": null, "hosted_payment_method_save": null },
        "payments": {
            "statement_descriptor": descriptor::of_business(&settings.business_name),
            "statement_descriptor_kana": null,
            "statement_descriptor_kanji": null,
            "statement_descriptor_prefix_kana": null,
            "statement_descriptor_prefix_kanji": null,
        },
        "payouts": {
            "debit_negative_balances": true,
            "schedule": { "delay_days": 2, "interval": "manual" },
            "statement_descriptor": null,
        },
        "sepa_debit_payments": {},
    })
}
