//! The endpoint for mandates, which are created by confirmed debits and setups.

use crate::api::{Route, route};

/// The endpoints.
pub const ROUTES: &[Route] =
    &[route("GET", "/v1/mandates/{}", &[], |st, ids, _| Ok(st.load("mandate", ids[0], "id")?.value()))];
