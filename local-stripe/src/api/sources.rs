//! The endpoints of a customer's cards as sources.

use crate::api::listing::{self, AFTER, BEFORE, LIMIT};
use crate::api::{Route, route};
use crate::object::Object;
use crate::params::{Field, ParamKind, merge_metadata, opt, req};
use crate::payments::source;

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
            let fits = args.text("object").is_none_or(|o| o == "card");
            let cards = st.newest("payment_method", Some(ids[0])).filter_map(|m| source::card_of(&m)).filter(|_| fits);
            listing::page_of(args, &format!("/v1/customers/{}/sources", ids[0]), cards, |c| c.id(), Object::value)
        },
    ),
    route("GET", "/v1/customers/{}/sources/{}", &[], |st, ids, _| Ok(source::load(st, ids[0], ids[1])?.value())),
    route("POST", "/v1/customers/{}/sources/{}", UPDATE, |st, ids, args| {
        Ok(source::update(st, ids[0], ids[1], args)?.value())
    }),
    route("DELETE", "/v1/customers/{}/sources/{}", &[], |st, ids, _| source::remove(st, ids[0], ids[1])),
];
