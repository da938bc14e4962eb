//! The endpoints for features, product features, and customers' active entitlements.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::api::listing::{self, AFTER, BEFORE, LIMIT};
use crate::api::{Route, route};
use crate::entitlements;
use crate::error::ApiError;
use crate::model;
use crate::object::Object;
use crate::params::{Args, Field, ParamKind, merge_metadata, opt, req};
use crate::state::State;

const CREATE: &[Field] =
    &[req("lookup_key", ParamKind::Text), req("name", ParamKind::Text), opt("metadata", ParamKind::Metadata)];
const UPDATE: &[Field] =
    &[opt("active", ParamKind::Bool), opt("name", ParamKind::Text), opt("metadata", ParamKind::Metadata)];
/// The limits of the lookup key and of the name, according to the reference.
const CHARS_MAX: usize = 80;

/// The endpoints.
pub const ROUTES: &[Route] = &[
    route("POST", "/v1/entitlements/features", CREATE, create),
    route(
        "GET",
        "/v1/entitlements/features",
        &[LIMIT, AFTER, BEFORE, opt("archived", ParamKind::Bool), opt("lookup_key", ParamKind::Text)],
        |st, _, args| {
            let archived = args.flag("archived").unwrap_or(false);
            let fits = |feature: &Arc<Object>| {
                feature.is("active") != archived
                    && args.given("lookup_key").is_none_or(|key| feature.get("lookup_key") == key)
            };
            let all = listing::newest(st, args, "entitlements.feature", None);
            listing::page(args, "/v1/entitlements/features", all.filter(fits))
        },
    ),
    route("GET", "/v1/entitlements/features/{}", &[], |st, ids, _| {
        Ok(st.load("entitlements.feature", ids[0], "id")?.value())
    }),
    route("POST", "/v1/entitlements/features/{}", UPDATE, update),
    route("POST", "/v1/products/{}/features", &[req("entitlement_feature", ParamKind::Text)], attach),
    route("GET", "/v1/products/{}/features", &[LIMIT, AFTER, BEFORE], |st, ids, args| {
        st.load("product", ids[0], "id")?;
        let of_product = |attached: &Arc<Object>| attached.as_product_feature().product == ids[0];
        let all = listing::newest(st, args, "product_feature", None);
        listing::page(args, &format!("/v1/products/{}/features", ids[0]), all.filter(of_product))
    }),
    route("GET", "/v1/products/{}/features/{}", &[], |st, ids, _| attached(st, ids).map(|attached| attached.value())),
    route("DELETE", "/v1/products/{}/features/{}", &[], |st, ids, _| {
        attached(st, ids)?;
        st.remove(ids[1]);
        entitlements::follow_product(st, ids[0]);
        Ok(json!({ "id": ids[1], "object": "product_feature", "deleted": true }))
    }),
    route(
        "GET",
        "/v1/entitlements/active_entitlements",
        &[LIMIT, AFTER, BEFORE, req("customer", ParamKind::Text)],
        |st, _, args| {
            let customer = args.text("customer").unwrap_or_default();
            st.load("customer", customer, "customer")?;
            listing::page(args, "/v1/entitlements/active_entitlements", entitlements::of(st, customer))
        },
    ),
    route("GET", "/v1/entitlements/active_entitlements/{}", &[], |st, ids, _| {
        Ok(st.load("entitlements.active_entitlement", ids[0], "id")?.value())
    }),
];

fn create(st: &mut State, _: &[&str], args: &Args) -> Result<Value, ApiError> {
    let (key, name) = (args.text("lookup_key").unwrap_or_default(), args.text("name").unwrap_or_default());
    for (member, text) in [("lookup_key", key), ("name", name)] {
        check_length(member, text)?;
    }
    if st.newest("entitlements.feature", None).any(|known| known.text("lookup_key") == key) {
        let message = format!("A feature with the lookup key `{key}` already exists.");
        return Err(ApiError::invalid(message).about("lookup_key"));
    }
    let id = st.new_id("feat");
    let mut feature = model::entitlements::feature(id, key, name);
    feature.set("metadata", merge_metadata(&json!({}), args)?);
    Ok(st.put(feature).value())
}

fn check_length(member: &str, text: &str) -> Result<(), ApiError> {
    if text.chars().count() <= CHARS_MAX {
        return Ok(());
    }
    let message = format!("Invalid string: must be at most {CHARS_MAX} characters");
    Err(ApiError::coded("parameter_invalid_string", message).about(member))
}

fn update(st: &mut State, ids: &[&str], args: &Args) -> Result<Value, ApiError> {
    let before = st.load("entitlements.feature", ids[0], "id")?;
    check_length("name", args.text("name").unwrap_or_default())?;
    let metadata = merge_metadata(before.get("metadata"), args)?;
    let changed = st.change(ids[0], |feature| {
        for member in ["active", "name"] {
            if let Some(given) = args.given(member) {
                feature.set(member, given.clone());
            }
        }
        feature.set("metadata", metadata);
    });
    let of_feature: Vec<Arc<Object>> =
        st.newest("product_feature", None).filter(|attached| attached.as_product_feature().feature == ids[0]).collect();
    for attached in of_feature {
        st.change(attached.id(), |attached| attached.set("entitlement_feature", changed.value()));
    }
    Ok(changed.value())
}

fn attach(st: &mut State, ids: &[&str], args: &Args) -> Result<Value, ApiError> {
    st.load("product", ids[0], "id")?;
    let wanted = args.text("entitlement_feature").unwrap_or_default();
    let feature = st.load("entitlements.feature", wanted, "entitlement_feature")?;
    if !feature.is("active") {
        let message = "The feature is archived, so it can't be attached to a product.";
        return Err(ApiError::invalid(message).about("entitlement_feature"));
    }
    let is_same = |known: Arc<Object>| {
        known.as_product_feature().product == ids[0] && known.as_product_feature().feature == wanted
    };
    if st.newest("product_feature", None).any(is_same) {
        let message = "The feature is already attached to this product.";
        return Err(ApiError::invalid(message).about("entitlement_feature"));
    }
    let id = st.new_id("prodft");
    let made = st.put(model::entitlements::product_feature(id, ids[0], &feature));
    entitlements::follow_product(st, ids[0]);
    Ok(made.value())
}

fn attached(st: &State, ids: &[&str]) -> Result<Arc<Object>, ApiError> {
    st.load("product", ids[0], "id")?;
    let attached = st.load("product_feature", ids[1], "id")?;
    match attached.as_product_feature().product == ids[0] {
        true => Ok(attached),
        false => Err(ApiError::no_such("product_feature", ids[1], "id")),
    }
}
