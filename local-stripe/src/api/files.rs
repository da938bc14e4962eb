//! The endpoints for files and file links.

use crate::api::listing::{self, AFTER, BEFORE, CREATED, LIMIT};
use crate::api::{Route, route};
use crate::files::{self, PURPOSES};
use crate::params::{Field, ParamKind, opt, req};

const LINK_DATA: ParamKind = ParamKind::Map(&[
    req("create", ParamKind::Bool),
    opt("expires_at", ParamKind::Time),
    opt("metadata", ParamKind::Metadata),
]);
/// The parameters of `POST /v1/files`, except for the file itself.
const CREATE: &[Field] = &[req("purpose", ParamKind::OneOf(PURPOSES)), opt("file_link_data", LINK_DATA)];

/// The endpoints.
pub const ROUTES: &[Route] = &[
    route("POST", "/v1/files", CREATE, |st, _, args| files::create(st, args)),
    route(
        "GET",
        "/v1/files",
        &[LIMIT, AFTER, BEFORE, CREATED, opt("purpose", ParamKind::OneOf(PURPOSES))],
        |st, _, args| listing::list(st, "file", "/v1/files", args, &["purpose"]),
    ),
    route("GET", "/v1/files/{}", &[], |st, ids, _| Ok(st.load("file", ids[0], "id")?.value())),
    route(
        "POST",
        "/v1/file_links",
        &[req("file", ParamKind::Text), opt("expires_at", ParamKind::Time), opt("metadata", ParamKind::Metadata)],
        |st, _, args| files::create_link(st, args.text("file").unwrap_or_default(), args),
    ),
    route(
        "GET",
        "/v1/file_links",
        &[LIMIT, AFTER, BEFORE, CREATED, opt("expired", ParamKind::Bool), opt("file", ParamKind::Text)],
        |st, _, args| {
            let fits = |link: &std::sync::Arc<crate::object::Object>| {
                args.given("file").is_none_or(|file| link.get("file") == file)
                    && args.given("expired").is_none_or(|wanted| files::shown(st, link)["expired"] == *wanted)
                    && listing::in_created(args, link.int("created"))
            };
            let all = listing::newest(st, args, "file_link", None).filter(fits);
            listing::page_of(args, "/v1/file_links", all, |link| link.id(), |link| files::shown(st, link))
        },
    ),
    route("GET", "/v1/file_links/{}", &[], |st, ids, _| {
        let link = st.load("file_link", ids[0], "id")?;
        Ok(files::shown(st, &link))
    }),
    route(
        "POST",
        "/v1/file_links/{}",
        &[opt("expires_at", ParamKind::TimeOr(&["now"])), opt("metadata", ParamKind::Metadata)],
        |st, ids, args| files::update_link(st, ids[0], args),
    ),
];
