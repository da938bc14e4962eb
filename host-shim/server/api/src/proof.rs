//! Decides what requires a verified address. Until a user has verified the address, it may be somebody else's, and whoever verifies it
//! gets the account. So an unverified user can buy and use the user's own account, but cannot contact anybody else, and leaves nothing
//! behind in the account that would remain active.

use crate::access::unauthorized;
use crate::problem::Problem;
use crate::state::HostedSite;
use axum::http::StatusCode;
use extension_contract::{Account, ActorKind};
use host_identity::access::Caller;
use host_identity::{Address, User};
use serde_json::Value;

/// The command that sends the address of an account to Stripe.
const REGISTER: &str = "account.register";
/// The commands whose results outlast the session in which they were sent: payouts go to whoever has connected an account at Stripe.
const COMMANDS: [&str; 1] = ["account.connect"];

/// The user has not verified the address yet.
pub(crate) fn unproved() -> Problem {
    let detail =
        "prove your address first, by the link that was mailed to it; `POST /api/auth/confirmation` mails it again";
    Problem::new(StatusCode::FORBIDDEN, "address-not-proved", detail)
}

/// Returns the user of this server that a caller acts as; none for operators, services, and users of another server. A user who has left
/// does not count as a user of another server.
fn user_of(hosted: &HostedSite, caller: &Caller) -> Result<Option<User>, Problem> {
    let Some(users) = hosted.users.as_ref().filter(|_| caller.actor.kind == ActorKind::User) else { return Ok(None) };
    let livemode = hosted.site.partition().livemode;
    let (users, subject) = (users.identity().users(), &caller.actor.subject);
    match users.by_id(livemode, subject)? {
        None if users.has_left(livemode, subject)? => Err(unauthorized("the user has left")),
        found => Ok(found.map(|(user, _)| user)),
    }
}

/// Returns true for a user who has not verified the address, and for whoever acts in such a user's own account.
pub(crate) fn is_unproved(hosted: &HostedSite, caller: &Caller) -> Result<bool, Problem> {
    if let Some(user) = user_of(hosted, caller)? {
        return Ok(user.confirmed_at.is_none());
    }
    let (Some(users), Some(Account::User(id))) = (hosted.users.as_ref(), caller.own_account()) else {
        return Ok(false);
    };
    let found = users.identity().users().by_id(hosted.site.partition().livemode, id)?;
    Ok(found.is_some_and(|(user, _)| user.confirmed_at.is_none()))
}

/// Refuses a user who has not verified the address.
pub(crate) fn needs_proof(hosted: &HostedSite, caller: &Caller) -> Result<(), Problem> {
    match user_of(hosted, caller)? {
        Some(user) if user.confirmed_at.is_none() => Err(unproved()),
        _ => Ok(()),
    }
}

/// Refuses a command that requires a verified address, or that contains an address which is not the user's own.
pub(crate) fn may_give(hosted: &HostedSite, caller: &Caller, kind: &str, payload: &str) -> Result<(), Problem> {
    if COMMANDS.contains(&kind) {
        return needs_proof(hosted, caller);
    }
    if kind != REGISTER {
        return Ok(());
    }
    let Some(user) = user_of(hosted, caller)? else { return Ok(()) };
    let named: Option<Value> = serde_json::from_str(payload).ok();
    let email = named.as_ref().and_then(|payload| payload.get("email")).and_then(Value::as_str);
    let is_own = |email: &str| Address::parse(email).is_some_and(|address| address.as_str() == user.email);
    match email.is_none_or(is_own) {
        true => Ok(()),
        false => Err(Problem::forbidden("a user registers with the own address only")),
    }
}
