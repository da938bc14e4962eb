//! Finds the user behind the token of a session.

use crate::access::{token, unauthorized};
use crate::extract::{Counted, Hosted};
use crate::identity::site_users::SiteUsers;
use crate::problem::Problem;
use crate::proof::unproved;
use crate::state::{AppState, HostedSite};
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use extension_contract::Account;
use host_identity::User;
use std::sync::Arc;

/// A request of a user with a session.
pub(crate) struct Session {
    pub(super) hosted: Arc<HostedSite>,
    pub(super) user: User,
    /// Id of the session.
    pub(super) id: String,
}

impl FromRequestParts<AppState> for Session {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, Problem> {
        let Hosted(hosted) = Hosted::from_request_parts(parts, app).await?;
        let now = hosted.site.clock().now();
        let token = token(&hosted, &parts.method, &parts.headers)?;
        let found = token.map(|token| hosted.users()?.identity().user(token, now).map_err(Problem::from));
        let is_counted = parts.extensions.get::<Counted>().is_some();
        match found.transpose()?.flatten() {
            Some((user, id)) => {
                if !is_counted {
                    app.of_user(&hosted.site.partition().name(), &user)?;
                }
                Ok(Session { hosted, user, id })
            }
            None => {
                if !is_counted {
                    app.rates.stranger(parts.extensions.get().copied(), &parts.headers)?;
                }
                Err(unauthorized("the token is not valid: log in"))
            }
        }
    }
}

impl Session {
    /// Returns the users of the site.
    pub(super) fn users(&self) -> Result<&SiteUsers, Problem> {
        self.hosted.users()
    }

    /// Refuses a user who has not verified the address.
    pub(super) fn needs_proof(&self) -> Result<(), Problem> {
        self.user.confirmed_at.map(drop).ok_or_else(unproved)
    }

    /// Returns the user's own account.
    pub(super) fn account(&self) -> Account {
        Account::User(self.user.id.clone())
    }
}
