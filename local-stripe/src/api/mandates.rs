//! The endpoint of mandates, which confirmed debits and setups make.

use crate::api::{Route, route};

/// The endpoints.
pub const ROUTES: &[Route] =
    &[route("GET", "/v1/mandates/{}", &[], |st, ids, _| Ok(st.load("mandate", ids[0], "id")?.value()))];
