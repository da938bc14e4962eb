//! The endpoints for subscription schedules.

use crate::api::listing::{self, AFTER, BEFORE, CREATED, LIMIT};
use crate::api::{Route, route};
use crate::billing::changes::schedule;
use crate::discount::redeem::DISCOUNTS;
use crate::params::{Field, ParamKind, QUANTITY, off, opt, req};

const ITEM: ParamKind = ParamKind::Map(&[
    req("price", ParamKind::Text),
    opt("metadata", ParamKind::Metadata),
    opt("quantity", QUANTITY),
    off("tax_rates"),
]);
const DURATION: ParamKind = ParamKind::Map(&[
    req("interval", ParamKind::OneOf(&["day", "week", "month", "year"])),
    opt("interval_count", ParamKind::Int(1, 1_095)),
]);
const PRORATION: ParamKind = ParamKind::OneOf(&["always_invoice", "create_prorations", "none"]);
const PHASE: ParamKind = ParamKind::Map(&[
    req("items", ParamKind::List(&ITEM)),
    opt("duration", DURATION),
    opt("end_date", ParamKind::Time),
    opt("iterations", ParamKind::Int(1, 1_000)),
    opt("metadata", ParamKind::Metadata),
    opt("proration_behavior", PRORATION),
    opt("currency", ParamKind::Currency),
    opt("description", ParamKind::Text),
    opt("discounts", DISCOUNTS),
    opt("trial", ParamKind::Bool),
    opt("trial_end", ParamKind::Time),
    opt("start_date", ParamKind::TimeOr(&["now"])),
]);
const END_BEHAVIOR: ParamKind = ParamKind::OneOf(&["cancel", "release"]);
const CREATE: &[Field] = &[
    opt("customer", ParamKind::Text),
    opt("end_behavior", END_BEHAVIOR),
    opt("from_subscription", ParamKind::Text),
    opt("metadata", ParamKind::Metadata),
    opt("phases", ParamKind::List(&PHASE)),
    opt("start_date", ParamKind::TimeOr(&["now"])),
    off("default_settings"),
];
const UPDATE: &[Field] = &[
    opt("end_behavior", END_BEHAVIOR),
    opt("metadata", ParamKind::Metadata),
    opt("phases", ParamKind::List(&PHASE)),
    opt("proration_behavior", PRORATION),
    off("default_settings"),
];

/// The endpoints.
pub const ROUTES: &[Route] = &[
    route("POST", "/v1/subscription_schedules", CREATE, |st, _, args| schedule::create(st, args)),
    route(
        "GET",
        "/v1/subscription_schedules",
        &[LIMIT, AFTER, BEFORE, CREATED, opt("customer", ParamKind::Text)],
        |st, _, args| listing::list(st, "subscription_schedule", "/v1/subscription_schedules", args, &[]),
    ),
    route("GET", "/v1/subscription_schedules/{}", &[], |st, ids, _| {
        Ok(st.load("subscription_schedule", ids[0], "id")?.value())
    }),
    route("POST", "/v1/subscription_schedules/{}", UPDATE, |st, ids, args| schedule::update(st, ids[0], args)),
    route(
        "POST",
        "/v1/subscription_schedules/{}/cancel",
        &[opt("invoice_now", ParamKind::Bool), opt("prorate", ParamKind::Bool)],
        |st, ids, args| schedule::cancel(st, ids[0], args),
    ),
    route("POST", "/v1/subscription_schedules/{}/release", &[off("preserve_cancel_date")], |st, ids, _| {
        schedule::release(st, ids[0])
    }),
];
