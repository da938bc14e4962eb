//! The endpoints of subscription schedules.

use crate::api::listing::{self, AFTER, BEFORE, CREATED, LIMIT};
use crate::api::{Route, route};
use crate::billing::schedule;
use crate::params::{Field, Kind, QUANTITY, inert, off, opt, req};

const ITEM: Kind = Kind::Map(&[
    req("price", Kind::Text),
    opt("metadata", Kind::Metadata),
    opt("quantity", QUANTITY),
    off("tax_rates"),
]);
const DURATION: Kind = Kind::Map(&[
    req("interval", Kind::OneOf(&["day", "week", "month", "year"])),
    opt("interval_count", Kind::Int(1, 1_095)),
]);
const PRORATION: Kind = Kind::OneOf(&["always_invoice", "create_prorations", "none"]);
const PHASE: Kind = Kind::Map(&[
    req("items", Kind::List(&ITEM)),
    opt("duration", DURATION),
    opt("end_date", Kind::Time),
    opt("iterations", Kind::Int(1, 1_000)),
    opt("metadata", Kind::Metadata),
    opt("proration_behavior", PRORATION),
    inert("currency"),
    inert("description"),
    opt("start_date", Kind::TimeOr(&["now"])),
]);
const END_BEHAVIOR: Kind = Kind::OneOf(&["cancel", "release"]);
const CREATE: &[Field] = &[
    opt("customer", Kind::Text),
    opt("end_behavior", END_BEHAVIOR),
    opt("from_subscription", Kind::Text),
    opt("metadata", Kind::Metadata),
    opt("phases", Kind::List(&PHASE)),
    opt("start_date", Kind::TimeOr(&["now"])),
    inert("default_settings"),
];
const UPDATE: &[Field] = &[
    opt("end_behavior", END_BEHAVIOR),
    opt("metadata", Kind::Metadata),
    opt("phases", Kind::List(&PHASE)),
    opt("proration_behavior", PRORATION),
    inert("default_settings"),
];

/// The endpoints.
pub const ROUTES: &[Route] = &[
    route("POST", "/v1/subscription_schedules", CREATE, |st, _, args| schedule::create(st, args)),
    route(
        "GET",
        "/v1/subscription_schedules",
        &[LIMIT, AFTER, BEFORE, CREATED, opt("customer", Kind::Text)],
        |st, _, args| listing::list(st, "subscription_schedule", "/v1/subscription_schedules", args, &[]),
    ),
    route("GET", "/v1/subscription_schedules/{}", &[], |st, ids, _| {
        Ok(st.load("subscription_schedule", ids[0], "id")?.value())
    }),
    route("POST", "/v1/subscription_schedules/{}", UPDATE, |st, ids, args| schedule::update(st, ids[0], args)),
    route(
        "POST",
        "/v1/subscription_schedules/{}/cancel",
        &[opt("invoice_now", Kind::Bool), opt("prorate", Kind::Bool)],
        |st, ids, args| schedule::cancel(st, ids[0], args),
    ),
    route("POST", "/v1/subscription_schedules/{}/release", &[inert("preserve_cancel_date")], |st, ids, _| {
        schedule::release(st, ids[0])
    }),
];
