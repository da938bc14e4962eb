//! The endpoints for quotes.

use serde_json::Value;

use crate::api::catalog::QUOTED_PRICE_DATA;
use crate::api::listing::{self, AFTER, BEFORE, LIMIT};
use crate::api::{Route, route};
use crate::billing::changes::quote;
use crate::billing::invoicing::invoice_settings::{CUSTOM_FIELDS, ISSUER};
use crate::object::Object;
use crate::params::{Field, ParamKind, QUANTITY, off, opt};

const LINE: ParamKind = ParamKind::Map(&[
    opt("price", ParamKind::Text),
    opt("price_data", QUOTED_PRICE_DATA),
    opt("quantity", QUANTITY),
    off("tax_rates"),
]);
const FIELDS: &[Field] = &[
    opt("collection_method", ParamKind::OneOf(&["charge_automatically", "send_invoice"])),
    opt("customer", ParamKind::Text),
    opt("description", ParamKind::Text),
    opt("expires_at", ParamKind::Time),
    opt("footer", ParamKind::Text),
    opt("header", ParamKind::Text),
    opt(
        "invoice_settings",
        ParamKind::Map(&[
            opt("custom_fields", CUSTOM_FIELDS),
            opt("days_until_due", ParamKind::Int(0, 730)),
            opt("description", ParamKind::Text),
            opt("footer", ParamKind::Text),
            opt("issuer", ISSUER),
        ]),
    ),
    opt("line_items", ParamKind::List(&LINE)),
    opt("metadata", ParamKind::Metadata),
    opt(
        "subscription_data",
        ParamKind::Map(&[
            opt("description", ParamKind::Text),
            opt("metadata", ParamKind::Metadata),
            opt("trial_period_days", ParamKind::Int(0, 730)),
            opt("effective_date", ParamKind::Time),
        ]),
    ),
    off("automatic_tax"),
    off("default_tax_rates"),
    off("discounts"),
];

/// The endpoints.
pub const ROUTES: &[Route] = &[
    route("POST", "/v1/quotes", FIELDS, |st, _, args| quote::create(st, args)),
    route(
        "GET",
        "/v1/quotes",
        &[LIMIT, AFTER, BEFORE, opt("customer", ParamKind::Text), opt("status", ParamKind::Text)],
        |st, _, args| listing::list(st, "quote", "/v1/quotes", args, &["status"]),
    ),
    route("GET", "/v1/quotes/{}", &[], |st, ids, _| Ok(st.load("quote", ids[0], "id")?.value())),
    route("POST", "/v1/quotes/{}", FIELDS, |st, ids, args| quote::update(st, ids[0], args)),
    route("GET", "/v1/quotes/{}/line_items", &[LIMIT, AFTER, BEFORE], |st, ids, args| {
        let quote = st.load("quote", ids[0], "id")?;
        let lines = quote.as_quote().lines.iter().cloned().map(Object::of);
        listing::page_of(args, &format!("/v1/quotes/{}/line_items", ids[0]), lines, |l| l.id(), Object::value)
    }),
    route("GET", "/v1/quotes/{}/computed_upfront_line_items", &[LIMIT, AFTER, BEFORE], |st, ids, args| {
        let quote = st.load("quote", ids[0], "id")?;
        let lines = quote::upfront(&quote).into_iter().map(Object::of);
        let url = format!("/v1/quotes/{}/computed_upfront_line_items", ids[0]);
        listing::page_of(args, &url, lines, |l| l.id(), Object::value)
    }),
    // The response is the document itself, not JSON.
    route("GET", "/v1/quotes/{}/pdf", &[], |st, ids, _| {
        let quote = st.load("quote", ids[0], "id")?;
        // Each character stands for a byte.
        let document: String = quote::document(st, &quote).into_iter().map(char::from).collect();
        Ok(Value::String(document))
    }),
    route("POST", "/v1/quotes/{}/accept", &[], |st, ids, _| quote::accept(st, ids[0])),
    route("POST", "/v1/quotes/{}/cancel", &[], |st, ids, _| quote::cancel(st, ids[0])),
    route("POST", "/v1/quotes/{}/finalize", &[opt("expires_at", ParamKind::Time)], |st, ids, args| {
        quote::finalize(st, ids[0], args)
    }),
];
