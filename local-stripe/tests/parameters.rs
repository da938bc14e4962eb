//! Compares the parameters that the sandbox declares with those that Stripe's official library has.

#![allow(clippy::unwrap_used)]

use local_stripe::api::{Route, routes};
use local_stripe::params::{Field, ParamKind, known};
use serde_json::Value;

/// Endpoints that the library does not call.
const OTHER_ENDPOINTS: [&str; 5] = [
    // Older API versions have them.
    "GET /v1/charges/{}/refunds",
    "GET /v1/invoices/upcoming",
    // Stripe's scripts and its CLI call them.
    "GET /v1/payment_pages/{}",
    "POST /v1/payment_pages/{}/confirm",
    "POST /v1/events/{}/retry",
];
/// Parameters that the library lacks: the beginning of the endpoint, and the parameter.
const OTHER_PARAMETERS: &[(&str, &str)] = &[
    // Older API versions have them.
    ("POST /v1/charges", "card"),
    ("POST /v1/checkout/sessions", "payment_method_types"),
    ("POST /v1/checkout/sessions", "ui_mode"),
    ("POST /v1/customers", "card"),
    ("POST /v1/customers", "coupon"),
    ("POST /v1/customers", "promotion_code"),
    ("POST /v1/invoiceitems", "price"),
    ("POST /v1/invoiceitems", "unit_amount"),
    ("GET /v1/invoice_payments", "payment[charge]"),
    ("GET /v1/invoice_payments", "payment[type]"),
    ("POST /v1/invoices/create_preview", "subscription_details[billing_cycle_anchor]"),
    ("POST /v1/payment_intents", "payment_method_types"),
    ("POST /v1/promotion_codes", "coupon"),
    ("POST /v1/setup_intents", "payment_method_types"),
    ("POST /v1/subscription_schedules", "phases[][iterations]"),
    ("POST /v1/subscription_schedules", "phases[][start_date]"),
    ("POST /v1/subscriptions", "coupon"),
    ("POST /v1/subscriptions", "plan"),
    ("POST /v1/subscriptions", "promotion_code"),
    ("POST /v1/subscriptions", "quantity"),
    ("POST /v1/subscriptions/{}", "billing_cycle_anchor"),
    // Stripe's scripts send them.
    ("POST /v1/payment_intents", "payment_method_data[card]"),
    ("POST /v1/payment_intents", "payment_method_data[type]"),
    ("POST /v1/payment_intents/{}/confirm", "client_secret"),
    ("POST /v1/payment_methods", "payment_user_agent"),
    ("POST /v1/setup_intents", "payment_method_data[card]"),
    ("POST /v1/setup_intents", "payment_method_data[type]"),
    ("POST /v1/setup_intents/{}/confirm", "client_secret"),
];

/// Adds to `wrong` what a declaration says otherwise than Stripe.
fn compare(route: &Route, name: &str, kind: &ParamKind, stripe: &Value, wrong: &mut Vec<String>) {
    let endpoint = format!("{} {}", route.method, route.path);
    if let Some(types) = stripe.get("|").and_then(Value::as_array) {
        // One of the types must fit.
        let fits = types.iter().any(|stripe| {
            let mut wrong = Vec::new();
            compare(route, name, kind, stripe, &mut wrong);
            wrong.is_empty()
        });
        if !fits {
            wrong.push(format!("{endpoint} {name}: {kind:?} fits none of {stripe}"));
        }
        return;
    }
    let plain = stripe.as_str().unwrap_or_default();
    let words: Vec<&str> = plain.strip_prefix('=').map(|words| words.split('|').collect()).unwrap_or_default();
    let fits = match kind {
        ParamKind::Off => true,
        ParamKind::Map(fields) => {
            if stripe.is_object() && stripe.get("*").is_none() {
                members(route, name, fields, stripe, wrong);
            }
            stripe.is_object()
        }
        ParamKind::IdOr(fields) => {
            if stripe.is_object() {
                members(route, name, fields, stripe, wrong);
            }
            stripe.is_object() || plain == "text"
        }
        ParamKind::ByCurrency(fields) => match stripe.get("*") {
            Some(stripe) => {
                members(route, &format!("{name}[*]"), fields, stripe, wrong);
                true
            }
            None => false,
        },
        ParamKind::List(inner) => match stripe.as_array().and_then(|element| element.first()) {
            Some(stripe) => {
                compare(route, &format!("{name}[]"), inner, stripe, wrong);
                true
            }
            None => false,
        },
        ParamKind::Metadata => stripe.get("*").is_some(),
        ParamKind::Bool => plain == "bool",
        ParamKind::OneOf(own) => plain == "text" || own.iter().all(|word| words.contains(word)),
        // Older libraries have the month and year of a card as text.
        ParamKind::Int(..) => plain == "int" || name.contains("exp_") && plain == "text",
        ParamKind::Time => plain == "int",
        ParamKind::IntOr(_, _, own) | ParamKind::TimeOr(own) => {
            plain == "int" || own.iter().all(|word| words.contains(word))
        }
        ParamKind::Decimal => plain == "number" || plain == "text",
        ParamKind::Text | ParamKind::Currency | ParamKind::Email | ParamKind::Url => {
            plain == "text" || plain == "file" || !words.is_empty()
        }
    };
    if !fits {
        wrong.push(format!("{endpoint} {name}: {kind:?} is not {stripe}"));
    }
}

/// Compares the members of an object, or an endpoint's parameters.
fn members(route: &Route, prefix: &str, fields: &[Field], stripe: &Value, wrong: &mut Vec<String>) {
    let endpoint = format!("{} {}", route.method, route.path);
    for field in fields {
        let name = if prefix.is_empty() { field.name.to_owned() } else { format!("{prefix}[{}]", field.name) };
        if OTHER_PARAMETERS.iter().any(|(begin, known)| endpoint.starts_with(begin) && *known == name) {
            continue;
        }
        match known::find(stripe, &[field.name]) {
            Some((_, stripe)) => compare(route, &name, &field.kind, stripe, wrong),
            None => wrong.push(format!("{endpoint} {name}: not in the library")),
        }
    }
}

#[test]
fn every_declared_parameter_is_one_of_stripe_s_with_its_type() {
    let mut wrong = Vec::new();
    for route in routes().filter(|route| route.path.starts_with("/v1/")) {
        let endpoint = format!("{} {}", route.method, route.path);
        let stripe = known::of(route.method, route.path);
        match (stripe.is_null(), OTHER_ENDPOINTS.contains(&endpoint.as_str())) {
            (true, true) => {}
            (true, false) => wrong.push(format!("{endpoint}: no endpoint of the library")),
            (false, true) => wrong.push(format!("{endpoint}: the library calls it now")),
            (false, false) => members(route, "", route.fields, &stripe, &mut wrong),
        }
    }
    assert!(wrong.is_empty(), "{}\n{} differences", wrong.join("\n"), wrong.len());
}
