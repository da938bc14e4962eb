//! The endpoints for billing credits and billing alerts.

use std::sync::Arc;

use crate::api::listing::{self, AFTER, BEFORE, LIMIT};
use crate::api::{Route, route};
use crate::billing::invoicing::alerts;
use crate::billing::settlement::credits;
use crate::error::ApiError;
use crate::object::Object;
use crate::params::{Field, ParamKind, opt, req};

/// An amount of at least one minor unit.
const POSITIVE: ParamKind = ParamKind::Int(1, 999_999_999_999);
const SCOPE: ParamKind = ParamKind::Map(&[
    opt("price_type", ParamKind::OneOf(&["metered"])),
    opt("prices", ParamKind::List(&ParamKind::Map(&[req("id", ParamKind::Text)]))),
]);
const MONETARY: ParamKind = ParamKind::Map(&[req("currency", ParamKind::Currency), req("value", POSITIVE)]);
const GRANT: &[Field] = &[
    req("amount", ParamKind::Map(&[opt("monetary", MONETARY), req("type", ParamKind::OneOf(&["monetary"]))])),
    req("applicability_config", ParamKind::Map(&[req("scope", SCOPE)])),
    opt("category", ParamKind::OneOf(&["paid", "promotional"])),
    opt("customer", ParamKind::Text),
    opt("effective_at", ParamKind::Time),
    opt("expires_at", ParamKind::Time),
    opt("metadata", ParamKind::Metadata),
    opt("name", ParamKind::Text),
    opt("priority", ParamKind::Int(0, 100)),
];
const SUMMARY: &[Field] = &[
    opt("customer", ParamKind::Text),
    req(
        "filter",
        ParamKind::Map(&[
            opt("applicability_scope", SCOPE),
            opt("credit_grant", ParamKind::Text),
            req("type", ParamKind::OneOf(&["applicability_scope", "credit_grant"])),
        ]),
    ),
];
const FILTER: ParamKind =
    ParamKind::Map(&[opt("customer", ParamKind::Text), req("type", ParamKind::OneOf(&["customer"]))]);
const ALERT_TYPE: ParamKind = ParamKind::OneOf(&["usage_threshold"]);
const ALERT: &[Field] = &[
    req("alert_type", ALERT_TYPE),
    req("title", ParamKind::Text),
    opt(
        "usage_threshold",
        ParamKind::Map(&[
            opt("filters", ParamKind::List(&FILTER)),
            req("gte", POSITIVE),
            req("meter", ParamKind::Text),
            req("recurrence", ParamKind::OneOf(&["one_time"])),
        ]),
    ),
];

/// The endpoints.
pub const ROUTES: &[Route] = &[
    route("POST", "/v1/billing/credit_grants", GRANT, |st, _, args| credits::create(st, args)),
    route(
        "GET",
        "/v1/billing/credit_grants",
        &[LIMIT, AFTER, BEFORE, opt("customer", ParamKind::Text)],
        |st, _, args| listing::list(st, "billing.credit_grant", "/v1/billing/credit_grants", args, &[]),
    ),
    route("GET", "/v1/billing/credit_grants/{}", &[], |st, ids, _| {
        Ok(st.load("billing.credit_grant", ids[0], "id")?.value())
    }),
    route(
        "POST",
        "/v1/billing/credit_grants/{}",
        &[opt("expires_at", ParamKind::Time), opt("metadata", ParamKind::Metadata)],
        |st, ids, args| credits::update(st, ids[0], args),
    ),
    route("POST", "/v1/billing/credit_grants/{}/expire", &[], |st, ids, _| credits::expire(st, ids[0])),
    route("POST", "/v1/billing/credit_grants/{}/void", &[], |st, ids, _| credits::void(st, ids[0])),
    route("GET", "/v1/billing/credit_balance_summary", SUMMARY, |st, _, args| credits::summary(st, args)),
    route(
        "GET",
        "/v1/billing/credit_balance_transactions",
        &[LIMIT, AFTER, BEFORE, opt("credit_grant", ParamKind::Text), opt("customer", ParamKind::Text)],
        |st, _, args| {
            let customer = args.text("customer").ok_or_else(|| ApiError::missing("customer"))?.to_owned();
            st.load("customer", &customer, "customer")?;
            let fits = |made: &Arc<Object>| {
                made.as_credit_transaction().customer == customer
                    && args.given("credit_grant").is_none_or(|grant| made.get("credit_grant") == grant)
            };
            let all = listing::newest(st, args, "billing.credit_balance_transaction", None);
            listing::page(args, "/v1/billing/credit_balance_transactions", all.filter(fits))
        },
    ),
    route("GET", "/v1/billing/credit_balance_transactions/{}", &[], |st, ids, _| {
        Ok(st.load("billing.credit_balance_transaction", ids[0], "id")?.value())
    }),
    route("POST", "/v1/billing/alerts", ALERT, |st, _, args| alerts::create(st, args)),
    route(
        "GET",
        "/v1/billing/alerts",
        &[LIMIT, AFTER, BEFORE, opt("alert_type", ALERT_TYPE), opt("meter", ParamKind::Text)],
        |st, _, args| {
            let fits = |alert: &Arc<Object>| {
                alert.text("status") != "archived"
                    && args.text("meter").is_none_or(|meter| alert.text_at("usage_threshold.meter") == Some(meter))
                    && args.given("alert_type").is_none_or(|kind| alert.get("alert_type") == kind)
            };
            listing::page(args, "/v1/billing/alerts", listing::newest(st, args, "billing.alert", None).filter(fits))
        },
    ),
    route("GET", "/v1/billing/alerts/{}", &[], |st, ids, _| Ok(alerts::load(st, ids[0])?.value())),
    route("POST", "/v1/billing/alerts/{}/activate", &[], |st, ids, _| alerts::set_status(st, ids[0], "active")),
    route("POST", "/v1/billing/alerts/{}/archive", &[], |st, ids, _| alerts::set_status(st, ids[0], "archived")),
    route("POST", "/v1/billing/alerts/{}/deactivate", &[], |st, ids, _| alerts::set_status(st, ids[0], "inactive")),
];
