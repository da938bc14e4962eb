//! The endpoints for coupons and promotion codes.

use serde_json::{Map, Value, json};

use crate::api::catalog;
use crate::api::listing::{self, AFTER, BEFORE, CREATED, LIMIT};
use crate::api::{Route, route};
use crate::discount::redeem::is_valid;
use crate::error::ApiError;
use crate::model;
use crate::money;
use crate::object::{Object, key};
use crate::params::{AMOUNT, Args, Field, ParamKind, merge_metadata, opt, req};
use crate::state::State;

/// The parameter `currency_options` of a coupon.
const BY_CURRENCY: Field =
    opt("currency_options", ParamKind::ByCurrency(&[req("amount_off", ParamKind::Int(1, 99_999_999))]));
const CREATE_COUPON: &[Field] = &[
    opt("amount_off", ParamKind::Int(1, 99_999_999)),
    opt("applies_to", ParamKind::Map(&[opt("products", ParamKind::List(&ParamKind::Text))])),
    opt("currency", ParamKind::Currency),
    BY_CURRENCY,
    opt("duration", ParamKind::OneOf(&["forever", "once", "repeating"])),
    opt("duration_in_months", ParamKind::Int(1, 1_200)),
    opt("id", ParamKind::Text),
    opt("max_redemptions", ParamKind::Int(1, 1_000_000_000)),
    opt("metadata", ParamKind::Metadata),
    opt("name", ParamKind::Text),
    opt("percent_off", ParamKind::Decimal),
    opt("redeem_by", ParamKind::Time),
];
const RESTRICTIONS: ParamKind = ParamKind::Map(&[
    opt("first_time_transaction", ParamKind::Bool),
    opt("minimum_amount", AMOUNT),
    opt("minimum_amount_currency", ParamKind::Currency),
]);
const CREATE_CODE: &[Field] = &[
    opt("active", ParamKind::Bool),
    opt("code", ParamKind::Text),
    opt("coupon", ParamKind::Text),
    opt("customer", ParamKind::Text),
    opt("expires_at", ParamKind::Time),
    opt("max_redemptions", ParamKind::Int(1, 1_000_000_000)),
    opt("metadata", ParamKind::Metadata),
    opt("promotion", ParamKind::Map(&[req("type", ParamKind::OneOf(&["coupon"])), opt("coupon", ParamKind::Text)])),
    opt("restrictions", RESTRICTIONS),
];

/// The endpoints.
pub const ROUTES: &[Route] = &[
    route("POST", "/v1/coupons", CREATE_COUPON, create_coupon),
    route("GET", "/v1/coupons", &[LIMIT, AFTER, BEFORE, CREATED], |st, _, args| {
        listing::list(st, "coupon", "/v1/coupons", args, &[])
    }),
    route("GET", "/v1/coupons/{}", &[], |st, ids, _| Ok(st.load("coupon", ids[0], "id")?.value())),
    route(
        "POST",
        "/v1/coupons/{}",
        &[BY_CURRENCY, opt("metadata", ParamKind::Metadata), opt("name", ParamKind::Text)],
        |st, ids, args| {
            let coupon = st.load("coupon", ids[0], "id")?;
            let metadata = merge_metadata(coupon.get("metadata"), args)?;
            let options = in_other_currencies(&coupon, args)?;
            let changed = st.change_and_emit(&coupon.key(), "coupon.updated", |c| {
                c.set("metadata", metadata);
                if let Some(options) = options {
                    c.set("currency_options", options);
                }
                if args.has("name") {
                    c.set("name", args.value("name"));
                }
            });
            Ok(changed.value())
        },
    ),
    route("DELETE", "/v1/coupons/{}", &[], |st, ids, _| {
        let coupon = st.load("coupon", ids[0], "id")?;
        st.emit("coupon.deleted", &coupon);
        st.remove(&coupon.key());
        Ok(json!({ "id": ids[0], "object": "coupon", "deleted": true }))
    }),
    route("POST", "/v1/promotion_codes", CREATE_CODE, create_code),
    route(
        "GET",
        "/v1/promotion_codes",
        &[
            LIMIT,
            AFTER,
            BEFORE,
            CREATED,
            opt("active", ParamKind::Bool),
            opt("code", ParamKind::Text),
            opt("coupon", ParamKind::Text),
            opt("customer", ParamKind::Text),
        ],
        |st, _, args| {
            let fits = |code: &std::sync::Arc<Object>| {
                listing::in_created(args, code.int("created"))
                    && ["active", "customer"].iter().all(|m| args.given(m).is_none_or(|v| code.get(m) == v))
                    && args.text("code").is_none_or(|wanted| code.text("code").eq_ignore_ascii_case(wanted))
                    && args.given("coupon").is_none_or(|coupon| code.at("promotion.coupon") == coupon)
            };
            listing::page(args, "/v1/promotion_codes", st.newest("promotion_code", None).filter(fits))
        },
    ),
    route("GET", "/v1/promotion_codes/{}", &[], |st, ids, _| Ok(st.load("promotion_code", ids[0], "id")?.value())),
    route(
        "POST",
        "/v1/promotion_codes/{}",
        &[opt("active", ParamKind::Bool), opt("metadata", ParamKind::Metadata)],
        |st, ids, args| {
            let code = st.load("promotion_code", ids[0], "id")?;
            let metadata = merge_metadata(code.get("metadata"), args)?;
            if args.flag("active") == Some(true) {
                check_free(st, code.text("code"), Some(ids[0]))?;
            }
            let changed = st.change_and_emit(ids[0], "promotion_code.updated", |c| {
                c.set("metadata", metadata);
                if let Some(active) = args.flag("active") {
                    c.set("active", active);
                }
            });
            Ok(changed.value())
        },
    ),
];

/// The smallest step of a percentage: Stripe accepts two decimal places.
const PERCENT_STEP: i128 = 10_000_000_000;

/// Whether a text is a percentage above 0 and at most 100, with no more than two decimal places.
fn is_percentage(text: &str) -> bool {
    money::parse_percentage(text, PERCENT_STEP).is_some_and(|percent| percent > 0)
}

fn create_coupon(st: &mut State, _: &[&str], args: &Args) -> Result<Value, ApiError> {
    let duration = args.text("duration").unwrap_or("once");
    if (duration == "repeating") != args.has("duration_in_months") {
        let message = "duration_in_months must be given if and only if duration is repeating.";
        return Err(ApiError::invalid(message).about("duration_in_months"));
    }
    let id = match args.text("id") {
        Some(own) if st.seek(&key("coupon", own)).is_some() => {
            return Err(ApiError::coded("resource_already_exists", "Coupon already exists.").about("id"));
        }
        Some(own) => {
            catalog::check_own_id(own)?;
            own.to_owned()
        }
        None => st.new_characters(8),
    };
    let now = st.clock_s();
    let mut coupon = model::discount::coupon(id, now, duration);
    match (args.text("percent_off"), args.int("amount_off")) {
        (Some(text), None) => {
            if !is_percentage(text) {
                let message = "percent_off must be above 0 and at most 100, with two decimals at most.";
                return Err(ApiError::invalid(message).about("percent_off"));
            }
            coupon.set("percent_off", serde_json::from_str::<Value>(text).unwrap_or_default());
        }
        (None, Some(amount)) => {
            let currency = args.text("currency").ok_or_else(|| ApiError::missing("currency"))?;
            coupon.set("amount_off", amount);
            coupon.set("currency", currency);
        }
        _ => {
            let message = "Exactly one of these parameters must be given: percent_off, amount_off.";
            return Err(ApiError::invalid(message).about("percent_off"));
        }
    }
    if let Some(options) = in_other_currencies(&coupon, args)? {
        coupon.set("currency_options", options);
    }
    for member in ["duration_in_months", "max_redemptions", "name", "redeem_by"] {
        if args.has(member) {
            coupon.set(member, args.value(member));
        }
    }
    let products = args.map("applies_to").list("products");
    for product in products.iter().filter_map(Value::as_str) {
        st.load("product", product, "applies_to[products]")?;
    }
    if !products.is_empty() {
        coupon.set("applies_to", json!({ "products": products }));
    }
    coupon.set("metadata", merge_metadata(&json!({}), args)?);
    coupon.set("valid", is_valid(&coupon, now));
    let coupon = st.put(coupon);
    st.emit("coupon.created", &coupon);
    Ok(coupon.value())
}

/// Returns the amounts of a coupon in other currencies, with those of a request; `None` if the request has none.
fn in_other_currencies(coupon: &Object, args: &Args) -> Result<Option<Map<String, Value>>, ApiError> {
    let given = args.map("currency_options").into_members();
    if given.is_empty() {
        return Ok(None);
    }
    if coupon.get("amount_off").is_null() {
        let message = "`currency_options` is for coupons with `amount_off` only.";
        return Err(ApiError::invalid(message).about("currency_options"));
    }
    if let Some(own) = given.keys().find(|currency| *currency == coupon.text("currency")) {
        let message = "`currency_options` must not contain the coupon's own currency.";
        return Err(ApiError::invalid(message).about(&format!("currency_options[{own}]")));
    }
    let mut options = coupon.get("currency_options").as_object().cloned().unwrap_or_default();
    for (currency, option) in given {
        options.insert(currency, json!({ "amount_off": Args::of(option).int("amount_off") }));
    }
    Ok(Some(options))
}

/// Checks that no other active promotion code has this code.
fn check_free(st: &State, code: &str, own: Option<&str>) -> Result<(), ApiError> {
    let is_taken = |other: std::sync::Arc<Object>| {
        other.is("active") && Some(other.id()) != own && other.text("code").eq_ignore_ascii_case(code)
    };
    if st.newest("promotion_code", None).any(is_taken) {
        let message = format!("An active promotion code with `code: {code}` already exists.");
        return Err(ApiError::invalid(message).about("code"));
    }
    Ok(())
}

fn create_code(st: &mut State, _: &[&str], args: &Args) -> Result<Value, ApiError> {
    let (param, coupon) = match (args.map("promotion").text("coupon"), args.text("coupon")) {
        (Some(coupon), None) => ("promotion[coupon]", coupon.to_owned()),
        (None, Some(coupon)) => ("coupon", coupon.to_owned()),
        _ => return Err(ApiError::missing("promotion[coupon]")),
    };
    let coupon = st.load("coupon", &coupon, param)?;
    let code = match args.text("code") {
        Some(code) if code.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') => code.to_owned(),
        Some(_) => return Err(ApiError::invalid("A code has letters, digits and dashes only.").about("code")),
        None => st.new_characters(8).to_uppercase(),
    };
    check_free(st, &code, None)?;
    if let Some(customer) = args.text("customer") {
        st.load("customer", customer, "customer")?;
    }
    let restrictions = args.map("restrictions");
    if restrictions.has("minimum_amount") != restrictions.has("minimum_amount_currency") {
        return Err(ApiError::missing("restrictions[minimum_amount_currency]"));
    }
    let id = st.new_id("promo");
    let mut made = model::discount::promotion_code(id, st.clock_s(), &code, &coupon);
    for member in ["customer", "expires_at", "max_redemptions"] {
        if args.has(member) {
            made.set(member, args.value(member));
        }
    }
    for member in ["first_time_transaction", "minimum_amount", "minimum_amount_currency"] {
        if let Some(given) = restrictions.given(member) {
            made.set_at(&format!("restrictions.{member}"), given.clone());
        }
    }
    if let Some(active) = args.flag("active") {
        made.set("active", active);
    }
    made.set("metadata", merge_metadata(&json!({}), args)?);
    let made = st.put(made);
    st.emit("promotion_code.created", &made);
    Ok(made.value())
}
