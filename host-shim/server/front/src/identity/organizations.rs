//! `/api/auth/organizations/…`, `/api/auth/invitation` and `/api/auth/join`: organizations, their members, and invitations by mail.

use super::mails::{command, send, text};
use super::session::Session;
use super::{given, user_shown};
use crate::command::Answered;
use crate::extract::{Asked, Named};
use crate::front::AppState;
use crate::problem::Problem;
use crate::rate::Tried;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use extension_contract::{Account, FieldErrorCode};
use host_identity::{Address, Link, LinkKind, OWNER, Organization, Removed, Users, UsersError, random};
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// Maximum length of a name in characters.
const NAME_CHARS_MAX: usize = 200;
/// Maximum number of organizations of a user.
const ORGANIZATIONS_MAX: usize = 100;

impl Session {
    /// Returns an organization and the user's roles in it. One of others looks like an unknown one.
    fn organization(&self, id: &str) -> Result<(Organization, Vec<String>), Problem> {
        let all = self.users()?.identity().users().organizations_of(&self.user.id)?;
        let found = all.into_iter().find(|(organization, _)| organization.id == id);
        found.ok_or_else(|| Problem::not_found("no organization with this id"))
    }

    /// Returns an organization that the user owns.
    fn owned(&self, id: &str) -> Result<Organization, Problem> {
        let (organization, roles) = self.organization(id)?;
        match roles.iter().any(|role| role == OWNER) {
            true => Ok(organization),
            false => Err(Problem::forbidden("only an owner of the organization may do this")),
        }
    }

    fn file(&self) -> Result<&Users, Problem> {
        Ok(self.users()?.identity().users())
    }
}

fn organization_shown(organization: &Organization, roles: &[String]) -> Value {
    json!({
        "id": organization.id,
        "name": organization.name,
        "account": Account::Organization(organization.id.clone()).to_string(),
        "roles": roles,
        "created_at": host::time::text(organization.created_at),
    })
}

fn wrong(path: &str, code: FieldErrorCode, message: String) -> Problem {
    Problem::invalid_value("body", path, code, message)
}

/// Carries out `POST /api/auth/organizations`: makes an organization whose owner is the user.
pub(crate) async fn found(
    State(app): State<AppState>,
    session: Session,
    headers: HeaderMap,
    body: Body,
) -> Result<Answered, Problem> {
    let given = given(&app, &headers, body, &["name"], &[]).await?;
    let name = text(&given, "name").trim();
    if name.is_empty() || name.chars().count() > NAME_CHARS_MAX || name.chars().any(char::is_control) {
        let message = format!("expected 1 to {NAME_CHARS_MAX} characters in one line");
        return Err(wrong("/name", FieldErrorCode::OutOfRange, message));
    }
    if session.file()?.organizations_of(&session.user.id)?.len() >= ORGANIZATIONS_MAX {
        let detail = format!("expected at most {ORGANIZATIONS_MAX} organizations of a user");
        return Err(Problem::new(StatusCode::CONFLICT, "too-many-organizations", detail));
    }
    let created_at = session.hosted.site.clock().now();
    let organization = Organization { id: random("org_")?, name: name.to_owned(), created_at };
    session.file()?.found(session.user.livemode, &organization, &session.user.id)?;
    Ok(Answered::of(201, organization_shown(&organization, &[OWNER.to_owned()])))
}

/// Carries out `GET /api/auth/organizations`.
pub(crate) async fn list(session: Session) -> Result<Answered, Problem> {
    let all = session.file()?.organizations_of(&session.user.id)?;
    let all: Vec<Value> = all.iter().map(|(organization, roles)| organization_shown(organization, roles)).collect();
    Ok(Answered::ok(json!({"organizations": all})))
}

/// Carries out `DELETE /api/auth/organizations/ID`: closes the organization's account, as an owner.
pub(crate) async fn dissolve(session: Session, Named(id): Named<String>) -> Result<Answered, Problem> {
    let organization = session.owned(&id)?;
    let account = Account::Organization(organization.id.clone());
    let closed = command(&session.hosted, account, "account.close", &json!({})).await;
    closed.map_err(|error| {
        tracing::error!(%error, organization = id, "an organization was not closed");
        Problem::unavailable("the organization was not closed")
    })?;
    session.file()?.dissolve(session.user.livemode, &organization.id)?;
    Ok(Answered::ok(json!({})))
}

/// Carries out `GET /api/auth/organizations/ID/members`.
pub(crate) async fn members(session: Session, Named(id): Named<String>) -> Result<Answered, Problem> {
    let (organization, _) = session.organization(&id)?;
    let shown =
        session.file()?.members(&organization.id)?.into_iter().map(
            |(user, roles)| json!({"user": {"id": user.id, "email": user.email, "name": user.name}, "roles": roles}),
        );
    Ok(Answered::ok(json!({"members": shown.collect::<Vec<Value>>()})))
}

/// Carries out `DELETE /api/auth/organizations/ID/members/USER`: an owner removes a member, or a member leaves.
pub(crate) async fn remove(session: Session, Named((id, user)): Named<(String, String)>) -> Result<Answered, Problem> {
    let organization = match user == session.user.id {
        true => session.organization(&id)?.0,
        false => session.owned(&id)?,
    };
    match session.file()?.remove(&organization.id, &user)? {
        Removed::Done => Ok(Answered::ok(json!({}))),
        Removed::Unknown => Err(Problem::not_found("no member with this id")),
        Removed::LastOwner => {
            Err(Problem::new(StatusCode::CONFLICT, "last-owner", "an organization keeps at least one owner"))
        }
    }
}

/// Carries out `POST /api/auth/organizations/ID/invitations`: an owner invites an address with roles.
pub(crate) async fn invite(
    State(app): State<AppState>,
    session: Session,
    Named(id): Named<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Answered, Problem> {
    let organization = session.owned(&id)?;
    app.rates.tries(Tried::Invite { user: &session.user.id })?;
    let given = given(&app, &headers, body, &["email", "role"], &[]).await?;
    let address = Address::parse(text(&given, "email"));
    let address =
        address.ok_or_else(|| wrong("/email", FieldErrorCode::BadFormat, "expected an e-mail address".to_owned()))?;
    let (role, known) = (text(&given, "role"), &session.users()?.roles);
    if !known.iter().any(|known| known == role) {
        return Err(wrong("/role", FieldErrorCode::NotAllowed, format!("expected {}", known.join(", "))));
    }
    let link = Link {
        kind: LinkKind::Invitation,
        livemode: session.user.livemode,
        email: address.as_str().to_owned(),
        account: Account::Organization(organization.id.clone()),
        roles: vec![role.to_owned()],
    };
    let values = [("organization", organization.name.as_str()), ("role", role)];
    let values: Map<String, Value> = values.map(|(name, value)| (name.to_owned(), json!(value))).into_iter().collect();
    send(&session.hosted, &link, values).await.map_err(|error| {
        tracing::error!(%error, organization = id, "an invitation was not sent");
        Problem::unavailable("the invitation was not sent")
    })?;
    Ok(Answered::of(202, json!({"email": link.email, "role": role})))
}

/// The query of `GET /api/auth/invitation`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Invited {
    token: String,
}

/// Returns an invitation that still works and went to the user's own address, and its organization.
fn invitation(session: &Session, token: &str) -> Result<(Link, Organization), Problem> {
    let identity = session.users()?.identity();
    let link = identity.link(token, &[LinkKind::Invitation], session.hosted.site.clock().now())?;
    if link.email != session.user.email {
        return Err(Problem::forbidden("the invitation went to another address"));
    }
    let Account::Organization(id) = &link.account else { return Err(Problem::not_found("no organization")) };
    let organization = identity.users().organization(session.user.livemode, id)?;
    let organization = organization.ok_or_else(|| Problem::not_found("the organization was dissolved"))?;
    Ok((link, organization))
}

/// Carries out `GET /api/auth/invitation`: tells the user what an invitation is for.
pub(crate) async fn invited(session: Session, Asked(asked): Asked<Invited>) -> Result<Answered, Problem> {
    let (link, organization) = invitation(&session, &asked.token)?;
    Ok(Answered::ok(json!({"organization": organization.name, "roles": link.roles, "email": link.email})))
}

/// Carries out `POST /api/auth/join`: the user accepts an invitation.
pub(crate) async fn join(
    State(app): State<AppState>,
    session: Session,
    headers: HeaderMap,
    body: Body,
) -> Result<Answered, Problem> {
    let given = given(&app, &headers, body, &["token"], &[]).await?;
    let (link, organization) = invitation(&session, text(&given, "token"))?;
    session.users()?.identity().use_link(text(&given, "token"))?;
    session.file()?.join(&organization.id, &session.user.id, &link.roles, session.hosted.site.clock().now())?;
    let (organization, roles) = session.organization(&organization.id)?;
    let mut shown = organization_shown(&organization, &roles);
    shown["user"] = user_shown(&session.user);
    Ok(Answered::ok(shown))
}

/// Returns the organizations that a user owns.
pub(super) fn owned_by(users: &Users, user: &str) -> Result<Vec<String>, UsersError> {
    let all = users.organizations_of(user)?.into_iter();
    Ok(all.filter(|(_, roles)| roles.iter().any(|role| role == OWNER)).map(|(of, _)| of.id).collect())
}
