//! The endpoints for subscriptions and subscription items.

use serde_json::{Value, json};

use crate::api::catalog::{ONE_TIME_PRICE_DATA, RECURRING_PRICE_DATA};
use crate::api::customers::METHOD_TYPE;
use crate::api::listing::{self, AFTER, BEFORE, CREATED, LIMIT, TIMES};
use crate::api::method_options::OF_SUBSCRIPTION;
use crate::api::{Route, legacy, route};
use crate::billing::changes::{change, create, end};
use crate::billing::invoicing::invoice_settings;
use crate::billing::tax::RATES;
use crate::billing::{items, period};
use crate::connect::division::{FEE_PERCENT, ON_BEHALF_OF, TRANSFER_PERCENT};
use crate::discount::redeem::DISCOUNTS;
use crate::error::ApiError;
use crate::object::Object;
use crate::params::{AMOUNT, Args, Field, ParamKind, QUANTITY, off, opt, req};
use crate::payments::method::Presence;
use crate::state::State;
use crate::tax::automatic::AUTOMATIC_TAX;

/// The parameter `trial_settings`: what happens if a trial ends without a payment method.
pub const TRIAL_SETTINGS: ParamKind = ParamKind::Map(&[req(
    "end_behavior",
    ParamKind::Map(&[req("missing_payment_method", ParamKind::OneOf(&["cancel", "create_invoice", "pause"]))]),
)]);
const PAYMENT_BEHAVIOR: ParamKind =
    ParamKind::OneOf(&["allow_incomplete", "default_incomplete", "error_if_incomplete", "pending_if_incomplete"]);
/// The parameter `proration_behavior`.
pub const PRORATION_BEHAVIOR: ParamKind = ParamKind::OneOf(&["always_invoice", "create_prorations", "none"]);
const DETAILS: ParamKind = ParamKind::Map(&[
    opt("comment", ParamKind::Text),
    opt(
        "feedback",
        ParamKind::OneOf(&[
            "customer_service",
            "low_quality",
            "missing_features",
            "other",
            "switched_service",
            "too_complex",
            "too_expensive",
            "unused",
        ]),
    ),
]);
const PAYMENT_SETTINGS: ParamKind = ParamKind::Map(&[
    opt("save_default_payment_method", ParamKind::OneOf(&["off", "on_subscription"])),
    opt("payment_method_options", OF_SUBSCRIPTION),
    opt("payment_method_types", ParamKind::List(&METHOD_TYPE)),
]);
/// The parameter `billing_mode` of a new subscription. `flexible` is the default, as at Stripe.
pub const BILLING_MODE: ParamKind = ParamKind::Map(&[
    req("type", ParamKind::OneOf(&["classic", "flexible"])),
    opt("flexible", ParamKind::Map(&[opt("proration_discounts", ParamKind::OneOf(&["included"]))])),
]);
/// The parameter `clear_usage`. It applies only to metered prices and "has no effect if the plan has a billing meter attached", as every
/// metered price here has.
const CLEAR_USAGE: Field = opt("clear_usage", ParamKind::Bool);
const NEW_ITEM: ParamKind = ParamKind::Map(&[
    opt("metadata", ParamKind::Metadata),
    opt("plan", ParamKind::Text),
    opt("price", ParamKind::Text),
    opt("price_data", RECURRING_PRICE_DATA),
    opt("quantity", QUANTITY),
    items::THRESHOLDS,
    opt("discounts", DISCOUNTS),
    opt("tax_rates", RATES),
]);
/// One entry of the parameter `add_invoice_items`.
const INVOICE_ITEM: ParamKind = ParamKind::Map(&[
    opt("metadata", ParamKind::Metadata),
    opt("price", ParamKind::Text),
    opt("price_data", ONE_TIME_PRICE_DATA),
    opt("quantity", QUANTITY),
    opt("discounts", DISCOUNTS),
    opt("tax_rates", RATES),
]);
/// One entry of the parameter `items` in an update.
pub const CHANGED_ITEM: ParamKind = ParamKind::Map(&[
    CLEAR_USAGE,
    opt("deleted", ParamKind::Bool),
    opt("id", ParamKind::Text),
    opt("metadata", ParamKind::Metadata),
    opt("plan", ParamKind::Text),
    opt("price", ParamKind::Text),
    opt("price_data", RECURRING_PRICE_DATA),
    opt("quantity", QUANTITY),
    items::THRESHOLDS,
    opt("discounts", DISCOUNTS),
    opt("tax_rates", RATES),
]);

/// The parameter `billing_cycle_anchor_config`: the day on which a billing cycle begins.
const ANCHOR_CONFIG: ParamKind = ParamKind::Map(&[
    req("day_of_month", ParamKind::Int(1, 31)),
    opt("month", ParamKind::Int(1, 12)),
    opt("hour", ParamKind::Int(0, 23)),
    opt("minute", ParamKind::Int(0, 59)),
    opt("second", ParamKind::Int(0, 59)),
]);

macro_rules! subscription_fields {
    ($($more:expr),* $(,)?) => {
        &[
            opt("cancel_at", ParamKind::TimeOr(&["max_period_end", "min_period_end"])),
            opt("cancel_at_period_end", ParamKind::Bool),
            opt("collection_method", ParamKind::OneOf(&["charge_automatically", "send_invoice"])),
            opt("days_until_due", ParamKind::Int(0, 730)),
            opt("default_payment_method", ParamKind::Text),
            opt("description", ParamKind::Text),
            opt("metadata", ParamKind::Metadata),
            opt("off_session", ParamKind::Bool),
            opt("payment_behavior", PAYMENT_BEHAVIOR),
            opt("payment_settings", PAYMENT_SETTINGS),
            opt("proration_behavior", PRORATION_BEHAVIOR),
            opt("trial_end", ParamKind::TimeOr(&["now"])),
            opt("trial_settings", TRIAL_SETTINGS),
            AUTOMATIC_TAX,
            // A threshold that also begins a new period (`reset_billing_cycle_anchor`) is not supported.
            opt("billing_thresholds", ParamKind::Map(&[req("amount_gte", AMOUNT)])),
            opt("default_source", ParamKind::Text),
            opt("default_tax_rates", RATES),
            opt("discounts", DISCOUNTS),
            opt("invoice_settings", invoice_settings::OF_SUBSCRIPTION),
            // Stripe accepts these four without documenting them.
            opt("coupon", ParamKind::Text),
            opt("plan", ParamKind::Text),
            opt("promotion_code", ParamKind::Text),
            opt("quantity", QUANTITY),
            FEE_PERCENT,
            ON_BEHALF_OF,
            opt("transfer_data", TRANSFER_PERCENT),
            $($more),*
        ]
    };
}

const CREATE: &[Field] = subscription_fields![
    req("customer", ParamKind::Text),
    opt("add_invoice_items", ParamKind::List(&INVOICE_ITEM)),
    opt("billing_cycle_anchor", ParamKind::Time),
    opt("currency", ParamKind::Currency),
    opt("items", ParamKind::List(&NEW_ITEM)),
    opt("trial_from_plan", ParamKind::Bool),
    opt("trial_period_days", ParamKind::Int(0, 730)),
    opt("backdate_start_date", ParamKind::Time),
    opt("billing_cycle_anchor_config", ANCHOR_CONFIG),
    opt("billing_mode", BILLING_MODE),
];
const UPDATE: &[Field] = subscription_fields![
    opt("billing_cycle_anchor", ParamKind::OneOf(&["now", "unchanged"])),
    opt("cancellation_details", DETAILS),
    opt("items", ParamKind::List(&CHANGED_ITEM)),
    opt(
        "pause_collection",
        ParamKind::Map(&[
            req("behavior", ParamKind::OneOf(&["keep_as_draft", "mark_uncollectible", "void"])),
            opt("resumes_at", ParamKind::Time),
        ])
    ),
    opt("proration_date", ParamKind::Time),
    off("add_invoice_items"),
    off("trial_from_plan"),
];
const STATUS: ParamKind = ParamKind::OneOf(&[
    "active",
    "all",
    "canceled",
    "ended",
    "incomplete",
    "incomplete_expired",
    "past_due",
    "paused",
    "trialing",
    "unpaid",
]);
const CANCEL: &[Field] =
    &[opt("cancellation_details", DETAILS), opt("invoice_now", ParamKind::Bool), opt("prorate", ParamKind::Bool)];

/// The endpoints.
pub const ROUTES: &[Route] = &[
    route("POST", "/v1/subscriptions", CREATE, |st, _, args| {
        let args = legacy::spell_out(args, None)?;
        create::create(st, &args, Presence::OnSession).map(|s| s.value())
    }),
    route(
        "GET",
        "/v1/subscriptions",
        &[
            LIMIT,
            AFTER,
            BEFORE,
            CREATED,
            opt("customer", ParamKind::Text),
            opt("price", ParamKind::Text),
            opt("status", STATUS),
            opt("test_clock", ParamKind::Text),
            opt("collection_method", ParamKind::OneOf(&["charge_automatically", "send_invoice"])),
            opt("current_period_end", TIMES),
            opt("current_period_start", TIMES),
        ],
        list,
    ),
    route("GET", "/v1/subscriptions/{}", &[], |st, ids, _| Ok(st.load("subscription", ids[0], "id")?.value())),
    route("DELETE", "/v1/subscriptions/{}/discount", &[], |st, ids, _| {
        let before = st.load("subscription", ids[0], "id")?;
        let Some(first) = before.list_at("discounts").first().cloned() else {
            return Err(ApiError {
                status: 404,
                ..ApiError::coded("resource_missing", "No active discount for subscription")
            });
        };
        change::update(st, ids[0], &Args::of(json!({ "discounts": [] })))?;
        Ok(json!({ "id": first, "object": "discount", "deleted": true, "subscription": ids[0] }))
    }),
    route("POST", "/v1/subscriptions/{}", UPDATE, |st, ids, args| {
        let sub = st.load("subscription", ids[0], "id")?;
        change::update(st, ids[0], &legacy::spell_out(args, Some(&sub))?)
    }),
    route("DELETE", "/v1/subscriptions/{}", CANCEL, |st, ids, args| end::cancel_now(st, ids[0], args)),
    route(
        "POST",
        "/v1/subscriptions/{}/resume",
        &[
            opt("billing_cycle_anchor", ParamKind::OneOf(&["now"])),
            // A paused subscription has not paid for any time that could be prorated.
            opt("proration_behavior", PRORATION_BEHAVIOR),
            off("proration_date"),
        ],
        |st, ids, _| end::resume(st, ids[0]),
    ),
    route(
        "GET",
        "/v1/subscription_items",
        &[LIMIT, AFTER, BEFORE, req("subscription", ParamKind::Text)],
        |st, _, args| {
            let subscription = args.text("subscription").unwrap_or_default();
            let sub = st.load("subscription", subscription, "subscription")?;
            let items = sub.list_at("items").iter().cloned().map(Object::of);
            listing::page_of(args, "/v1/subscription_items", items, |i| i.id(), Object::value)
        },
    ),
    route(
        "POST",
        "/v1/subscription_items",
        &[
            req("subscription", ParamKind::Text),
            opt("metadata", ParamKind::Metadata),
            opt("payment_behavior", PAYMENT_BEHAVIOR),
            opt("price", ParamKind::Text),
            opt("price_data", RECURRING_PRICE_DATA),
            opt("proration_behavior", PRORATION_BEHAVIOR),
            opt("proration_date", ParamKind::Time),
            opt("quantity", QUANTITY),
            opt("discounts", DISCOUNTS),
            opt("tax_rates", RATES),
        ],
        |st, _, args| {
            let subscription = args.text("subscription").unwrap_or_default().to_owned();
            let known: Vec<Value> = item_ids(&*st.load("subscription", &subscription, "subscription")?);
            change::update(st, &subscription, &as_update(args, None))?;
            let sub = st.find(&subscription)?;
            let new = sub.list_at("items").iter().find(|i| !known.contains(&i["id"])).cloned();
            Ok(new.unwrap_or_default())
        },
    ),
    route("GET", "/v1/subscription_items/{}", &[], |st, ids, _| item(st, ids[0]).map(|(_, i)| i)),
    route(
        "POST",
        "/v1/subscription_items/{}",
        &[
            opt("metadata", ParamKind::Metadata),
            opt("off_session", ParamKind::Bool),
            opt("payment_behavior", PAYMENT_BEHAVIOR),
            opt("price", ParamKind::Text),
            opt("price_data", RECURRING_PRICE_DATA),
            opt("proration_behavior", PRORATION_BEHAVIOR),
            opt("proration_date", ParamKind::Time),
            opt("quantity", QUANTITY),
            opt("discounts", DISCOUNTS),
            opt("tax_rates", RATES),
        ],
        |st, ids, args| {
            let (subscription, _) = item(st, ids[0])?;
            change::update(st, &subscription, &as_update(args, Some((ids[0], false))))?;
            item(st, ids[0]).map(|(_, i)| i)
        },
    ),
    route(
        "DELETE",
        "/v1/subscription_items/{}",
        &[opt("proration_behavior", PRORATION_BEHAVIOR), opt("proration_date", ParamKind::Time), CLEAR_USAGE],
        |st, ids, args| {
            let (subscription, _) = item(st, ids[0])?;
            let mut update = as_update(args, Some((ids[0], true)));
            if let Some(clears) = args.given("clear_usage") {
                let mut entry = Args::of(update.list("items").pop().unwrap_or_default());
                entry.put("clear_usage", clears.clone());
                update.put("items", json!([entry.into_value()]));
            }
            change::update(st, &subscription, &update)?;
            st.remove(ids[0]);
            Ok(json!({ "id": ids[0], "object": "subscription_item", "deleted": true }))
        },
    ),
];

fn item_ids(sub: &Object) -> Vec<Value> {
    sub.list_at("items").iter().map(|i| i["id"].clone()).collect()
}

/// Loads a subscription item. Returns the id of its subscription, and the item.
fn item(st: &State, id: &str) -> Result<(String, Value), ApiError> {
    let missing = || ApiError::no_such("subscription_item", id, "id");
    let pointer = st.seek(id).filter(|o| o.kind() == "sandbox.subscription_item").ok_or_else(missing)?;
    let subscription = pointer.text("subscription").to_owned();
    let sub = st.load("subscription", &subscription, "id")?;
    let found = sub.list_at("items").iter().find(|i| i["id"] == id).cloned().ok_or_else(missing)?;
    Ok((subscription, found))
}

/// Converts the parameters of a subscription item's endpoint to those of a subscription update.
fn as_update(args: &Args, item: Option<(&str, bool)>) -> Args {
    let mut entry = Args::default();
    for member in ["discounts", "metadata", "price", "price_data", "quantity", "tax_rates"] {
        if args.has(member) {
            entry.put(member, args.value(member));
        }
    }
    if let Some((id, deleted)) = item {
        entry.put("id", json!(id));
        entry.put("deleted", json!(deleted));
    }
    let mut update = Args::default();
    update.put("items", json!([entry.into_value()]));
    for member in ["off_session", "payment_behavior", "proration_behavior", "proration_date"] {
        if args.has(member) {
            update.put(member, args.value(member));
        }
    }
    update
}

fn list(st: &mut State, _: &[&str], args: &Args) -> Result<Value, ApiError> {
    let has_price =
        |s: &Object| args.given("price").is_none_or(|p| s.list_at("items").iter().any(|i| &i["price"]["id"] == p));
    let has_status = |s: &Object| match args.text("status") {
        None => !matches!(s.text("status"), "canceled" | "incomplete_expired"),
        Some("all") => true,
        Some("ended") => matches!(s.text("status"), "canceled" | "incomplete_expired"),
        Some(status) => s.text("status") == status,
    };
    let same = |s: &Object, member: &str| args.given(member).is_none_or(|v| s.get(member) == v);
    let fits = |s: &std::sync::Arc<Object>| {
        has_price(s)
            && has_status(s)
            && listing::in_created(args, s.int("created"))
            && listing::in_times(args, "current_period_start", period::period(s).unwrap_or_default().0)
            && listing::in_times(args, "current_period_end", period::period(s).unwrap_or_default().1)
            && same(s, "collection_method")
            && same(s, "test_clock")
    };
    listing::page(
        args,
        "/v1/subscriptions",
        listing::newest(st, args, "subscription", args.text("customer")).filter(fits),
    )
}
