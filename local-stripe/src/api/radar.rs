//! The endpoints for Radar: early fraud warnings, reviews, and value lists with their items.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::api::listing::{self, AFTER, BEFORE, CREATED, LIMIT};
use crate::api::{Route, route};
use crate::error::ApiError;
use crate::object::{Object, list};
use crate::params::{Args, Field, ParamKind, merge_metadata, opt, req};
use crate::payments::radar;
use crate::shapes::EMBEDDED_MAX;
use crate::state::State;

/// The maximum number of value lists, and of items in one list, which is Stripe's limit for items.
const LISTS_MAX: usize = 1_000;
const ITEMS_MAX: usize = 50_000;
/// The maximum lengths of a list's alias and name, and of a value, Stripe's limits.
const CHARS_MAX: [(&str, usize); 3] = [("alias", 100), ("name", 100), ("value", 800)];
const ITEM_TYPES: &[&str] = &[
    "account",
    "card_bin",
    "card_fingerprint",
    "case_sensitive_string",
    "country",
    "crypto_fingerprint",
    "customer_id",
    "email",
    "ip_address",
    "sepa_debit_fingerprint",
    "string",
    "us_bank_account_fingerprint",
];
const CREATE_LIST: &[Field] = &[
    req("alias", ParamKind::Text),
    req("name", ParamKind::Text),
    opt("item_type", ParamKind::OneOf(ITEM_TYPES)),
    opt("metadata", ParamKind::Metadata),
];
const UPDATE_LIST: &[Field] =
    &[opt("alias", ParamKind::Text), opt("name", ParamKind::Text), opt("metadata", ParamKind::Metadata)];
const LISTS: &str = "/v1/radar/value_lists";
const ITEMS: &str = "/v1/radar/value_list_items";

/// The endpoints.
pub const ROUTES: &[Route] = &[
    route(
        "GET",
        "/v1/radar/early_fraud_warnings",
        &[LIMIT, AFTER, BEFORE, CREATED, opt("charge", ParamKind::Text), opt("payment_intent", ParamKind::Text)],
        |st, _, args| {
            let url = "/v1/radar/early_fraud_warnings";
            listing::list(st, "radar.early_fraud_warning", url, args, &["charge", "payment_intent"])
        },
    ),
    route("GET", "/v1/radar/early_fraud_warnings/{}", &[], |st, ids, _| {
        Ok(st.load("radar.early_fraud_warning", ids[0], "id")?.value())
    }),
    route("GET", "/v1/reviews", &[LIMIT, AFTER, BEFORE, CREATED], |st, _, args| {
        let fits = |review: &Arc<Object>| review.is("open") && listing::in_created(args, review.int("created"));
        listing::page(args, "/v1/reviews", listing::newest(st, args, "review", None).filter(fits))
    }),
    route("GET", "/v1/reviews/{}", &[], |st, ids, _| Ok(st.load("review", ids[0], "id")?.value())),
    route("POST", "/v1/reviews/{}/approve", &[], |st, ids, _| radar::approve(st, ids[0])),
    route("POST", LISTS, CREATE_LIST, create_list),
    route(
        "GET",
        LISTS,
        &[LIMIT, AFTER, BEFORE, CREATED, opt("alias", ParamKind::Text), opt("contains", ParamKind::Text)],
        lists,
    ),
    route("GET", "/v1/radar/value_lists/{}", &[], |st, ids, _| {
        Ok(with_items(st, &*st.load("radar.value_list", ids[0], "id")?))
    }),
    route("POST", "/v1/radar/value_lists/{}", UPDATE_LIST, update_list),
    route("DELETE", "/v1/radar/value_lists/{}", &[], delete_list),
    route("POST", ITEMS, &[req("value", ParamKind::Text), req("value_list", ParamKind::Text)], create_item),
    route(
        "GET",
        ITEMS,
        &[
            LIMIT,
            AFTER,
            BEFORE,
            CREATED,
            req("value_list", ParamKind::Text),
            // A value in the list, or a part of one.
            opt("value", ParamKind::Text),
        ],
        |st, _, args| {
            let owner = args.text("value_list").unwrap_or_default();
            st.load("radar.value_list", owner, "value_list")?;
            let wanted = args.text("value").unwrap_or_default().to_lowercase();
            let fits = |item: &Arc<Object>| {
                item.text("value_list") == owner
                    && item.text("value").to_lowercase().contains(&wanted)
                    && listing::in_created(args, item.int("created"))
            };
            listing::page(args, ITEMS, listing::newest(st, args, "radar.value_list_item", None).filter(fits))
        },
    ),
    route("GET", "/v1/radar/value_list_items/{}", &[], |st, ids, _| {
        Ok(st.load("radar.value_list_item", ids[0], "id")?.value())
    }),
    route("DELETE", "/v1/radar/value_list_items/{}", &[], |st, ids, _| {
        st.load("radar.value_list_item", ids[0], "id")?;
        st.remove(ids[0]);
        Ok(json!({ "id": ids[0], "object": "radar.value_list_item", "deleted": true }))
    }),
];

/// Iterates over the items of a list, newest first.
fn items<'s>(st: &'s State, owner: &'s str) -> impl Iterator<Item = Arc<Object>> + 's {
    st.newest("radar.value_list_item", None).filter(move |item| item.text("value_list") == owner)
}

/// Returns a value list with its newest items.
fn with_items(st: &State, owner: &Object) -> Value {
    let mut found: Vec<Value> = items(st, owner.id()).take(EMBEDDED_MAX + 1).map(|item| item.value()).collect();
    let has_more = found.len() > EMBEDDED_MAX;
    found.truncate(EMBEDDED_MAX);
    let mut shown = owner.clone();
    shown.set("list_items", list(&format!("{ITEMS}?value_list={}", owner.id()), found));
    shown.set_at("list_items.has_more", has_more);
    shown.value()
}

/// Checks the lengths of a request's strings, and that no other list has its alias.
fn check(st: &State, args: &Args, own: &str) -> Result<(), ApiError> {
    for (name, most) in CHARS_MAX {
        if args.text(name).is_some_and(|text| text.chars().count() > most) {
            let message = format!("Invalid string: must be at most {most} characters");
            return Err(ApiError::coded("parameter_invalid_string", message).about(name));
        }
    }
    let Some(alias) = args.text("alias") else { return Ok(()) };
    if !alias.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        let message = "The alias can only contain alphanumeric characters and underscores.";
        return Err(ApiError::invalid(message).about("alias"));
    }
    match st.newest("radar.value_list", None).any(|other| other.text("alias") == alias && other.id() != own) {
        true => Err(ApiError::invalid(format!("There is a value list with the alias {alias} already.")).about("alias")),
        false => Ok(()),
    }
}

fn create_list(st: &mut State, _: &[&str], args: &Args) -> Result<Value, ApiError> {
    check(st, args, "")?;
    if st.count("radar.value_list") >= LISTS_MAX {
        return Err(ApiError::invalid(format!("There can be at most {LISTS_MAX} value lists.")));
    }
    let made = Object::of(json!({
        "id": st.new_id("rsl"),
        "object": "radar.value_list",
        "alias": args.value("alias"),
        "created": st.clock_s(),
        "created_by": "API",
        "item_type": args.text("item_type").unwrap_or("string"),
        "livemode": false,
        "metadata": merge_metadata(&json!({}), args)?,
        "name": args.value("name"),
    }));
    let made = st.put(made);
    Ok(with_items(st, &made))
}

fn lists(st: &mut State, _: &[&str], args: &Args) -> Result<Value, ApiError> {
    let fits = |owner: &Arc<Object>| {
        let contains = |value: &str| items(st, owner.id()).any(|item| item.text("value") == value);
        args.given("alias").is_none_or(|alias| owner.get("alias") == alias)
            && args.text("contains").is_none_or(contains)
            && listing::in_created(args, owner.int("created"))
    };
    let all = listing::newest(st, args, "radar.value_list", None).filter(fits);
    listing::page_of(args, LISTS, all, |owner| owner.id(), |owner| with_items(st, owner))
}

fn update_list(st: &mut State, ids: &[&str], args: &Args) -> Result<Value, ApiError> {
    let owner = st.load("radar.value_list", ids[0], "id")?;
    check(st, args, ids[0])?;
    let metadata = merge_metadata(owner.get("metadata"), args)?;
    let changed = st.change(ids[0], |owner| {
        for member in ["alias", "name"] {
            if let Some(given) = args.given(member) {
                owner.set(member, given.clone());
            }
        }
        owner.set("metadata", metadata);
    });
    Ok(with_items(st, &changed))
}

fn delete_list(st: &mut State, ids: &[&str], _: &Args) -> Result<Value, ApiError> {
    st.load("radar.value_list", ids[0], "id")?;
    let owned: Vec<String> = items(st, ids[0]).map(|item| item.id().to_owned()).collect();
    owned.iter().for_each(|item| st.remove(item));
    st.remove(ids[0]);
    Ok(json!({ "id": ids[0], "object": "radar.value_list", "deleted": true }))
}

fn create_item(st: &mut State, _: &[&str], args: &Args) -> Result<Value, ApiError> {
    check(st, args, "")?;
    let owner = st.load("radar.value_list", args.text("value_list").unwrap_or_default(), "value_list")?;
    let value = args.text("value").unwrap_or_default();
    let kind = owner.text("item_type");
    let is_valid = match kind {
        "card_bin" => matches!(value.len(), 6..=8) && value.bytes().all(|b| b.is_ascii_digit()),
        "country" => value.len() == 2 && value.bytes().all(|b| b.is_ascii_alphabetic()),
        "email" => value.split_once('@').is_some_and(|(name, host)| !name.is_empty() && host.contains('.')),
        "ip_address" => value.parse::<std::net::IpAddr>().is_ok(),
        _ => true,
    };
    if !is_valid {
        return Err(ApiError::invalid(format!("{value} is not a valid value for the item type {kind}.")).about("value"));
    }
    let (mut count, mut is_new) = (0, true);
    for item in items(st, owner.id()) {
        count += 1;
        is_new &= item.text("value") != value;
    }
    if !is_new {
        return Err(ApiError::invalid(format!("The value list contains {value} already.")).about("value"));
    }
    if count >= ITEMS_MAX {
        return Err(ApiError::invalid(format!("A value list can have at most {ITEMS_MAX} items.")).about("value_list"));
    }
    let made = Object::of(json!({
        "id": st.new_id("rsli"),
        "object": "radar.value_list_item",
        "created": st.clock_s(),
        "created_by": "API",
        "livemode": false,
        "value": value,
        "value_list": owner.id(),
    }));
    Ok(st.put(made).value())
}
