//! The endpoints for lists that are always empty: clients request these lists, but the sandbox has no such objects. Filters are checked,
//! but have no effect on an empty list.

use serde_json::json;

use crate::api::listing::{AFTER, BEFORE, CREATED, LIMIT};
use crate::api::{Route, route};
use crate::params::{ParamKind, opt};

/// Builds the rows of the endpoint table: a path, and the parameters of its list in addition to the cursors. The `url` of the list contains
/// the ids in the path.
macro_rules! empty {
    ($($path:literal: [$($field:expr),* $(,)?]),* $(,)?) => {
        &[$(route("GET", $path, &[LIMIT, AFTER, BEFORE, $($field),*], |_, ids, _| {
            let url = ids.iter().fold($path.to_owned(), |url, id| url.replacen("{}", id, 1));
            Ok(json!({ "object": "list", "url": url, "has_more": false, "data": [] }))
        })),*]
    };
}

/// The endpoints.
pub const ROUTES: &[Route] = empty![
    "/v1/issuing/authorizations": [
        CREATED,
        opt("card", ParamKind::Text),
        opt("cardholder", ParamKind::Text),
        opt("status", ParamKind::OneOf(&["closed", "expired", "pending", "reversed"])),
    ],
    "/v1/issuing/cardholders": [
        CREATED,
        opt("email", ParamKind::Email),
        opt("phone_number", ParamKind::Text),
        opt("status", ParamKind::OneOf(&["active", "blocked", "inactive"])),
        opt("type", ParamKind::OneOf(&["company", "individual"])),
    ],
    "/v1/issuing/cards": [
        CREATED,
        opt("cardholder", ParamKind::Text),
        opt("exp_month", ParamKind::Int(1, 12)),
        opt("exp_year", ParamKind::Int(0, 9_999)),
        opt("last4", ParamKind::Text),
        opt("status", ParamKind::OneOf(&["active", "canceled", "inactive"])),
        opt("type", ParamKind::OneOf(&["physical", "virtual"])),
    ],
    "/v1/issuing/disputes": [
        CREATED,
        opt("status", ParamKind::OneOf(&["expired", "lost", "submitted", "unsubmitted", "won"])),
        opt("transaction", ParamKind::Text),
    ],
    "/v1/issuing/transactions": [
        CREATED,
        opt("card", ParamKind::Text),
        opt("cardholder", ParamKind::Text),
        opt("type", ParamKind::OneOf(&["capture", "refund"])),
    ],
];
