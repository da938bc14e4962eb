//! The endpoints for the billing portal: configurations, sessions, and the actions of its page.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::api::listing::{self, AFTER, BEFORE, LIMIT};
use crate::api::{Route, route};
use crate::error::ApiError;
use crate::model;
use crate::object::Object;
use crate::params::{Args, Field, ParamKind, QUANTITY, merge_metadata, off, opt, req};
use crate::portal;
use crate::state::State;

const PRORATION_BEHAVIOR: ParamKind = ParamKind::OneOf(&["always_invoice", "create_prorations", "none"]);
const PRODUCT: ParamKind = ParamKind::Map(&[
    req("product", ParamKind::Text),
    req("prices", ParamKind::List(&ParamKind::Text)),
    off("adjustable_quantity"),
]);
const ENABLED: Field = opt("enabled", ParamKind::Bool);
const FEATURES: ParamKind = ParamKind::Map(&[
    opt(
        "customer_update",
        ParamKind::Map(&[
            ENABLED,
            opt(
                "allowed_updates",
                ParamKind::List(&ParamKind::OneOf(&["address", "email", "name", "phone", "shipping", "tax_id"])),
            ),
        ]),
    ),
    opt("invoice_history", ParamKind::Map(&[ENABLED])),
    opt("payment_method_update", ParamKind::Map(&[ENABLED, off("payment_method_configuration")])),
    opt(
        "subscription_cancel",
        ParamKind::Map(&[
            ENABLED,
            opt(
                "cancellation_reason",
                ParamKind::Map(&[ENABLED, opt("options", ParamKind::List(&ParamKind::OneOf(model::portal::FEEDBACK)))]),
            ),
            opt("mode", ParamKind::OneOf(&["at_period_end", "immediately"])),
            opt("proration_behavior", PRORATION_BEHAVIOR),
        ]),
    ),
    opt(
        "subscription_update",
        ParamKind::Map(&[
            ENABLED,
            opt("billing_cycle_anchor", ParamKind::OneOf(&["now", "unchanged"])),
            opt(
                "default_allowed_updates",
                ParamKind::List(&ParamKind::OneOf(&["price", "promotion_code", "quantity"])),
            ),
            opt("products", ParamKind::List(&PRODUCT)),
            opt("proration_behavior", PRORATION_BEHAVIOR),
            opt("trial_update_behavior", ParamKind::OneOf(&["continue_trial", "end_trial"])),
            off("schedule_at_period_end"),
        ]),
    ),
]);
const PROFILE: ParamKind = ParamKind::Map(&[
    opt("headline", ParamKind::Text),
    opt("privacy_policy_url", ParamKind::Url),
    opt("terms_of_service_url", ParamKind::Url),
]);

macro_rules! configuration_fields {
    ($($more:expr),* $(,)?) => {
        &[
            opt("business_profile", PROFILE),
            opt("default_return_url", ParamKind::Url),
            opt("metadata", ParamKind::Metadata),
            opt("name", ParamKind::Text),
            off("login_page"),
            $($more),*
        ]
    };
}

const CREATE: &[Field] = configuration_fields![req("features", FEATURES)];
const UPDATE: &[Field] = configuration_fields![opt("features", FEATURES), opt("active", ParamKind::Bool)];

const OF: Field = req("subscription", ParamKind::Text);
const FLOW: ParamKind = ParamKind::Map(&[
    req(
        "type",
        ParamKind::OneOf(&[
            "payment_method_update",
            "subscription_cancel",
            "subscription_update",
            "subscription_update_confirm",
        ]),
    ),
    opt(
        "after_completion",
        ParamKind::Map(&[
            req("type", ParamKind::OneOf(&["hosted_confirmation", "portal_homepage", "redirect"])),
            opt("hosted_confirmation", ParamKind::Map(&[opt("custom_message", ParamKind::Text)])),
            opt("redirect", ParamKind::Map(&[req("return_url", ParamKind::Url)])),
        ]),
    ),
    opt("subscription_cancel", ParamKind::Map(&[OF, off("retention")])),
    opt("subscription_update", ParamKind::Map(&[OF])),
    opt(
        "subscription_update_confirm",
        ParamKind::Map(&[
            OF,
            req(
                "items",
                ParamKind::List(&ParamKind::Map(&[
                    req("id", ParamKind::Text),
                    req("price", ParamKind::Text),
                    opt("quantity", QUANTITY),
                ])),
            ),
            off("discounts"),
        ]),
    ),
]);
const SESSION: &[Field] = &[
    req("customer", ParamKind::Text),
    opt("configuration", ParamKind::Text),
    opt("flow_data", FLOW),
    opt("locale", ParamKind::Text),
    opt("return_url", ParamKind::Url),
    off("customer_account"),
    off("on_behalf_of"),
];
const PLAN: &[Field] = &[OF, req("price", ParamKind::Text)];

/// The endpoints. Those below `/_sandbox` are the actions of the portal's page.
pub const ROUTES: &[Route] = &[
    route("POST", "/v1/billing_portal/configurations", CREATE, create),
    route(
        "GET",
        "/v1/billing_portal/configurations",
        &[LIMIT, AFTER, BEFORE, opt("active", ParamKind::Bool), opt("is_default", ParamKind::Bool)],
        list,
    ),
    route("GET", "/v1/billing_portal/configurations/{}", &[], |st, ids, _| {
        portal::configuration(st, ids[0], "id").map(|c| c.value())
    }),
    route("POST", "/v1/billing_portal/configurations/{}", UPDATE, update),
    route("POST", "/v1/billing_portal/sessions", SESSION, create_session),
    route("POST", "/_sandbox/portal/{}/preview", PLAN, |st, ids, args| portal::preview(st, ids[0], args)),
    route("POST", "/_sandbox/portal/{}/update", PLAN, |st, ids, args| portal::update(st, ids[0], args)),
    route(
        "POST",
        "/_sandbox/portal/{}/cancel",
        &[OF, opt("comment", ParamKind::Text), opt("feedback", ParamKind::OneOf(model::portal::FEEDBACK))],
        |st, ids, args| portal::cancel(st, ids[0], args),
    ),
    route("POST", "/_sandbox/portal/{}/resume", &[OF], |st, ids, args| portal::resume(st, ids[0], args)),
    route("POST", "/_sandbox/portal/{}/card", &[req("payment_method", ParamKind::Text)], |st, ids, args| {
        portal::card(st, ids[0], args)
    }),
];

fn create(st: &mut State, _: &[&str], args: &Args) -> Result<Value, ApiError> {
    let id = st.new_id("bpc");
    let mut made = model::portal::configuration(id, st.clock_s());
    apply(st, &mut made, args)?;
    let made = st.put(made);
    st.emit("billing_portal.configuration.created", &made);
    Ok(made.value())
}

fn update(st: &mut State, ids: &[&str], args: &Args) -> Result<Value, ApiError> {
    let before = portal::configuration(st, ids[0], "id")?;
    let mut next = Object::clone(&before);
    if let Some(active) = args.flag("active") {
        if before.is("is_default") && !active {
            return Err(ApiError::invalid("The default configuration can't be deactivated.").about("active"));
        }
        next.set("active", active);
    }
    apply(st, &mut next, args)?;
    if next == *before {
        return Ok(next.value());
    }
    next.set("updated", st.clock_s());
    // The default configuration is stored now, unless it was stored before.
    st.put(Object::clone(&before));
    Ok(st.change_and_emit(ids[0], "billing_portal.configuration.updated", |c| *c = next).value())
}

fn apply(st: &State, configuration: &mut Object, args: &Args) -> Result<(), ApiError> {
    for member in ["default_return_url", "name"] {
        if args.has(member) {
            configuration.set(member, args.value(member));
        }
    }
    configuration.set("metadata", merge_metadata(configuration.get("metadata"), args)?);
    if let Value::Object(profile) = args.value("business_profile") {
        profile.into_iter().for_each(|(name, value)| configuration.set_at(&format!("business_profile.{name}"), value));
    }
    if let Value::Object(features) = args.value("features") {
        for (feature, members) in features {
            set_members(configuration, &format!("features.{feature}"), members);
        }
        let named = |p: &Value| st.load("price", p.as_str().unwrap_or_default(), "features[subscription_update]");
        for product in configuration.list_at("features.subscription_update.products") {
            product["prices"].as_array().into_iter().flatten().try_for_each(|p| named(p).map(drop))?;
        }
    }
    Ok(())
}

/// Sets the given members one by one, at any depth. An empty array parameter becomes `[]`, any other empty value null.
fn set_members(configuration: &mut Object, path: &str, given: Value) {
    match given {
        Value::Object(members) => {
            for (name, value) in members {
                set_members(configuration, &format!("{path}.{name}"), value);
            }
        }
        Value::Null if configuration.at(path).is_array() => configuration.set_at(path, json!([])),
        // An empty map is accepted but has no effect, so that no member is lost.
        Value::Null if configuration.at(path).is_object() => {}
        value => configuration.set_at(path, value),
    }
}

fn list(st: &mut State, _: &[&str], args: &Args) -> Result<Value, ApiError> {
    let own = portal::configuration(st, &portal::default_id(st), "id")?;
    let made = st.newest("billing_portal.configuration", None).filter(|c| !c.is("is_default"));
    let fits = |c: &Arc<Object>| ["active", "is_default"].iter().all(|m| args.given(m).is_none_or(|v| c.get(m) == v));
    listing::page(args, "/v1/billing_portal/configurations", made.chain(std::iter::once(own)).filter(fits))
}

fn create_session(st: &mut State, _: &[&str], args: &Args) -> Result<Value, ApiError> {
    let customer = st.load("customer", args.text("customer").unwrap_or_default(), "customer")?;
    let chosen = args.text("configuration").map_or_else(|| portal::default_id(st), str::to_owned);
    let configuration = portal::configuration(st, &chosen, "configuration")?;
    if !configuration.is("active") {
        return Err(ApiError::invalid("The portal configuration is inactive.").about("configuration"));
    }
    let id = st.new_id("bps");
    let url = format!("{}/p/session/{id}", st.settings.base_url);
    let mut session = model::portal::session(id, st.clock_s(), customer.id(), &chosen, url);
    let return_url = args.given("return_url").unwrap_or(configuration.get("default_return_url"));
    session.set("return_url", return_url.clone());
    session.set("locale", args.value("locale"));
    if args.given("flow_data").is_some() {
        session.set("flow", read_flow(st, &session, &args.map("flow_data"))?);
    }
    if configuration.is("is_default") {
        // A stored configuration can be expanded in the session.
        st.put(Object::clone(&configuration));
    }
    let session = st.put(session);
    st.emit("billing_portal.session.created", &session);
    Ok(session.value())
}

fn read_flow(st: &State, session: &Object, given: &Args) -> Result<Value, ApiError> {
    let kind = given.text("type").unwrap_or_default();
    let mut flow = model::portal::flow(kind);
    if kind != "payment_method_update" {
        let param = format!("flow_data[{kind}]");
        let mut about = given.given(kind).cloned().ok_or_else(|| ApiError::missing(&param))?;
        let sub = portal::owned(st, session, about["subscription"].as_str().unwrap_or_default())
            .map_err(|e| e.about(&format!("{param}[subscription]")))?;
        if !portal::is_live(&sub) {
            let message = "This subscription can't be changed in the portal any more.";
            return Err(ApiError::invalid(message).about(&format!("{param}[subscription]")));
        }
        if kind == "subscription_update_confirm" {
            check_items(st, &sub, &about["items"], &param)?;
            about["discounts"] = Value::Null;
        }
        if kind == "subscription_cancel" {
            about["retention"] = Value::Null;
        }
        flow[kind] = about;
    }
    let after = given.map("after_completion");
    if let Some(then) = after.text("type") {
        flow["after_completion"]["type"] = json!(then);
        let told = after.map("hosted_confirmation");
        if then == "hosted_confirmation" {
            flow["after_completion"][then] = json!({ "custom_message": told.value("custom_message") });
        }
        if then == "redirect" {
            let url = after.given(then).ok_or_else(|| ApiError::missing("flow_data[after_completion][redirect]"))?;
            flow["after_completion"][then] = url.clone();
        }
    }
    Ok(flow)
}

/// Checks that a flow contains exactly one item and one price. The portal's page can confirm no other change.
fn check_items(st: &State, sub: &Object, items: &Value, param: &str) -> Result<(), ApiError> {
    let (Some([given]), [item]) = (items.as_array().map(Vec::as_slice), sub.list_at("items")) else {
        let message = "The portal changes subscriptions of exactly one item.";
        return Err(ApiError::invalid(message).about(&format!("{param}[items]")));
    };
    if given["id"] != item["id"] {
        let id = given["id"].as_str().unwrap_or_default();
        return Err(ApiError::no_such("subscription item", id, &format!("{param}[items][0][id]")));
    }
    let price = given["price"].as_str().unwrap_or_default();
    st.load("price", price, &format!("{param}[items][0][price]")).map(drop)
}
