//! The endpoints for Identity.

use std::sync::Arc;

use crate::api::listing::{self, AFTER, BEFORE, CREATED, LIMIT};
use crate::api::{Route, route};
use crate::identity::{self, OUTCOMES, REPORT, SESSION};
use crate::object::Object;
use crate::params::{Field, ParamKind, opt, req};

const DOCUMENT: ParamKind = ParamKind::Map(&[
    opt("allowed_types", ParamKind::List(&ParamKind::OneOf(&["driving_license", "id_card", "passport"]))),
    opt("require_id_number", ParamKind::Bool),
    opt("require_live_capture", ParamKind::Bool),
    opt("require_matching_selfie", ParamKind::Bool),
]);
const TYPE: Field = opt("type", ParamKind::OneOf(&["document", "id_number"]));
const OPTIONS: Field = opt("options", ParamKind::Map(&[opt("document", DOCUMENT)]));
const DETAILS: Field =
    opt("provided_details", ParamKind::Map(&[opt("email", ParamKind::Email), opt("phone", ParamKind::Text)]));
const REFERENCE: Field = opt("client_reference_id", ParamKind::Text);
const CREATE: &[Field] = &[
    TYPE,
    OPTIONS,
    DETAILS,
    REFERENCE,
    opt("metadata", ParamKind::Metadata),
    opt("related_customer", ParamKind::Text),
    opt("return_url", ParamKind::Url),
];

/// The endpoints.
pub const ROUTES: &[Route] = &[
    route("POST", "/v1/identity/verification_sessions", CREATE, |st, _, args| identity::create(st, args)),
    route(
        "GET",
        "/v1/identity/verification_sessions",
        &[
            LIMIT,
            AFTER,
            BEFORE,
            CREATED,
            REFERENCE,
            opt("related_customer", ParamKind::Text),
            opt("status", ParamKind::OneOf(&["canceled", "processing", "requires_input", "verified"])),
        ],
        |st, _, args| {
            let members = ["client_reference_id", "related_customer", "status"];
            listing::list(st, SESSION, "/v1/identity/verification_sessions", args, &members)
        },
    ),
    route("GET", "/v1/identity/verification_sessions/{}", &[], |st, ids, _| {
        Ok(st.load(SESSION, ids[0], "id")?.value())
    }),
    route(
        "POST",
        "/v1/identity/verification_sessions/{}",
        &[TYPE, OPTIONS, DETAILS, opt("metadata", ParamKind::Metadata)],
        |st, ids, args| identity::update(st, ids[0], args),
    ),
    route("POST", "/v1/identity/verification_sessions/{}/cancel", &[], |st, ids, _| identity::cancel(st, ids[0])),
    route("POST", "/v1/identity/verification_sessions/{}/redact", &[], |st, ids, _| identity::redact(st, ids[0])),
    route(
        "POST",
        "/_sandbox/identity/verification_sessions/{}/submit",
        &[req("outcome", ParamKind::OneOf(OUTCOMES))],
        |st, ids, args| identity::submit(st, ids[0], args.text("outcome").unwrap_or_default()),
    ),
    route(
        "GET",
        "/v1/identity/verification_reports",
        &[LIMIT, AFTER, BEFORE, CREATED, REFERENCE, TYPE, opt("verification_session", ParamKind::Text)],
        |st, _, args| {
            let fits = |report: &Arc<Object>| {
                listing::in_created(args, report.int("created"))
                    && ["client_reference_id", "type", "verification_session"]
                        .iter()
                        .all(|name| args.given(name).is_none_or(|wanted| report.get(name) == wanted))
            };
            let all = listing::newest(st, args, REPORT, None).filter(fits);
            listing::page(args, "/v1/identity/verification_reports", all)
        },
    ),
    route("GET", "/v1/identity/verification_reports/{}", &[], |st, ids, _| Ok(st.load(REPORT, ids[0], "id")?.value())),
];
