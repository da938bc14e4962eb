//! The parameter `payment_method_options` of payment intents, setup intents and checkout sessions.

use serde_json::{Value, json};

use crate::object::Object;
use crate::params::{Args, ParamKind, off, opt, req};

const SECURE: ParamKind = ParamKind::OneOf(&["any", "automatic", "challenge"]);
const USAGE: ParamKind = ParamKind::OneOf(&["none", "off_session", "on_session"]);
const MANUAL: ParamKind = ParamKind::OneOf(&["manual"]);
const OTHER_USAGE: ParamKind = ParamKind::Map(&[opt("setup_future_usage", USAGE)]);

/// The options of a payment intent.
pub const OF_PAYMENT: ParamKind = ParamKind::Map(&[
    opt(
        "card",
        ParamKind::Map(&[
            opt("request_three_d_secure", SECURE),
            opt("setup_future_usage", USAGE),
            opt("capture_method", MANUAL),
            opt("request_incremental_authorization", ParamKind::OneOf(&["if_available", "never"])),
            off("installments"),
            off("mandate_options"),
            off("moto"),
        ]),
    ),
    opt("customer_balance", CUSTOMER_BALANCE),
    opt("sepa_debit", OTHER_USAGE),
    opt(
        "us_bank_account",
        ParamKind::Map(&[opt("setup_future_usage", USAGE), opt("verification_method", VERIFICATION)]),
    ),
]);
/// How a customer's cash balance is funded.
const CUSTOMER_BALANCE: ParamKind = ParamKind::Map(&[
    opt("funding_type", ParamKind::OneOf(&["bank_transfer"])),
    opt(
        "bank_transfer",
        ParamKind::Map(&[
            opt("eu_bank_transfer", ParamKind::Map(&[req("country", ParamKind::Text)])),
            req("type", TRANSFER_TYPE),
        ]),
    ),
]);
/// The types of bank transfers.
pub const TRANSFER_TYPE: ParamKind = ParamKind::OneOf(&[
    "eu_bank_transfer",
    "gb_bank_transfer",
    "jp_bank_transfer",
    "mx_bank_transfer",
    "us_bank_transfer",
]);
/// How a bank account is verified. Here, `automatic` and `instant` require nothing from the customer.
const VERIFICATION: ParamKind = ParamKind::OneOf(&["automatic", "instant", "microdeposits"]);
/// The options of a setup intent.
pub const OF_SETUP: ParamKind = ParamKind::Map(&[
    opt("card", ParamKind::Map(&[opt("request_three_d_secure", SECURE), off("mandate_options"), off("moto")])),
    opt("us_bank_account", ParamKind::Map(&[opt("verification_method", VERIFICATION)])),
]);
/// The options of a checkout session.
pub const OF_SESSION: ParamKind = ParamKind::Map(&[
    opt(
        "card",
        ParamKind::Map(&[
            opt("request_three_d_secure", SECURE),
            opt("setup_future_usage", ParamKind::OneOf(&["off_session", "on_session"])),
            opt("capture_method", MANUAL),
            off("installments"),
        ]),
    ),
    opt("sepa_debit", OTHER_USAGE),
    opt("us_bank_account", OTHER_USAGE),
]);

/// The options for the payments of a subscription or an invoice. Those of types other than cards concern the verification of bank accounts.
pub const OF_SUBSCRIPTION: ParamKind =
    ParamKind::Map(&[opt("card", ParamKind::Map(&[opt("request_three_d_secure", SECURE)]))]);

/// Merges the options of a request into those of an intent or a session. Setting the options of a type to an empty value removes them.
pub fn apply(owner: &mut Object, args: &Args) {
    for (kind, options) in args.map("payment_method_options").into_members() {
        for (name, value) in Args::of(options).into_members() {
            let value = if name == "request_three_d_secure" && value.is_null() { json!("automatic") } else { value };
            owner.set_at(&format!("payment_method_options.{kind}.{name}"), value);
        }
    }
}

/// Copies the options of a session or an invoice to the intent that pays for it.
pub fn hand_on(intent: &mut Object, options: &Value) {
    let all = options.as_object().cloned().unwrap_or_default();
    for (kind, options) in all {
        for (name, value) in options.as_object().cloned().unwrap_or_default() {
            if value != Value::Null {
                intent.set_at(&format!("payment_method_options.{kind}.{name}"), value);
            }
        }
    }
}
