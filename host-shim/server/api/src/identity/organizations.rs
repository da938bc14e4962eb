//! `/api/auth/organizations/…`, `/api/auth/invitation` and `/api/auth/join`: organizations, their members, and invitations by mail.

use super::mails::{NotSent, close, send, tell_proved, text, too_many};
use super::seats;
use super::session::Session;
use super::{USER, given, user_shown};
use crate::command::Answered;
use crate::description::{Access, Shape};
use crate::extract::{Hosted, PathPart, QueryOf};
use crate::mail_rate::MailSender;
use crate::problem::Problem;
use crate::proof::unproved;
use crate::rate::Tried;
use crate::server_route::ServerRoute;
use crate::state::AppState;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use extension_contract::{Account, FieldErrorCode};
use host_identity::{
    Address, INVITATIONS_MAX, Link, LinkError, LinkKind, OWNER, Organization, Proof, Removed, Users, UsersError,
    fits_in_mail, random,
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// Maximum length of a name in characters.
const NAME_CHARS_MAX: usize = 100;
/// Maximum number of organizations of a user.
const ORGANIZATIONS_MAX: usize = 100;

const ORGANIZATION: Shape = Shape::new(
    "ServerOrganization",
    &["id: string", "name: string", "account: string", "roles: string[]", "created_at: time"],
);
const ORGANIZATIONS: Shape =
    Shape::new("ServerOrganizations", &["organizations: ServerOrganization[]"]).with(&[&ORGANIZATION]);
const JOINED: Shape =
    Shape::new("ServerJoined", &["...ServerOrganization", "user: ServerUser"]).with(&[&ORGANIZATION, &USER]);
const MEMBER_USER: Shape = Shape::new("ServerMemberUser", &["id: string", "email: string", "name: string?"]);
const MEMBER: Shape = Shape::new("ServerMember", &["user: ServerMemberUser", "roles: string[]"]).with(&[&MEMBER_USER]);
const SEATS: Shape = Shape::new("ServerSeats", &["used: integer", "limit: integer"]);
const MEMBERS: Shape =
    Shape::new("ServerMembers", &["members: ServerMember[]", "roles: string[]", "seats: ServerSeats?"])
        .with(&[&MEMBER, &SEATS]);
const INVITATION: Shape = Shape::new("ServerInvitation", INVITE);
const OPEN_INVITATION: Shape = Shape::new(
    "ServerOpenInvitation",
    &["id: string", "email: string", "roles: string[]", "sender: string?", "expires_at: time"],
);
const OPEN_INVITATIONS: Shape =
    Shape::new("ServerOpenInvitations", &["invitations: ServerOpenInvitation[]"]).with(&[&OPEN_INVITATION]);
const INVITED: Shape = Shape::new("ServerInvited", &["organization: string", "roles: string[]", "email: string"]);
const FOUND: &[&str] = &["name: string"];
const INVITE: &[&str] = &["email: string", "role: string"];
const JOIN: &[&str] = &["token: string"];

/// Returns the routes.
pub(super) fn routes() -> Vec<ServerRoute> {
    vec![
        ServerRoute::get("/api/auth/organizations", "listOrganizations", list)
            .about("The organizations of the user.")
            .by(Access::Users)
            .gives(&ORGANIZATIONS),
        ServerRoute::post("/api/auth/organizations", "makeOrganization", found)
            .about("Makes an organization, whose `owner` is the user.")
            .by(Access::Users)
            .body(FOUND)
            .status("201")
            .gives(&ORGANIZATION),
        ServerRoute::delete("/api/auth/organizations/{id}", "closeOrganization", dissolve)
            .about("Closes the organization's account.")
            .by(Access::Owners),
        ServerRoute::get("/api/auth/organizations/{id}/members", "listMembers", members)
            .about("The members of an organization with their roles, the `roles` that members may have, and, if members use seats, how many it has.")
            .by(Access::Members)
            .gives(&MEMBERS),
        ServerRoute::delete("/api/auth/organizations/{id}/members/{user}", "removeMember", remove)
            .about("Removes a member; members may remove themselves.")
            .detail("409 `last-owner`.")
            .by(Access::Owners),
        ServerRoute::post("/api/auth/organizations/{id}/invitations", "invite", invite)
            .about("Invites an address by mail.")
            .detail("The roles are those of `may`; 409 `too-many-invitations` if 50 are open, `no-free-seat` if all seats are used.")
            .by(Access::Owners)
            .body(INVITE)
            .status("202")
            .gives(&INVITATION),
        ServerRoute::get("/api/auth/organizations/{id}/invitations", "listInvitations", invitations)
            .about("The invitations that nobody has accepted yet.")
            .by(Access::Owners)
            .gives(&OPEN_INVITATIONS),
        ServerRoute::delete("/api/auth/organizations/{id}/invitations/{invitation}", "withdrawInvitation", withdraw)
            .about("Withdraws an invitation.")
            .by(Access::Owners),
        ServerRoute::get("/api/auth/invitation", "getInvitation", invited)
            .about("What an invitation is for, and to whom it went.")
            .detail("Who is logged in reads only invitations to the own address; else 403.")
            .by(Access::All)
            .query(&["token: string"])
            .gives(&INVITED),
        ServerRoute::post("/api/auth/join", "join", join)
            .about("Accepts an invitation that went to the user's own address, which proves the address.")
            .detail("409 `no-free-seat`.")
            .by(Access::Users)
            .body(JOIN)
            .gives(&JOINED),
    ]
}

impl Session {
    /// Returns an organization and the user's roles in it. Organizations of other users look like unknown ones.
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
        "created_at": host_engine::time::text(organization.created_at),
    })
}

fn wrong(path: &str, code: FieldErrorCode, message: String) -> Problem {
    Problem::invalid_value("body", path, code, message)
}

/// Carries out `POST /api/auth/organizations`: creates an organization owned by the user.
async fn found(
    State(app): State<AppState>,
    session: Session,
    headers: HeaderMap,
    body: Body,
) -> Result<Answered, Problem> {
    session.needs_proof()?;
    let given = given(&app, &headers, body, FOUND).await?;
    let name = text(&given, "name").trim();
    if !fits_in_mail(name) {
        let message = "expected a name in one line, without addresses, links and invisible characters: it stands in mails to invited people";
        return Err(wrong("/name", FieldErrorCode::NotAllowed, message.to_owned()));
    }
    if name.is_empty() || name.chars().count() > NAME_CHARS_MAX {
        let message = format!("expected 1 to {NAME_CHARS_MAX} characters");
        return Err(wrong("/name", FieldErrorCode::OutOfRange, message));
    }
    if session.file()?.organizations_of(&session.user.id)?.len() >= ORGANIZATIONS_MAX {
        let detail = format!("expected at most {ORGANIZATIONS_MAX} organizations of a user");
        return Err(Problem::new(StatusCode::CONFLICT, "too-many-organizations", detail));
    }
    app.rates.organization(&session.user.id)?;
    let created_at = session.hosted.site.clock().now();
    let organization = Organization { id: random("org_")?, name: name.to_owned(), created_at };
    if !session.file()?.found(session.user.livemode, &organization, &session.user.id)? {
        return Err(unproved());
    }
    Ok(Answered::of(201, organization_shown(&organization, &[OWNER.to_owned()])))
}

/// Carries out `GET /api/auth/organizations`.
async fn list(session: Session) -> Result<Answered, Problem> {
    let all = session.file()?.organizations_of(&session.user.id)?;
    let all: Vec<Value> = all.iter().map(|(organization, roles)| organization_shown(organization, roles)).collect();
    Ok(Answered::ok(json!({"organizations": all})))
}

/// Carries out `DELETE /api/auth/organizations/ID`: an owner closes the organization's account.
async fn dissolve(
    State(app): State<AppState>,
    session: Session,
    PathPart(id): PathPart<String>,
) -> Result<Answered, Problem> {
    let organization = session.owned(&id)?;
    app.rates.organization(&session.user.id)?;
    let account = Account::Organization(organization.id.clone());
    close(&session.hosted, account).await.map_err(|error| {
        tracing::error!(%error, organization = id, "an organization was not closed");
        Problem::unavailable("the organization was not closed")
    })?;
    session.file()?.dissolve(session.user.livemode, &organization.id)?;
    Ok(Answered::ok(json!({})))
}

/// Carries out `GET /api/auth/organizations/ID/members`.
async fn members(session: Session, PathPart(id): PathPart<String>) -> Result<Answered, Problem> {
    let (organization, _) = session.organization(&id)?;
    let shown =
        session.file()?.members(&organization.id)?.into_iter().map(
            |(user, roles)| json!({"user": {"id": user.id, "email": user.email, "name": user.name}, "roles": roles}),
        );
    let shown: Vec<Value> = shown.collect();
    let seats = seats::shown(&session, &organization.id, shown.len()).await?;
    let roles = &session.users()?.roles;
    Ok(Answered::ok(json!({"members": shown, "roles": roles, "seats": seats})))
}

/// Carries out `DELETE /api/auth/organizations/ID/members/USER`: an owner removes a member, or a member leaves.
async fn remove(session: Session, PathPart((id, user)): PathPart<(String, String)>) -> Result<Answered, Problem> {
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
async fn invite(
    State(app): State<AppState>,
    session: Session,
    PathPart(id): PathPart<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Answered, Problem> {
    let organization = session.owned(&id)?;
    session.needs_proof()?;
    app.rates.tries(Tried::Invite { user: &session.user.id })?;
    let given = given(&app, &headers, body, INVITE).await?;
    let address = Address::parse(text(&given, "email"));
    let address =
        address.ok_or_else(|| wrong("/email", FieldErrorCode::BadFormat, "expected an e-mail address".to_owned()))?;
    let (role, known) = (text(&given, "role"), &session.users()?.roles);
    if !known.iter().any(|known| known == role) {
        return Err(wrong("/role", FieldErrorCode::NotAllowed, format!("expected {}", known.join(", "))));
    }
    seats::check_free(&session, &organization.id, address.as_str()).await?;
    let account = Account::Organization(organization.id.clone());
    let link = Link::new(LinkKind::Invitation, session.user.livemode, &address, account);
    let link = Link { roles: vec![role.to_owned()], sender: Some(session.user.id.clone()), ..link };
    let values = [("organization", organization.name.as_str()), ("role", role)];
    let values: Map<String, Value> = values.map(|(name, value)| (name.to_owned(), json!(value))).into_iter().collect();
    let sender = Some(MailSender::User(&session.user.id));
    let sent = send((&app, &session.hosted), sender, std::slice::from_ref(&link), &values).await;
    match sent {
        Ok(()) => Ok(Answered::of(202, json!({"email": link.email, "role": role}))),
        Err(NotSent::TooMany(seconds)) => Err(too_many(seconds)),
        Err(NotSent::Link(LinkError::NotAllowed)) => {
            let detail =
                format!("expected at most {INVITATIONS_MAX} open invitations of an organization: withdraw some");
            Err(Problem::new(StatusCode::CONFLICT, "too-many-invitations", detail))
        }
        Err(error) => {
            tracing::error!(%error, organization = id, "an invitation was not sent");
            Err(Problem::unavailable("the invitation was not sent"))
        }
    }
}

/// Carries out `GET /api/auth/organizations/ID/invitations`: the invitations that nobody has accepted yet.
async fn invitations(session: Session, PathPart(id): PathPart<String>) -> Result<Answered, Problem> {
    let (organization, now) = (session.owned(&id)?, session.hosted.site.clock().now());
    let open = session.file()?.invitations(session.user.livemode, &organization.id, now)?.into_iter();
    let shown = open.map(|open| {
        json!({
            "id": open.id, "email": open.email, "roles": open.roles, "sender": open.sender,
            "expires_at": host_engine::time::text(open.expires_at),
        })
    });
    Ok(Answered::ok(json!({"invitations": shown.collect::<Vec<Value>>()})))
}

/// Carries out `DELETE /api/auth/organizations/ID/invitations/INVITATION`: an owner withdraws an invitation.
async fn withdraw(
    session: Session,
    PathPart((id, invitation)): PathPart<(String, String)>,
) -> Result<Answered, Problem> {
    let (organization, now) = (session.owned(&id)?, session.hosted.site.clock().now());
    match session.file()?.withdraw(session.user.livemode, &organization.id, &invitation, now)? {
        true => Ok(Answered::ok(json!({}))),
        false => Err(Problem::not_found("no open invitation with this id")),
    }
}

/// The query of `GET /api/auth/invitation`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Invited {
    token: String,
}

/// Carries out `GET /api/auth/invitation`: shows what an invitation is for. Whoever has its token has read the mail, or is shown it by
/// the invited person, so it tells a visitor too where to log in.
async fn invited(
    Hosted(hosted): Hosted,
    session: Result<Session, Problem>,
    QueryOf(asked): QueryOf<Invited>,
) -> Result<Answered, Problem> {
    let (identity, now) = (hosted.users()?.identity(), hosted.site.clock().now());
    let (link, organization) = match session {
        Ok(session) => identity.invitation(&asked.token, &session.user, now)?,
        Err(problem) if problem.is_unauthorized() => identity.open_invitation(&asked.token, now)?,
        Err(problem) => return Err(problem),
    };
    Ok(Answered::ok(json!({"organization": organization.name, "roles": link.roles, "email": link.email})))
}

/// Carries out `POST /api/auth/join`: the user accepts an invitation, which verifies the address.
async fn join(
    State(app): State<AppState>,
    session: Session,
    headers: HeaderMap,
    body: Body,
) -> Result<Answered, Problem> {
    let given = given(&app, &headers, body, JOIN).await?;
    let (identity, now) = (session.users()?.identity(), session.hosted.site.clock().now());
    let token = text(&given, "token");
    let (_, organization) = identity.invitation(token, &session.user, now)?;
    let seats = seats::allowed(&session, &organization.id).await?;
    let (user, organization) = identity.join(token, (&session.user, &session.id), seats, now)?;
    if session.user.confirmed_at.is_none() {
        tell_proved(&session.hosted, &user, &Proof::default()).await;
    }
    let (organization, roles) = session.organization(&organization.id)?;
    let mut shown = organization_shown(&organization, &roles);
    shown["user"] = user_shown(&user);
    Ok(Answered::ok(shown))
}

/// Returns the organizations that a user owns.
pub(super) fn owned_by(users: &Users, user: &str) -> Result<Vec<String>, UsersError> {
    let all = users.organizations_of(user)?.into_iter();
    Ok(all.filter(|(_, roles)| roles.iter().any(|role| role == OWNER)).map(|(of, _)| of.id).collect())
}
