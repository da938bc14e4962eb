//! Finds the caller behind the header `Authorization`, and the account that a request is about.

use crate::front::HostedSite;
use crate::problem::Problem;
use axum::http::{HeaderMap, StatusCode, header};
use extension_contract::Account;
use host_access::{AccessError, Caller, Keys, Token};

/// Finds the caller of a bearer token.
pub trait Authenticator: Send + Sync {
    /// Returns the caller of a token; none if the token is not valid.
    ///
    /// # Errors
    /// Fails if the tokens cannot be read.
    fn caller(&self, token: &str) -> Result<Option<Caller>, AccessError>;
}

impl Authenticator for Keys {
    fn caller(&self, token: &str) -> Result<Option<Caller>, AccessError> {
        match Token::parse(token) {
            Ok(token) => self.verify(&token),
            Err(_) => Ok(None),
        }
    }
}

/// Returns the caller of a request to a site. A key of another business or mode is unknown.
pub(crate) fn caller(
    authenticator: &dyn Authenticator,
    site: &HostedSite,
    headers: &HeaderMap,
) -> Result<Caller, Problem> {
    let Some(token) = bearer(headers) else {
        return Err(unauthorized("expected one header `Authorization: Bearer KEY`"));
    };
    // A token with two dots is that of a session; a key has none.
    let found = match (&site.users, token.matches('.').count()) {
        (Some(users), 2) => users.identity().caller(token, site.site.clock().now())?,
        _ => authenticator.caller(token)?,
    };
    match found.filter(|caller| caller.partition == *site.site.partition()) {
        Some(caller) => Ok(caller),
        None => Err(unauthorized("the key or token is unknown, has ended, or is of another business or mode")),
    }
}

/// Returns the token of the only header `Authorization: Bearer TOKEN`.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut named = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (named.next(), named.next()) else { return None };
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

pub(crate) fn unauthorized(detail: &str) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", detail)
}

/// Returns the account of a request: the named one, or else the caller's own. An account that the caller does
/// not reach is forbidden, whether it exists or not.
pub(crate) fn account(caller: &Caller, named: Option<&str>) -> Result<Account, Problem> {
    let account = match named {
        None => caller.own_account().cloned().ok_or_else(|| {
            Problem::bad("account", "expected `account` in the query: `user:ID`, `organization:ID` or `platform`")
        })?,
        Some(text) => text.parse().map_err(|error| Problem::bad("account", format!("{error}")))?,
    };
    match caller.reaches(&account) {
        true => Ok(account),
        false => Err(Problem::forbidden("the key does not reach this account")),
    }
}
