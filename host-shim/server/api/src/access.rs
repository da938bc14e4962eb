//! Finds the caller behind the `Authorization` header or the session cookie, and the account that a request is about.

use crate::authenticator::Authenticator;
use crate::cookie;
use crate::problem::Problem;
use crate::state::HostedSite;
use axum::http::{HeaderMap, Method, StatusCode, header};
use extension_contract::{Account, ActorKind};
use host_identity::access::{Caller, Reach};
use host_identity::issuers::Checked;
use host_identity::{Users, UsersError};

/// Returns the caller of a request to a site. A key of a different business or mode is unknown.
pub(crate) async fn caller(
    authenticator: &dyn Authenticator,
    site: &HostedSite,
    method: &Method,
    headers: &HeaderMap,
) -> Result<Caller, Problem> {
    let Some(token) = token(site, method, headers)? else {
        return Err(unauthorized("expected one header `Authorization: Bearer KEY`"));
    };
    // A token with two dots is signed, by this server or by an issuer; a key has none.
    let found = match token.matches('.').count() {
        2 => signed(site, token).await?,
        _ => match authenticator.caller(token)? {
            Some(caller) if caller.partition == *site.site.partition() => match &site.users {
                Some(users) => with_user(users.identity().users(), caller)?,
                None => Some(caller),
            },
            other => other,
        },
    };
    match found.filter(|caller| caller.partition == *site.site.partition()) {
        Some(caller) => Ok(caller),
        None => Err(unauthorized("the key or token is unknown, has ended, or is of another business or mode")),
    }
}

/// Returns the caller of a key while its user exists: none after the user has left, or after an operator has become an ordinary user. In
/// an organization the key is valid while the user is a member. The business vouches for its programs, and for the users of another
/// server until their account is closed.
pub(crate) fn with_user(users: &Users, mut caller: Caller) -> Result<Option<Caller>, UsersError> {
    let (livemode, subject) = (caller.partition.livemode, &caller.actor.subject);
    let Some((user, _)) = users.by_id(livemode, subject)? else {
        let has_left = match caller.actor.kind {
            ActorKind::User => users.has_left(livemode, subject)?,
            _ => users.was_user(livemode, subject)?,
        };
        return Ok((!has_left).then_some(caller));
    };
    if caller.is_operator() && !user.is_operator {
        return Ok(None);
    }
    if let (ActorKind::User, Reach::Accounts(accounts)) = (caller.actor.kind, &mut caller.reach) {
        let joined = users.organizations_of(&user.id)?;
        let is_member = |id: &String| joined.iter().any(|(organization, _)| organization.id == *id);
        accounts.retain(|account| !matches!(account, Account::Organization(id) if !is_member(id)));
    }
    Ok(Some(caller))
}

/// Returns the caller of a signed token.
async fn signed(site: &HostedSite, token: &str) -> Result<Option<Caller>, Problem> {
    let Some(issuer) = site.issuers.iter().find(|issuer| issuer.is_named_in(token)) else {
        let users = site.users.as_ref().map(|users| users.identity().caller(token, site.site.clock().now()));
        return Ok(users.transpose()?.flatten());
    };
    let partition = site.site.partition();
    let checked = match issuer.caller(token, partition) {
        Checked::UnknownKey => {
            let asked = issuer.clone();
            // The issuer may have a new key. If it does not answer, the known keys are used.
            match tokio::task::spawn_blocking(move || asked.fetch_keys()).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::warn!(%error, "the keys of an issuer were not fetched"),
                Err(error) => tracing::error!(%error, "the keys of an issuer were not fetched"),
            }
            issuer.caller(token, partition)
        }
        known => known,
    };
    match checked {
        Checked::Caller(caller) => Ok(Some(*caller)),
        Checked::Invalid | Checked::UnknownKey => Ok(None),
    }
}

/// Returns the token of a request, from the `Authorization` header or else from the session cookie.
///
/// # Errors
/// Fails if a page of another server makes a request that changes something.
pub(crate) fn token<'h>(
    site: &HostedSite,
    method: &Method,
    headers: &'h HeaderMap,
) -> Result<Option<&'h str>, Problem> {
    if headers.contains_key(header::AUTHORIZATION) {
        return Ok(bearer(headers));
    }
    match cookie::read(site, headers, cookie::SESSION) {
        Some(_) if !method.is_safe() && !cookie::is_from_own_page(headers) => {
            Err(Problem::new(StatusCode::FORBIDDEN, "cross-origin", "a page of another server has made the request"))
        }
        token => Ok(token),
    }
}

/// Returns the token if there is exactly one header `Authorization: Bearer TOKEN`.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut named = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (named.next(), named.next()) else { return None };
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

pub(crate) fn unauthorized(detail: &str) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", detail)
}

/// Returns the account of a request: the one it names, or else the caller's own. An account that the caller may not access is forbidden,
/// whether it exists or not.
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
