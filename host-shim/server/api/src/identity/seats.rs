//! The seats of an organization: its members use an entitlement of its account if the policy `members` says so.

use super::session::Session;
use crate::ask::asked;
use crate::problem::Problem;
use crate::query::{UNLIMITED, upgrades};
use axum::http::StatusCode;
use extension_contract::{Account, Actor, Question};
use host_engine::processor::Questions;
use serde_json::{Value, json};

/// Returns how many members an organization may have; none if there is no limit.
pub(super) async fn allowed(session: &Session, organization: &str) -> Result<Option<u32>, Problem> {
    let Some(key) = session.users()?.seats.clone() else { return Ok(None) };
    let question = question(session, organization);
    let found = asked(&session.hosted.site, move |answerer| answerer.ask_entitlements(&question)).await?;
    let allowed = found.iter().find(|row| row.key == key).map_or(0, |row| row.allowed);
    Ok((allowed != UNLIMITED).then(|| u32::try_from(allowed).unwrap_or(u32::MAX)))
}

/// Refuses the invitation of an address if every seat has a member or another invited address. The refusal contains the products that
/// give more seats.
pub(super) async fn check_free(session: &Session, organization: &str, email: &str) -> Result<(), Problem> {
    let Some(allowed) = allowed(session, organization).await? else { return Ok(()) };
    let (users, now) = (session.users()?.identity().users(), session.hosted.site.clock().now());
    let members = users.members(organization)?;
    if members.iter().any(|(user, _)| user.email == email) {
        return Ok(());
    }
    let invited = users.invitations(session.user.livemode, organization, now)?;
    let used = members.len() + invited.iter().filter(|open| open.email != email).count();
    if used < allowed as usize {
        return Ok(());
    }
    let question = question(session, organization);
    let offers = asked(&session.hosted.site, move |answerer| answerer.ask_catalog(&question)).await?;
    let key = session.users()?.seats.as_deref().unwrap_or_default();
    let detail = format!(
        "all {allowed} seats of the organization are used, by members or open invitations: add seats, choose a larger plan or remove somebody"
    );
    let problem = Problem::new(StatusCode::CONFLICT, "no-free-seat", detail);
    Err(problem.with("limit", json!(allowed)).with("upgrades", json!(upgrades(&offers, key, i64::from(allowed)))))
}

/// Returns what the list of members shows about seats; null if members use none.
pub(super) async fn shown(session: &Session, organization: &str, members: usize) -> Result<Value, Problem> {
    if session.users()?.seats.is_none() {
        return Ok(Value::Null);
    }
    let allowed = allowed(session, organization).await?;
    Ok(json!({"used": members, "limit": allowed.map_or(UNLIMITED, i64::from)}))
}

fn question(session: &Session, organization: &str) -> Question {
    let account = Account::Organization(organization.to_owned());
    Question { account, actor: Actor::system(), at: session.hosted.site.clock().now() }
}
