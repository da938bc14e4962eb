//! The endpoints for products and prices.

use serde_json::{Value, json};

use crate::api::listing::{self, AFTER, BEFORE, CREATED, LIMIT};
use crate::api::{Route, route};
use crate::billing::items;
use crate::descriptor;
use crate::error::ApiError;
use crate::model;
use crate::model::price::NewPrice;
use crate::object::{Object, key};
use crate::params::{AMOUNT, Args, Field, ParamKind, merge_metadata, opt, req};
use crate::plans;
use crate::pricing::{self, TAX_BEHAVIOR};
use crate::state::State;

const INTERVAL: ParamKind = ParamKind::OneOf(&["day", "week", "month", "year"]);
/// The parameter `recurring` of a price.
pub const RECURRING: ParamKind = ParamKind::Map(&[
    req("interval", INTERVAL),
    opt("interval_count", ParamKind::Int(1, 1_095)),
    opt("trial_period_days", ParamKind::Int(0, 730)),
    opt("meter", ParamKind::Text),
    opt("usage_type", ParamKind::OneOf(&["licensed", "metered"])),
]);
/// The parameter `product_data`: a new product in the request for a price or a plan.
pub const PRODUCT_DATA: ParamKind = ParamKind::Map(PRODUCT_FIELDS);
/// The members of `product_data`.
pub const PRODUCT_FIELDS: &[Field] = &[
    req("name", ParamKind::Text),
    opt("metadata", ParamKind::Metadata),
    opt("statement_descriptor", ParamKind::Text),
    opt("tax_code", ParamKind::Text),
    opt("unit_label", ParamKind::Text),
];
/// The parameter `product_data` of a sale.
pub(super) const PRODUCT_OF_SALE: ParamKind = ParamKind::Map(&[
    req("name", ParamKind::Text),
    opt("description", ParamKind::Text),
    opt("metadata", ParamKind::Metadata),
    opt("images", ParamKind::List(&ParamKind::Text)),
    opt("tax_code", ParamKind::Text),
    opt("unit_label", ParamKind::Text),
]);
/// The parameter `recurring` of a price in the request for another object.
const EVERY: ParamKind = ParamKind::Map(&[req("interval", INTERVAL), opt("interval_count", ParamKind::Int(1, 1_095))]);
/// A length in inches or a weight in ounces.
const MEASURE: ParamKind = ParamKind::Decimal;
const PACKAGE_DIMENSIONS: ParamKind =
    ParamKind::Map(&[req("height", MEASURE), req("length", MEASURE), req("weight", MEASURE), req("width", MEASURE)]);
/// The parameter `price_data` of a sale: a new price, optionally with a new product.
pub const PRICE_DATA: ParamKind = ParamKind::Map(&[
    req("currency", ParamKind::Currency),
    opt("product", ParamKind::Text),
    opt("product_data", PRODUCT_OF_SALE),
    opt("recurring", EVERY),
    opt("unit_amount", AMOUNT),
    opt("unit_amount_decimal", ParamKind::Decimal),
    opt("tax_behavior", TAX_BEHAVIOR),
]);
/// The parameter `price_data` of a subscription's item: a new price of a product.
pub const RECURRING_PRICE_DATA: ParamKind = ParamKind::Map(&[
    req("currency", ParamKind::Currency),
    req("product", ParamKind::Text),
    req("recurring", EVERY),
    opt("unit_amount", AMOUNT),
    opt("unit_amount_decimal", ParamKind::Decimal),
    opt("tax_behavior", TAX_BEHAVIOR),
]);
/// The parameter `price_data` of a quote's line: a new price of a product.
pub const QUOTED_PRICE_DATA: ParamKind = ParamKind::Map(&[
    req("currency", ParamKind::Currency),
    req("product", ParamKind::Text),
    opt("recurring", EVERY),
    opt("unit_amount", AMOUNT),
    opt("unit_amount_decimal", ParamKind::Decimal),
    opt("tax_behavior", TAX_BEHAVIOR),
]);
/// The parameter `price_data` of an invoice item: a new one-time price of a product.
pub const ONE_TIME_PRICE_DATA: ParamKind = ParamKind::Map(&[
    req("currency", ParamKind::Currency),
    req("product", ParamKind::Text),
    opt("unit_amount", AMOUNT),
    opt("unit_amount_decimal", ParamKind::Decimal),
    opt("tax_behavior", TAX_BEHAVIOR),
]);
const DEFAULT_PRICE_DATA: ParamKind = ParamKind::Map(&[
    req("currency", ParamKind::Currency),
    opt("recurring", EVERY),
    opt("unit_amount", AMOUNT),
    opt("unit_amount_decimal", ParamKind::Decimal),
    opt("tax_behavior", TAX_BEHAVIOR),
]);

macro_rules! product_fields {
    ($($more:expr),*) => {
        &[
            opt("active", ParamKind::Bool),
            opt("description", ParamKind::Text),
            opt("images", ParamKind::List(&ParamKind::Text)),
            opt("marketing_features", ParamKind::List(&ParamKind::Map(&[req("name", ParamKind::Text)]))),
            opt("metadata", ParamKind::Metadata),
            opt("shippable", ParamKind::Bool),
            opt("statement_descriptor", ParamKind::Text),
            opt("tax_code", ParamKind::Text),
            opt("unit_label", ParamKind::Text),
            opt("url", ParamKind::Text),
            opt("package_dimensions", PACKAGE_DIMENSIONS),
            $($more),*
        ]
    };
}

const CREATE_PRODUCT: &[Field] = product_fields![
    req("name", ParamKind::Text),
    opt("id", ParamKind::Text),
    opt("type", ParamKind::OneOf(&["good", "service"])),
    opt("default_price_data", DEFAULT_PRICE_DATA)
];
const UPDATE_PRODUCT: &[Field] = product_fields![opt("name", ParamKind::Text), opt("default_price", ParamKind::Text)];
const CREATE_PRICE: &[Field] = &[
    req("currency", ParamKind::Currency),
    opt("active", ParamKind::Bool),
    pricing::SCHEME,
    pricing::BY_CURRENCY,
    pricing::TIERS_OF_PRICE,
    pricing::TIERS_MODE,
    pricing::TRANSFORM_QUANTITY,
    opt("lookup_key", ParamKind::Text),
    opt("metadata", ParamKind::Metadata),
    opt("nickname", ParamKind::Text),
    opt("product", ParamKind::Text),
    opt("product_data", PRODUCT_DATA),
    opt("recurring", RECURRING),
    opt("tax_behavior", TAX_BEHAVIOR),
    opt("transfer_lookup_key", ParamKind::Bool),
    opt("unit_amount", AMOUNT),
    opt("unit_amount_decimal", ParamKind::Decimal),
];
const UPDATE_PRICE: &[Field] = &[
    opt("active", ParamKind::Bool),
    pricing::BY_CURRENCY,
    opt("lookup_key", ParamKind::Text),
    opt("metadata", ParamKind::Metadata),
    opt("nickname", ParamKind::Text),
    opt("tax_behavior", TAX_BEHAVIOR),
    opt("transfer_lookup_key", ParamKind::Bool),
];

/// The endpoints.
pub const ROUTES: &[Route] = &[
    route("POST", "/v1/products", CREATE_PRODUCT, create_product),
    route(
        "GET",
        "/v1/products",
        &[
            LIMIT,
            AFTER,
            BEFORE,
            CREATED,
            opt("active", ParamKind::Bool),
            opt("ids", ParamKind::List(&ParamKind::Text)),
            opt("shippable", ParamKind::Bool),
            opt("url", ParamKind::Text),
        ],
        |st, _, args| {
            let ids = args.list("ids");
            let fits = |p: &std::sync::Arc<Object>| {
                listing::in_created(args, p.int("created"))
                    && ["active", "shippable", "url"].iter().all(|m| args.given(m).is_none_or(|v| p.get(m) == v))
                    && (ids.is_empty() || ids.contains(p.get("id")))
            };
            listing::page(args, "/v1/products", listing::newest(st, args, "product", None).filter(fits))
        },
    ),
    route("GET", "/v1/products/{}", &[], |st, ids, _| Ok(st.load("product", ids[0], "id")?.value())),
    route("POST", "/v1/products/{}", UPDATE_PRODUCT, update_product),
    route("DELETE", "/v1/products/{}", &[], delete_product),
    route("POST", "/v1/prices", CREATE_PRICE, create_price),
    route("POST", "/_sandbox/prices/{}", CREATE_PRICE, |st, ids, args| named_price(st, ids[0], args)),
    route(
        "GET",
        "/v1/prices",
        &[
            LIMIT,
            AFTER,
            BEFORE,
            CREATED,
            opt("active", ParamKind::Bool),
            opt("currency", ParamKind::Currency),
            opt("lookup_keys", ParamKind::List(&ParamKind::Text)),
            opt("product", ParamKind::Text),
            opt("type", ParamKind::OneOf(&["one_time", "recurring"])),
            opt(
                "recurring",
                ParamKind::Map(&[
                    opt("interval", INTERVAL),
                    opt("usage_type", ParamKind::OneOf(&["licensed", "metered"])),
                ]),
            ),
        ],
        |st, _, args| {
            let (keys, recurs) = (args.list("lookup_keys"), args.map("recurring"));
            let same = |p: &Object, member: &str| args.given(member).is_none_or(|v| p.get(member) == v);
            let fits = |p: &std::sync::Arc<Object>| {
                listing::in_created(args, p.int("created"))
                    && ["active", "currency", "product", "type"].iter().all(|m| same(p, m))
                    && ["interval", "usage_type"]
                        .iter()
                        .all(|m| recurs.given(m).is_none_or(|v| p.at("recurring").get(m) == Some(v)))
                    && (keys.is_empty() || keys.contains(p.get("lookup_key")))
            };
            listing::page(args, "/v1/prices", listing::newest(st, args, "price", None).filter(fits))
        },
    ),
    route("GET", "/v1/prices/{}", &[], |st, ids, _| Ok(st.load("price", ids[0], "id")?.value())),
    route("POST", "/v1/prices/{}", UPDATE_PRICE, update_price),
];

/// The maximum length of an id chosen by the caller.
const OWN_ID_CHARS_MAX: usize = 64;

/// Checks an id chosen by the caller.
///
/// # Errors
/// The id is too long or has characters other than ASCII letters, digits, `_` and `-`.
pub fn check_own_id(own: &str) -> Result<(), ApiError> {
    if own.len() <= OWN_ID_CHARS_MAX && own.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b)) {
        return Ok(());
    }
    Err(ApiError::invalid("Invalid id: letters, digits, - and _ only, at most 64.").about("id"))
}

fn create_product(st: &mut State, _: &[&str], args: &Args) -> Result<Value, ApiError> {
    let id = match args.text("id") {
        Some(own) => {
            check_own_id(own)?;
            if st.seek(&key("product", own)).is_some() {
                return Err(ApiError::coded("resource_already_exists", "Product already exists.").about("id"));
            }
            own.to_owned()
        }
        None => st.new_id("prod"),
    };
    let mut product = model::catalog::product(id.clone(), st.clock_s(), args.text("name").unwrap_or_default());
    apply_product(&mut product, args)?;
    if let Some(kind) = args.text("type") {
        product.set("type", kind);
    }
    let product = st.put(product);
    st.emit("product.created", &product);
    if args.given("default_price_data").is_some() {
        let mut data = args.map("default_price_data");
        data.put("product", json!(id));
        let price = items::from_data(st, &data, "default_price_data")?;
        st.change(&product.key(), |p| p.set("default_price", price.id()));
    }
    Ok(st.find(&product.key())?.value())
}

fn apply_product(product: &mut Object, args: &Args) -> Result<(), ApiError> {
    descriptor::check(args, "")?;
    for member in ["active", "name"] {
        if let Some(given) = args.given(member) {
            product.set(member, given.clone());
        }
    }
    for member in ["description", "shippable", "statement_descriptor", "tax_code", "unit_label", "url"] {
        if args.has(member) {
            product.set(member, args.value(member));
        }
    }
    for member in ["images", "marketing_features"] {
        if args.has(member) {
            product.set(member, args.list(member));
        }
    }
    if args.has("package_dimensions") {
        let given = args.map("package_dimensions");
        let number = |member: &str| given.text(member).and_then(|text| text.parse::<f64>().ok());
        let all = ["height", "length", "weight", "width"].map(|member| (member.to_owned(), json!(number(member))));
        let is_given = args.given("package_dimensions").is_some();
        product.set("package_dimensions", if is_given { all.into_iter().collect() } else { Value::Null });
    }
    product.set("metadata", merge_metadata(product.get("metadata"), args)?);
    Ok(())
}

fn update_product(st: &mut State, ids: &[&str], args: &Args) -> Result<Value, ApiError> {
    let mut next = Object::clone(&*st.load("product", ids[0], "id")?);
    apply_product(&mut next, args)?;
    if args.has("default_price") {
        if let Some(price) = args.text("default_price") {
            st.load("price", price, "default_price")?;
        }
        next.set("default_price", args.value("default_price"));
    }
    next.set("updated", st.clock_s());
    Ok(st.change_and_emit(&key("product", ids[0]), "product.updated", |p| *p = next).value())
}

fn delete_product(st: &mut State, ids: &[&str], _: &Args) -> Result<Value, ApiError> {
    let product = st.load("product", ids[0], "id")?;
    if st.newest("price", None).any(|p| p.text("product") == ids[0]) {
        let message = "This product cannot be deleted because it has one or more user-created prices.";
        return Err(ApiError::invalid(message));
    }
    st.emit("product.deleted", &product);
    st.remove(&product.key());
    Ok(json!({ "id": ids[0], "object": "product", "deleted": true }))
}

fn create_price(st: &mut State, _: &[&str], args: &Args) -> Result<Value, ApiError> {
    let id = st.new_id("price");
    make_price(st, id, args).map(|p| p.value())
}

/// Creates a price with an id chosen by the caller, for applications that refer to prices by their ids. Stripe has no
/// such endpoint.
fn named_price(st: &mut State, id: &str, args: &Args) -> Result<Value, ApiError> {
    check_own_id(id)?;
    if st.seek(id).is_some() {
        return Err(ApiError::coded("resource_already_exists", "Price already exists.").about("id"));
    }
    make_price(st, id.to_owned(), args).map(|price| price.value())
}

/// Creates a price with this id, and also a product if the parameters contain `product_data` instead of `product`.
///
/// # Errors
/// The product is missing or unknown, the lookup key is taken, or another parameter is invalid.
pub fn make_price(st: &mut State, id: String, args: &Args) -> Result<Object, ApiError> {
    if args.given("product").is_none() && args.given("product_data").is_none() {
        return Err(ApiError::missing("product"));
    }
    let lookup = take_lookup_key(st, args)?;
    let product = match args.text("product") {
        Some(id) => st.load("product", id, "product")?.id().to_owned(),
        None => {
            let data = args.map("product_data");
            let id = st.new_id("prod");
            let mut product = model::catalog::product(id.clone(), st.clock_s(), data.text("name").unwrap_or_default());
            apply_product(&mut product, &data)?;
            let product = st.put(product);
            st.emit("product.created", &product);
            id
        }
    };
    let recurring = args.map("recurring");
    let unit_amount_decimal = pricing::unit_amount(args, "")?;
    let mut price = model::price::price(NewPrice {
        id,
        created_s: st.clock_s(),
        currency: args.text("currency").unwrap_or_default(),
        product: &product,
        unit_amount_decimal,
        recurring: recurring.text("interval").map(|i| (i, recurring.int("interval_count").unwrap_or(1))),
        trial_period_days: recurring.value("trial_period_days"),
        meter: items::meter(st, &recurring, "recurring")?,
    });
    price.set("lookup_key", lookup);
    pricing::apply(&mut price, args)?;
    apply_price(&mut price, args)?;
    let price = st.put(price);
    plans::emit_event(st, "created", &price);
    Ok(Object::clone(&price))
}

fn take_lookup_key(st: &mut State, args: &Args) -> Result<Value, ApiError> {
    let Some(key) = args.given("lookup_key").cloned() else {
        return Ok(Value::Null);
    };
    let holder = st.newest("price", None).find(|p| p.get("lookup_key") == &key).map(|p| p.id().to_owned());
    match holder {
        None => Ok(key),
        Some(holder) if args.flag("transfer_lookup_key") == Some(true) => {
            plans::change(st, &holder, |p| p.set("lookup_key", Value::Null));
            Ok(key)
        }
        Some(_) => {
            let message = format!("A price (`{}`) already uses that lookup key.", key.as_str().unwrap_or_default());
            Err(ApiError::invalid(message).about("lookup_key"))
        }
    }
}

fn apply_price(price: &mut Object, args: &Args) -> Result<(), ApiError> {
    for member in ["active", "tax_behavior"] {
        if let Some(given) = args.given(member) {
            price.set(member, given.clone());
        }
    }
    if args.has("nickname") {
        price.set("nickname", args.value("nickname"));
    }
    price.set("metadata", merge_metadata(price.get("metadata"), args)?);
    Ok(())
}

fn update_price(st: &mut State, ids: &[&str], args: &Args) -> Result<Value, ApiError> {
    let mut next = Object::clone(&*st.load("price", ids[0], "id")?);
    let (before, wanted) = (next.text("tax_behavior"), args.text("tax_behavior"));
    if before != "unspecified" && wanted.is_some_and(|wanted| wanted != before) {
        // Stripe's reference: "Once specified as either `inclusive` or `exclusive`, it cannot be changed."
        let message = format!("The tax behavior of this price is `{before}`, which cannot be changed.");
        return Err(ApiError::invalid(message).about("tax_behavior"));
    }
    if args.has("lookup_key") {
        next.set("lookup_key", take_lookup_key(st, args)?);
    }
    pricing::add_currencies(&mut next, args)?;
    apply_price(&mut next, args)?;
    Ok(plans::change(st, ids[0], |p| *p = next).value())
}
