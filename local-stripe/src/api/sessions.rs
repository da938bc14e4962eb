//! The endpoints for objects that a server creates for its pages and apps: customer sessions, account sessions and
//! ephemeral keys.

use serde_json::{Map, Value, json};

use crate::access;
use crate::api::{Route, route};
use crate::checkout::keep::REDISPLAY;
use crate::error::ApiError;
use crate::params::{Args, Field, ParamKind, opt, req};
use crate::state::State;

/// The lifetime of a customer session and of an account session in seconds.
const SESSION_S: i64 = 1_800;
const ENABLED: Field = req("enabled", ParamKind::Bool);
const SWITCH: ParamKind = ParamKind::OneOf(&["disabled", "enabled"]);
const FILTERS: Field = opt("payment_method_allow_redisplay_filters", ParamKind::List(&REDISPLAY));
const REMOVE: Field = opt("payment_method_remove", SWITCH);
const PLAIN: ParamKind = ParamKind::Map(&[ENABLED]);
const SHEET: ParamKind = ParamKind::Map(&[ENABLED, opt("features", ParamKind::Map(&[FILTERS, REMOVE]))]);
const MOBILE: ParamKind = ParamKind::Map(&[
    ENABLED,
    opt(
        "features",
        ParamKind::Map(&[
            FILTERS,
            opt("payment_method_redisplay", SWITCH),
            REMOVE,
            opt("payment_method_save", SWITCH),
            opt("payment_method_save_allow_redisplay_override", REDISPLAY),
        ]),
    ),
]);
const ELEMENT: ParamKind = ParamKind::Map(&[
    ENABLED,
    opt(
        "features",
        ParamKind::Map(&[
            FILTERS,
            opt("payment_method_redisplay", SWITCH),
            opt("payment_method_redisplay_limit", ParamKind::Int(1, 10)),
            REMOVE,
            opt("payment_method_save", SWITCH),
            opt("payment_method_save_usage", ParamKind::OneOf(&["off_session", "on_session"])),
        ]),
    ),
]);
const OF_CUSTOMER: &[Field] = &[
    opt("active_entitlements", PLAIN),
    opt("buy_button", PLAIN),
    opt("customer_portal", PLAIN),
    opt("customer_sheet", SHEET),
    opt("mobile_payment_element", MOBILE),
    opt("payment_element", ELEMENT),
    opt("pricing_table", PLAIN),
];

/// Declares the components of an account session, each with its features.
macro_rules! components {
    ($($name:literal: [$($feature:literal),*]),* $(,)?) => {
        /// The components of an account session as parameters.
        const OF_ACCOUNT: &[Field] = &[$(opt($name, ParamKind::Map(&[
            ENABLED,
            opt("features", ParamKind::Map(&[$(opt($feature, ParamKind::Bool)),*])),
        ]))),*];
        /// The components of an account session, with the names of their features.
        const FEATURES: &[(&str, &[&str])] = &[$(($name, &[$($feature),*])),*];
    };
}

components! {
    "account_management": ["disable_stripe_user_authentication", "external_account_collection"],
    "account_onboarding": ["disable_stripe_user_authentication", "external_account_collection"],
    "balance_report": [],
    "balances": [
        "disable_stripe_user_authentication", "edit_payout_schedule", "external_account_collection", "instant_payouts",
        "standard_payouts"
    ],
    "disputes_list": [
        "capture_payments", "destination_on_behalf_of_charge_management", "dispute_management", "refund_management",
        "smart_disputes_management"
    ],
    "documents": [],
    "financial_account": [
        "disable_stripe_user_authentication", "external_account_collection", "send_money", "transfer_balance"
    ],
    "financial_account_transactions": ["card_spend_dispute_management"],
    "instant_payouts_promotion": [
        "disable_stripe_user_authentication", "external_account_collection", "instant_payouts"
    ],
    "issuing_card": [
        "card_management", "card_spend_dispute_management", "cardholder_management", "spend_control_management"
    ],
    "issuing_cards_list": [
        "card_management", "card_spend_dispute_management", "cardholder_management",
        "disable_stripe_user_authentication", "spend_control_management"
    ],
    "notification_banner": ["disable_stripe_user_authentication", "external_account_collection"],
    "payment_details": [
        "capture_payments", "destination_on_behalf_of_charge_management", "dispute_management", "refund_management",
        "smart_disputes_management"
    ],
    "payment_disputes": [
        "destination_on_behalf_of_charge_management", "dispute_management", "refund_management",
        "smart_disputes_management"
    ],
    "payment_method_settings": ["disable_stripe_user_authentication"],
    "payments": [
        "capture_payments", "destination_on_behalf_of_charge_management", "dispute_management", "refund_management",
        "smart_disputes_management"
    ],
    "payout_details": [],
    "payout_reconciliation_report": [],
    "payouts": [
        "disable_stripe_user_authentication", "edit_payout_schedule", "external_account_collection", "instant_payouts",
        "standard_payouts"
    ],
    "payouts_list": [],
    "reporting_chart": [],
    "tax_registrations": [],
    "tax_settings": [],
    "terminal_hardware_orders": [],
    "terminal_hardware_shop": [],
}

/// The features that are on by default, according to the comments in Stripe's libraries.
const ON: [&str; 5] = [
    "capture_payments",
    "dispute_management",
    "external_account_collection",
    "refund_management",
    "smart_disputes_management",
];

/// The endpoints.
pub const ROUTES: &[Route] = &[
    route(
        "POST",
        "/v1/customer_sessions",
        &[opt("customer", ParamKind::Text), req("components", ParamKind::Map(OF_CUSTOMER))],
        customer_session,
    ),
    route(
        "POST",
        "/v1/account_sessions",
        &[req("account", ParamKind::Text), req("components", ParamKind::Map(OF_ACCOUNT))],
        account_session,
    ),
    route("POST", "/v1/ephemeral_keys", &[opt("customer", ParamKind::Text)], |st, _, args| {
        let customer = args.text("customer").ok_or_else(|| ApiError::missing("customer"))?;
        access::make_ephemeral(st, customer)
    }),
    route("DELETE", "/v1/ephemeral_keys/{}", &[], |st, ids, _| {
        let key = st.load("ephemeral_key", ids[0], "id")?;
        st.remove(ids[0]);
        Ok(key.value())
    }),
];

fn customer_session(st: &mut State, _: &[&str], args: &Args) -> Result<Value, ApiError> {
    let customer = args.text("customer").ok_or_else(|| ApiError::missing("customer"))?;
    let customer = st.load("customer", customer, "customer")?;
    let given = args.map("components");
    let mut components = Map::new();
    for field in OF_CUSTOMER {
        let component = given.map(field.name);
        let is_enabled = component.flag("enabled") == Some(true);
        let mut shown = json!({ "enabled": is_enabled });
        let features = match field.name {
            "customer_sheet" => {
                json!({ "payment_method_allow_redisplay_filters": ["always"], "payment_method_remove": null })
            }
            "mobile_payment_element" => json!({
                "payment_method_allow_redisplay_filters": ["always"], "payment_method_redisplay": null,
                "payment_method_remove": null, "payment_method_save": null,
                "payment_method_save_allow_redisplay_override": null,
            }),
            "payment_element" => json!({
                "payment_method_allow_redisplay_filters": ["always"], "payment_method_redisplay": "disabled",
                "payment_method_redisplay_limit": 3, "payment_method_remove": "disabled",
                "payment_method_save": "disabled", "payment_method_save_usage": null,
            }),
            _ => Value::Null,
        };
        if features.is_object() {
            shown["features"] = if is_enabled { with(features, &component.map("features")) } else { Value::Null };
        }
        components.insert(field.name.into(), shown);
    }
    let now = st.now(&customer);
    Ok(json!({
        "object": "customer_session",
        "client_secret": format!("cuss_secret_{}", st.new_characters(48)),
        "components": components,
        "created": now,
        "customer": customer.id(),
        "customer_account": null,
        "expires_at": now + SESSION_S,
        "livemode": false,
    }))
}

/// Returns the features of a component, with those that the request sets.
fn with(mut features: Value, given: &Args) -> Value {
    for name in given.names() {
        features[name] = given.value(name);
    }
    features
}

fn account_session(st: &mut State, _: &[&str], args: &Args) -> Result<Value, ApiError> {
    let account = st.load("account", args.text("account").unwrap_or_default(), "account")?;
    let given = args.map("components");
    if !given.names().any(|name| given.map(name).flag("enabled") == Some(true)) {
        return Err(ApiError::invalid("At least one component must be enabled.").about("components"));
    }
    let mut components = Map::new();
    for (name, features) in FEATURES {
        let component = given.map(name);
        let chosen = component.map("features");
        let mut shown: Map<String, Value> =
            features.iter().map(|feature| ((*feature).to_owned(), json!(ON.contains(feature)))).collect();
        // Smart disputes follow the setting for dispute management, unless the request overrides it.
        if let (Some(managed), true) =
            (chosen.flag("dispute_management"), features.contains(&"smart_disputes_management"))
        {
            shown.insert("smart_disputes_management".into(), json!(managed));
        }
        let shown = with(Value::Object(shown), &chosen);
        let is_enabled = component.flag("enabled") == Some(true);
        components.insert((*name).to_owned(), json!({ "enabled": is_enabled, "features": shown }));
    }
    Ok(json!({
        "object": "account_session",
        "account": account.id(),
        "client_secret": format!("accs_secret__{}", st.new_characters(48)),
        "components": components,
        "expires_at": st.clock_s() + SESSION_S,
        "livemode": false,
    }))
}
