//! The sandbox's own account.

use crate::api::{Route, route};
use crate::error::ApiError;
use crate::model::account;

/// The endpoints.
pub const ROUTES: &[Route] = &[
    route("GET", "/v1/account", &[], |st, _, _| Ok(account::own(&st.settings).value())),
    route("GET", "/v1/accounts/{}", &[], |st, ids, _| {
        if ids[0] == account::own_id(&st.settings) {
            return Ok(account::own(&st.settings).value());
        }
        let message = format!(
            "The provided key does not have access to account '{}' (or that account does not exist). Application access may have been revoked.",
            ids[0]
        );
        Err(ApiError { status: 403, ..ApiError::coded("account_invalid", message) })
    }),
];
