//! The seven search endpoints.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::api::listing::LIMIT;
use crate::api::{Route, route};
use crate::error::ApiError;
use crate::object::Object;
use crate::params::{Args, Field, ParamKind, opt, req};
use crate::search::FieldType::{Number, Text, Token};
use crate::search::{Fields, Query};
use crate::state::State;

const FIELDS: &[Field] = &[req("query", ParamKind::Text), LIMIT, opt("page", ParamKind::Text)];

const CHARGE: Fields = &[
    ("amount", Number),
    ("billing_details.address.postal_code", Token),
    ("created", Number),
    ("currency", Token),
    ("customer", Token),
    ("disputed", Token),
    ("payment_method_details.card.brand", Token),
    ("payment_method_details.card.exp_month", Number),
    ("payment_method_details.card.exp_year", Number),
    ("payment_method_details.card.fingerprint", Token),
    ("payment_method_details.card.last4", Token),
    ("refunded", Token),
    ("status", Token),
];
const CUSTOMER: Fields = &[("created", Number), ("email", Text), ("name", Text), ("phone", Text)];
const INVOICE: Fields = &[
    ("created", Number),
    ("currency", Token),
    ("customer", Token),
    ("number", Token),
    ("receipt_number", Token),
    ("status", Token),
    ("subscription", Token),
    ("total", Number),
];
const PAYMENT_INTENT: Fields =
    &[("amount", Number), ("created", Number), ("currency", Token), ("customer", Token), ("status", Token)];
const PRICE: Fields =
    &[("active", Token), ("currency", Token), ("lookup_key", Token), ("product", Token), ("type", Token)];
const PRODUCT: Fields =
    &[("active", Token), ("description", Text), ("name", Text), ("shippable", Token), ("url", Text)];
const SUBSCRIPTION: Fields = &[("canceled_at", Number), ("created", Number), ("status", Token)];

/// The endpoints.
pub const ROUTES: &[Route] = &[
    route("GET", "/v1/charges/search", FIELDS, |st, _, args| search(st, "charge", "charges", CHARGE, args)),
    route("GET", "/v1/customers/search", FIELDS, |st, _, args| search(st, "customer", "customers", CUSTOMER, args)),
    route("GET", "/v1/invoices/search", FIELDS, |st, _, args| search(st, "invoice", "invoices", INVOICE, args)),
    route("GET", "/v1/payment_intents/search", FIELDS, |st, _, args| {
        search(st, "payment_intent", "payment_intents", PAYMENT_INTENT, args)
    }),
    route("GET", "/v1/prices/search", FIELDS, |st, _, args| search(st, "price", "prices", PRICE, args)),
    route("GET", "/v1/products/search", FIELDS, |st, _, args| search(st, "product", "products", PRODUCT, args)),
    route("GET", "/v1/subscriptions/search", FIELDS, |st, _, args| {
        search(st, "subscription", "subscriptions", SUBSCRIPTION, args)
    }),
];

/// Returns a page of the objects that match a query, newest first. The parameter `page` is the id of the last object on
/// the previous page.
fn search(st: &State, kind: &str, noun: &str, fields: Fields, args: &Args) -> Result<Value, ApiError> {
    let query = Query::read(args.text("query").unwrap_or_default(), fields)
        .map_err(|words| ApiError::invalid(words).about("query"))?;
    let limit = usize::try_from(args.int("limit").unwrap_or(10)).unwrap_or(10);
    let found: Vec<Arc<Object>> = st.newest(kind, None).filter(|o| query.fits(&searchable(o))).collect();
    let start = match args.text("page") {
        None => 0,
        Some(page) => found.iter().position(|o| o.id() == page).map(|at| at + 1).ok_or_else(|| {
            ApiError::invalid("Invalid page: it is the `next_page` of an answer to the same query.").about("page")
        })?,
    };
    let data: Vec<Value> = found.iter().skip(start).take(limit).map(|o| o.value()).collect();
    let has_more = start + data.len() < found.len();
    let next_page = data.last().filter(|_| has_more).map_or(Value::Null, |last| last["id"].clone());
    Ok(json!({
        "object": "search_result",
        "url": format!("/v1/{noun}/search"),
        "has_more": has_more,
        "data": data,
        "next_page": next_page,
        "total_count": found.len(),
    }))
}

/// Returns a copy of an object with members added under the names that queries use.
fn searchable(object: &Object) -> Object {
    let mut shown = object.clone();
    if object.kind() == "invoice" {
        shown.set("subscription", object.at("parent.subscription_details.subscription").clone());
    }
    shown
}
