//! Removes users who have never proved the address and have done nothing: anybody can register with any address, and nobody comes back.

use super::mails::close;
use crate::front::{Front, HostedSite};
use crate::problem::Problem;
use crate::query::read;
use extension_contract::{Account, ActorKind, Event, Payload};
use host_identity::User;
use host_routes::limits::IDLE_USER_DAYS;

/// Length of a day in milliseconds.
const DAY_MS: i64 = 86_400_000;
/// Users that are looked at together.
const TOGETHER: usize = 100;
/// Events of an account that are looked at. A registration leaves fewer.
const EVENTS_MAX: usize = 20;
/// What Stripe says of a customer that somebody else has made, who only registered.
const OF_CUSTOMERS: [&str; 2] = ["customer.created", "customer.updated"];

impl Front {
    /// Removes the users of all sites who have not proved their addresses for long, and have done nothing. A failure is logged: the next
    /// call goes on.
    pub async fn remove_idle_users(&self) {
        for site in self.hosted() {
            if let Err(problem) = remove_idle(site).await {
                tracing::error!(problem = problem.detail(), "idle users were not removed");
            }
        }
    }
}

async fn remove_idle(hosted: &HostedSite) -> Result<(), Problem> {
    let Some(users) = &hosted.users else { return Ok(()) };
    let (users, livemode) = (users.identity().users(), hosted.site.partition().livemode);
    let before = hosted.site.clock().now().saturating_sub(i64::from(IDLE_USER_DAYS).saturating_mul(DAY_MS));
    let mut after = String::new();
    loop {
        let page = users.unproved(livemode, before, &after, TOGETHER)?;
        let Some(last) = page.last() else { return Ok(()) };
        after.clone_from(&last.id);
        for user in page {
            if is_idle(hosted, &user).await? {
                let closed = close(hosted, Account::User(user.id.clone())).await;
                closed.map_err(|error| Problem::unavailable(error.to_string()))?;
                tracing::info!(user = user.id, "a user who has done nothing and has not proved the address is removed");
            }
        }
    }
}

/// Returns true if nothing has happened in a user's accounts but the registration.
async fn is_idle(hosted: &HostedSite, user: &User) -> Result<bool, Problem> {
    let users = hosted.users()?.identity().users();
    if !users.further_accounts(&user.id)?.is_empty() || !users.organizations_of(&user.id)?.is_empty() {
        return Ok(false);
    }
    let scope = hosted.site.partition().scope(Account::User(user.id.clone()));
    let rows = read(hosted, move |store| store.inbox_of(&scope, 0, EVENTS_MAX)).await?;
    Ok(rows.len() < EVENTS_MAX && rows.iter().all(|row| is_of_registration(&row.event, user)))
}

/// Returns true for what the server itself says of a new user, and what follows at Stripe.
fn is_of_registration(event: &Event, user: &User) -> bool {
    match &event.payload {
        Payload::Provider(_) => OF_CUSTOMERS.contains(&event.kind.as_str()),
        Payload::Command(_) => {
            let is_told = [format!("register:{}", user.id), format!("registered:{}", user.id)].contains(&event.id);
            is_told || event.actor.kind == ActorKind::System
        }
        _ => false,
    }
}
