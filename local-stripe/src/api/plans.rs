//! The endpoints for plans, the legacy form of recurring prices.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::api::catalog::{self, PRODUCT_FIELDS};
use crate::api::listing::{self, AFTER, BEFORE, CREATED, LIMIT};
use crate::api::{Route, route};
use crate::error::ApiError;
use crate::object::Object;
use crate::params::{AMOUNT, Args, Field, ParamKind, merge_metadata, opt, req};
use crate::plans;
use crate::pricing;
use crate::state::State;

const CREATE: &[Field] = &[
    req("currency", ParamKind::Currency),
    req("interval", ParamKind::OneOf(&["day", "week", "month", "year"])),
    opt("active", ParamKind::Bool),
    opt("amount", AMOUNT),
    opt("amount_decimal", ParamKind::Decimal),
    pricing::SCHEME,
    pricing::TIERS_OF_PRICE,
    pricing::TIERS_MODE,
    pricing::TRANSFORM_USAGE,
    opt("id", ParamKind::Text),
    opt("interval_count", ParamKind::Int(1, 1_095)),
    opt("metadata", ParamKind::Metadata),
    opt("nickname", ParamKind::Text),
    opt("product", ParamKind::IdOr(PRODUCT_FIELDS)),
    opt("trial_period_days", ParamKind::Int(0, 730)),
    opt("usage_type", ParamKind::OneOf(&["licensed"])),
];
const UPDATE: &[Field] = &[
    opt("active", ParamKind::Bool),
    opt("metadata", ParamKind::Metadata),
    opt("nickname", ParamKind::Text),
    opt("product", ParamKind::Text),
    opt("trial_period_days", ParamKind::Int(0, 730)),
];

/// The endpoints.
pub const ROUTES: &[Route] = &[
    route("POST", "/v1/plans", CREATE, create),
    route(
        "GET",
        "/v1/plans",
        &[LIMIT, AFTER, BEFORE, CREATED, opt("active", ParamKind::Bool), opt("product", ParamKind::Text)],
        |st, _, args| {
            let same = |p: &Object, member: &str| args.given(member).is_none_or(|v| p.get(member) == v);
            let fits = |p: &Arc<Object>| {
                p.text("type") == "recurring"
                    && listing::in_created(args, p.int("created"))
                    && ["active", "product"].iter().all(|m| same(p, m))
            };
            let shown = |p: &Arc<Object>| plans::of(p).unwrap_or_default().value();
            listing::page_of(args, "/v1/plans", st.newest("price", None).filter(fits), |p| p.id(), shown)
        },
    ),
    route("GET", "/v1/plans/{}", &[], |st, ids, _| Ok(load(st, ids[0])?.1.value())),
    route("POST", "/v1/plans/{}", UPDATE, update),
    route("DELETE", "/v1/plans/{}", &[], |st, ids, _| {
        let (price, _) = load(st, ids[0])?;
        plans::emit_event(st, "deleted", &price);
        // Existing subscriptions hold a copy of their price, so they are not affected.
        st.remove(ids[0]);
        Ok(json!({ "id": ids[0], "object": "plan", "deleted": true }))
    }),
];

/// Loads a recurring price and its representation as a plan.
fn load(st: &State, id: &str) -> Result<(Arc<Object>, Object), ApiError> {
    let missing = || ApiError::no_such("plan", id, "id");
    let price = st.load("price", id, "id").map_err(|_| missing())?;
    let plan = plans::of(&price).ok_or_else(missing)?;
    Ok((price, plan))
}

fn create(st: &mut State, _: &[&str], args: &Args) -> Result<Value, ApiError> {
    let id = match args.text("id") {
        Some(own) => {
            catalog::check_own_id(own)?;
            if st.seek(own).is_some() {
                return Err(ApiError::coded("resource_already_exists", "Plan already exists.").about("id"));
            }
            own.to_owned()
        }
        None => st.new_id("plan"),
    };
    let is_tiered = args.text("billing_scheme") == Some("tiered");
    if !is_tiered && args.given("amount").is_none() && args.given("amount_decimal").is_none() {
        return Err(ApiError::missing("amount"));
    }
    let mut price = Args::default();
    for (theirs, ours) in [
        ("amount", "unit_amount"),
        ("amount_decimal", "unit_amount_decimal"),
        ("transform_usage", "transform_quantity"),
    ] {
        if let Some(given) = args.given(theirs) {
            price.put(ours, given.clone());
        }
    }
    for member in ["active", "billing_scheme", "currency", "metadata", "nickname", "tiers", "tiers_mode"] {
        if let Some(given) = args.given(member) {
            price.put(member, given.clone());
        }
    }
    let product = args.given("product").ok_or_else(|| ApiError::missing("product"))?;
    price.put(if product.is_object() { "product_data" } else { "product" }, product.clone());
    let recurring = ["interval", "interval_count", "trial_period_days"];
    let recurring = recurring.iter().filter_map(|m| args.given(m).map(|v| ((*m).to_owned(), v.clone())));
    price.put("recurring", Value::Object(recurring.collect()));
    catalog::make_price(st, id.clone(), &price)?;
    Ok(load(st, &id)?.1.value())
}

fn update(st: &mut State, ids: &[&str], args: &Args) -> Result<Value, ApiError> {
    let (price, _) = load(st, ids[0])?;
    let metadata = merge_metadata(price.get("metadata"), args)?;
    if let Some(product) = args.text("product") {
        st.load("product", product, "product")?;
    }
    let changed = plans::change(st, ids[0], |p| {
        for member in ["active", "product"] {
            if let Some(given) = args.given(member) {
                p.set(member, given.clone());
            }
        }
        if args.has("nickname") {
            p.set("nickname", args.value("nickname"));
        }
        if args.has("trial_period_days") {
            p.set_at("recurring.trial_period_days", args.value("trial_period_days"));
        }
        p.set("metadata", metadata);
    });
    Ok(plans::of(&changed).unwrap_or_default().value())
}
