//! The endpoints for a customer's cards as sources, and for source objects.

use crate::api::listing::{self, AFTER, BEFORE, LIMIT};
use crate::api::{Route, route};
use crate::error::ApiError;
use crate::object::Object;
use crate::params::{ADDRESS, Field, ParamKind, merge_metadata, opt, req};
use crate::payments::{method, source};

const UPDATE: &[Field] = &[
    opt("address_city", ParamKind::Text),
    opt("address_country", ParamKind::Text),
    opt("address_line1", ParamKind::Text),
    opt("address_line2", ParamKind::Text),
    opt("address_state", ParamKind::Text),
    opt("address_zip", ParamKind::Text),
    opt("exp_month", ParamKind::Int(1, 12)),
    opt("exp_year", ParamKind::Int(2_000, 9_999)),
    opt("metadata", ParamKind::Metadata),
    opt("name", ParamKind::Text),
];

const OWNER: Field = opt(
    "owner",
    ParamKind::Map(&[
        opt("address", ADDRESS),
        opt("email", ParamKind::Email),
        opt("name", ParamKind::Text),
        opt("phone", ParamKind::Text),
    ]),
);
const CREATE: &[Field] = &[
    opt("type", ParamKind::Text),
    opt("token", ParamKind::Text),
    opt("usage", ParamKind::OneOf(&["reusable", "single_use"])),
    opt("statement_descriptor", ParamKind::Text),
    opt("metadata", ParamKind::Metadata),
    OWNER,
];
const UPDATE_SOURCE: &[Field] = &[opt("metadata", ParamKind::Metadata), OWNER];

/// The endpoints.
pub const ROUTES: &[Route] = &[
    route(
        "POST",
        "/v1/customers/{}/sources",
        &[req("source", source::SOURCE), opt("metadata", ParamKind::Metadata)],
        |st, ids, args| {
            let made = source::add(st, ids[0], args.get("source"), "source")?;
            let metadata = merge_metadata(made.get("metadata"), args)?;
            st.change(made.id(), |m| m.set("metadata", metadata));
            Ok(source::load(st, ids[0], made.id())?.value())
        },
    ),
    route(
        "GET",
        "/v1/customers/{}/sources",
        &[LIMIT, AFTER, BEFORE, opt("object", ParamKind::Text)],
        |st, ids, args| {
            st.load("customer", ids[0], "id")?;
            let fits = |c: &Object| args.text("object").is_none_or(|o| o == c.kind());
            let cards = st.newest("payment_method", Some(ids[0])).filter_map(|m| source::card_of(&m)).filter(fits);
            listing::page_of(args, &format!("/v1/customers/{}/sources", ids[0]), cards, |c| c.id(), Object::value)
        },
    ),
    route("GET", "/v1/customers/{}/sources/{}", &[], |st, ids, _| Ok(source::load(st, ids[0], ids[1])?.value())),
    route("POST", "/v1/customers/{}/sources/{}", UPDATE, |st, ids, args| {
        Ok(source::update(st, ids[0], ids[1], args)?.value())
    }),
    route("POST", "/v1/sources", CREATE, |st, _, args| source::create(st, args)),
    route("GET", "/v1/sources/{}", &[], |st, ids, _| {
        let found = method::load_source(st, ids[0])?;
        Ok(source::card_of(&found).unwrap_or_default().value())
    }),
    route("POST", "/v1/sources/{}", UPDATE_SOURCE, |st, ids, args| source::update_source(st, ids[0], args)),
    // Card sources never receive transfers.
    route("GET", "/v1/sources/{}/source_transactions", &[LIMIT, AFTER, BEFORE], |st, ids, args| {
        method::load_source(st, ids[0])?;
        let url = format!("/v1/sources/{}/source_transactions", ids[0]);
        listing::page_of(args, &url, std::iter::empty::<Object>(), |made| made.id(), Object::value)
    }),
    route("POST", "/v1/sources/{}/verify", &[req("values", ParamKind::List(&ParamKind::Text))], |st, ids, _| {
        method::load_source(st, ids[0])?;
        Err(ApiError::invalid("Only sources with the flow code_verification can be verified. This one has none."))
    }),
    route("DELETE", "/v1/customers/{}/sources/{}", &[], |st, ids, _| source::remove(st, ids[0], ids[1])),
];
