//! The endpoints of lists that are always empty: clients request these lists, but the sandbox has no such objects.

use serde_json::json;

use crate::api::listing::{AFTER, BEFORE, CREATED, LIMIT};
use crate::api::{Route, route};
use crate::params::{Field, inert};

/// The accepted filters; they have no effect on an empty list.
const ASKED: &[Field] = &[
    LIMIT,
    AFTER,
    BEFORE,
    CREATED,
    inert("active"),
    inert("arrival_date"),
    inert("charge"),
    inert("currency"),
    inert("customer"),
    inert("destination"),
    inert("invoice"),
    inert("object"),
    inert("payment_intent"),
    inert("status"),
    inert("type"),
];

/// Builds the rows of the endpoint table. The `url` of the list contains the ids of the path.
macro_rules! empty {
    ($($path:literal),* $(,)?) => {
        &[$(route("GET", $path, ASKED, |_, ids, _| {
            let url = ids.iter().fold($path.to_owned(), |url, id| url.replacen("{}", id, 1));
            Ok(json!({ "object": "list", "url": url, "has_more": false, "data": [], "_listing": true }))
        })),*]
    };
}

/// The endpoints.
pub const ROUTES: &[Route] = empty![
    "/v1/country_specs",
    "/v1/identity/verification_reports",
    "/v1/identity/verification_sessions",
    "/v1/issuing/authorizations",
    "/v1/issuing/cardholders",
    "/v1/issuing/cards",
    "/v1/issuing/disputes",
    "/v1/issuing/transactions",
    "/v1/radar/early_fraud_warnings",
    "/v1/reviews",
];
