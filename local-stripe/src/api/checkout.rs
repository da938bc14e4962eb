//! The endpoints for checkout sessions and payment pages.

use serde_json::{Value, json};

use crate::api::catalog::PRICE_DATA;
use crate::api::customers::{BILLING_DETAILS, METHOD_TYPE};
use crate::api::listing::{self, AFTER, BEFORE, CREATED, LIMIT};
use crate::api::{Route, method_options, route};
use crate::billing::invoicing::invoice_settings::ISSUER;
use crate::billing::tax::RATES;
use crate::checkout::{self, Buyer, Confirmation, asked, bill, keep, quantity, shipping};
use crate::connect::division::{FEE_AMOUNT, FEE_PERCENT, ON_BEHALF_OF, TRANSFER_DATA, TRANSFER_PERCENT};
use crate::error::ApiError;
use crate::object::Object;
use crate::params::{AMOUNT, Args, Field, ParamKind, QUANTITY, SHIPPING, merge_metadata, off, opt, req};
use crate::payments::method;
use crate::payments::method::Presence;
use crate::state::State;
use crate::tax::automatic::AUTOMATIC_TAX;

const LINE: ParamKind = ParamKind::Map(&[
    opt("price", ParamKind::Text),
    opt("price_data", PRICE_DATA),
    opt("quantity", QUANTITY),
    opt("adjustable_quantity", quantity::ADJUSTABLE),
    opt("metadata", ParamKind::Metadata),
    opt("tax_rates", RATES),
]);
/// The parameter `subscription_data` of a session.
pub const SUBSCRIPTION_DATA: ParamKind = ParamKind::Map(&[
    opt("billing_cycle_anchor", ParamKind::Time),
    opt("description", ParamKind::Text),
    opt("metadata", ParamKind::Metadata),
    opt("trial_end", ParamKind::Time),
    opt("trial_period_days", ParamKind::Int(0, 730)),
    opt("trial_settings", super::billing::TRIAL_SETTINGS),
    opt("billing_mode", super::billing::BILLING_MODE),
    opt("default_tax_rates", RATES),
    opt("invoice_settings", ParamKind::Map(&[opt("issuer", ISSUER)])),
    opt("proration_behavior", ParamKind::OneOf(&["create_prorations", "none"])),
    FEE_PERCENT,
    ON_BEHALF_OF,
    opt("transfer_data", TRANSFER_PERCENT),
]);
/// The parameter `payment_intent_data` of a session.
pub const PAYMENT_INTENT_DATA: ParamKind = ParamKind::Map(&[
    opt("capture_method", ParamKind::OneOf(&["automatic", "automatic_async", "manual"])),
    opt("description", ParamKind::Text),
    opt("metadata", ParamKind::Metadata),
    opt("setup_future_usage", ParamKind::OneOf(&["off_session", "on_session"])),
    opt("receipt_email", ParamKind::Email),
    opt("shipping", SHIPPING),
    opt("statement_descriptor", ParamKind::Text),
    opt("statement_descriptor_suffix", ParamKind::Text),
    FEE_AMOUNT,
    ON_BEHALF_OF,
    opt("transfer_data", TRANSFER_DATA),
    opt("transfer_group", ParamKind::Text),
]);

const SESSION_DISCOUNTS: ParamKind =
    ParamKind::List(&ParamKind::Map(&[opt("coupon", ParamKind::Text), opt("promotion_code", ParamKind::Text)]));

const CREATE: &[Field] = &[
    opt("mode", ParamKind::OneOf(&["payment", "setup", "subscription"])),
    opt("line_items", ParamKind::List(&LINE)),
    opt("allow_promotion_codes", ParamKind::Bool),
    opt("billing_address_collection", ParamKind::OneOf(&["auto", "required"])),
    opt("cancel_url", ParamKind::Url),
    opt("client_reference_id", ParamKind::Text),
    opt("customer", ParamKind::Text),
    opt("customer_creation", ParamKind::OneOf(&["always", "if_required"])),
    opt("customer_email", ParamKind::Email),
    opt("expires_at", ParamKind::Time),
    opt("locale", ParamKind::Text),
    opt("metadata", ParamKind::Metadata),
    opt("payment_intent_data", PAYMENT_INTENT_DATA),
    opt("payment_method_data", ParamKind::Map(&[opt("allow_redisplay", keep::REDISPLAY)])),
    opt("payment_method_collection", ParamKind::OneOf(&["always", "if_required"])),
    opt("payment_method_types", ParamKind::List(&METHOD_TYPE)),
    opt(
        "setup_intent_data",
        ParamKind::Map(&[opt("description", ParamKind::Text), opt("metadata", ParamKind::Metadata)]),
    ),
    opt("submit_type", ParamKind::OneOf(&["auto", "book", "donate", "pay", "subscribe"])),
    opt("subscription_data", SUBSCRIPTION_DATA),
    opt("success_url", ParamKind::Url),
    opt("return_url", ParamKind::Url),
    opt("ui_mode", ParamKind::OneOf(&["embedded", "embedded_page", "hosted", "hosted_page"])),
    off("adaptive_pricing"),
    off("after_expiration"),
    AUTOMATIC_TAX,
    opt("consent_collection", asked::CONSENT_COLLECTION),
    opt("currency", ParamKind::Currency),
    opt("custom_fields", ParamKind::List(&asked::CUSTOM_FIELD)),
    opt("custom_text", asked::CUSTOM_TEXT),
    opt("customer_update", asked::CUSTOMER_UPDATE),
    opt("discounts", SESSION_DISCOUNTS),
    opt("invoice_creation", bill::CREATION),
    opt("payment_method_options", method_options::OF_SESSION),
    opt("phone_number_collection", asked::ENABLED),
    opt("saved_payment_method_options", keep::OPTIONS),
    opt("shipping_address_collection", asked::SHIPPING_ADDRESS),
    opt("shipping_options", ParamKind::List(&shipping::OPTION)),
    opt("tax_id_collection", asked::TAX_ID_COLLECTION),
];

const CONFIRM: &[Field] = &[
    opt("payment_method", ParamKind::Text),
    opt("expected_amount", AMOUNT),
    opt("billing_details", BILLING_DETAILS),
    opt("consent", asked::CONSENT),
    opt("custom_fields", ParamKind::List(&asked::ANSWER)),
    opt("phone", ParamKind::Text),
    opt("shipping", SHIPPING),
    opt("tax_id", asked::TAX_ID),
    // Stripe's browser script sends this information about itself to an internal endpoint, for Stripe's own statistics. It appears in no
    // member.
    opt("eid", ParamKind::Text),
    opt("client_attribution_metadata", ParamKind::Metadata),
    opt("expected_payment_method_type", ParamKind::Text),
    opt("return_url", ParamKind::Text),
];

/// The endpoints.
pub const ROUTES: &[Route] = &[
    route("POST", "/v1/checkout/sessions", CREATE, |st, _, args| checkout::open(st, args)),
    route(
        "GET",
        "/v1/checkout/sessions",
        &[
            LIMIT,
            AFTER,
            BEFORE,
            CREATED,
            opt("customer", ParamKind::Text),
            opt("payment_intent", ParamKind::Text),
            opt("subscription", ParamKind::Text),
            opt("status", ParamKind::OneOf(&["open", "complete", "expired"])),
            opt("customer_details", ParamKind::Map(&[req("email", ParamKind::Text)])),
        ],
        |st, _, args| {
            let same = |s: &Object, member: &str| args.given(member).is_none_or(|v| s.get(member) == v);
            let details = args.map("customer_details");
            let fits = |s: &std::sync::Arc<Object>| {
                listing::in_created(args, s.int("created"))
                    && ["payment_intent", "subscription", "status"].iter().all(|member| same(s, member))
                    && details.given("email").is_none_or(|email| s.at("customer_details.email") == email)
            };
            let all = st.newest("checkout.session", args.text("customer"));
            listing::page(args, "/v1/checkout/sessions", all.filter(fits))
        },
    ),
    route("GET", "/v1/checkout/sessions/{}", &[], |st, ids, _| Ok(st.load("checkout.session", ids[0], "id")?.value())),
    route("POST", "/v1/checkout/sessions/{}", &[opt("metadata", ParamKind::Metadata)], |st, ids, args| {
        let session = st.load("checkout.session", ids[0], "id")?;
        let metadata = merge_metadata(session.get("metadata"), args)?;
        Ok(st.change(ids[0], |s| s.set("metadata", metadata)).value())
    }),
    route("POST", "/v1/checkout/sessions/{}/expire", &[], |st, ids, _| {
        let session = st.load("checkout.session", ids[0], "id")?;
        if session.text("status") != "open" {
            let message = format!(
                "Only Checkout Sessions with a status in [\"open\"] can be expired. This Checkout Session has a status of {}.",
                session.text("status")
            );
            return Err(ApiError::invalid(message));
        }
        checkout::expire(st, ids[0]);
        Ok(st.find(ids[0])?.value())
    }),
    route("GET", "/v1/checkout/sessions/{}/line_items", &[LIMIT, AFTER, BEFORE], |st, ids, args| {
        let session = st.load("checkout.session", ids[0], "id")?;
        let url = format!("/v1/checkout/sessions/{}/line_items", ids[0]);
        let lines = session.as_session().lines.iter().cloned().map(Object::of);
        listing::page_of(args, &url, lines, |l| l.id(), Object::value)
    }),
    // `eid` identifies a visit to the page in Stripe's statistics.
    route("GET", "/v1/payment_pages/{}", &[opt("eid", ParamKind::Text)], |st, ids, _| {
        checkout::find(st, ids[0]).map(|s| page(st, &s))
    })
    .as_page(),
    route("POST", "/v1/payment_pages/{}/confirm", CONFIRM, confirm).as_page(),
];

/// Returns the payment page object of a session, from which a hosted page gets the session.
fn page(st: &State, session: &Object) -> Value {
    let intent = &session.as_session().intent;
    let intent = st.seek(intent).map_or(Value::Null, |pi| pi.value());
    json!({
        "id": &session.as_session().page,
        "object": "checkout.session",
        "session_id": session.id(),
        "amount_total": session.get("amount_total"),
        "cancel_url": session.get("cancel_url"),
        "currency": session.get("currency"),
        "customer": session.get("customer"),
        "customer_email": session.get("customer_email"),
        "line_items": &session.as_session().lines,
        "livemode": false,
        "mode": session.get("mode"),
        "payment_intent": intent,
        "payment_method_types": session.get("payment_method_types"),
        "payment_status": session.get("payment_status"),
        "status": session.get("status"),
        "state": if session.text("status") == "complete" { "succeeded" } else { "active" },
        "success_url": session.get("success_url"),
        "total_summary": { "due": session.get("amount_total"), "subtotal": session.get("amount_subtotal"), "total": session.get("amount_total") },
        "url": session.get("url"),
    })
}

fn confirm(st: &mut State, ids: &[&str], args: &Args) -> Result<Value, ApiError> {
    let session = checkout::find(st, ids[0])?;
    if let Some(expected) = args.int("expected_amount").filter(|e| *e != session.int("amount_total")) {
        let message =
            format!("The expected amount ({expected}) doesn't match the session's ({}).", session.int("amount_total"));
        return Err(ApiError::coded("checkout_amount_mismatch", message).about("expected_amount"));
    }
    let paid_with = args.text("payment_method").map(|name| method::resolve(st, name, "payment_method")).transpose()?;
    let details = args.map("billing_details");
    let buyer =
        Buyer { email: details.text("email").map(str::to_owned), name: details.text("name").map(str::to_owned) };
    asked::answer(st, &session, args)?;
    let confirmed =
        checkout::confirm(st, session.id(), paid_with.as_ref().map(Object::id), &buyer, Presence::OnSession)?;
    let mut shown = page(st, &*st.find(session.id())?);
    if let Confirmation::NeedsAction(url) = confirmed {
        shown["state"] = json!("requires_action");
        shown["next_action"] =
            json!({ "type": "redirect_to_url", "redirect_to_url": { "url": url, "return_url": null } });
    }
    Ok(shown)
}
