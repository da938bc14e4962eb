//! `/api/auth/reset`, `/password`, `/confirm` and `/confirmation`: links by mail, which prove an address or set a password.

use super::session::Session;
use super::{LOGIN, Then, accepted, announce, answer, browser, given, note_language, shown, user_shown};
use crate::command::{self, Answered};
use crate::extract::Hosted;
use crate::front::{AppState, HostedSite};
use crate::problem::Problem;
use crate::query::read;
use crate::rate::Peer;
use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use extension_contract::{ADDRESS_CLAIMS, Account, Actor, ActorKind, address_hash};
use host::read::holder;
use host_identity::{Address, IdentityError, Link, LinkKind, User};
use host_intake::Decoded;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// The service as which the server tells the business of its users.
fn service() -> Actor {
    Actor { kind: ActorKind::Service, subject: "identity".to_owned(), roles: Vec::new() }
}

/// Sends a command of the server in an account.
pub(super) async fn command(hosted: &HostedSite, account: Account, kind: &str, payload: &Value) -> Result<(), String> {
    let random = host_identity::random("cmd_").map_err(|error| error.to_string())?;
    let event = command::event(hosted, random, service(), account, kind, payload.to_string());
    accepted(hosted, (Decoded { event, refusal: None, time: None }, Vec::new())).await
}

/// Makes a link and sends it by mail.
pub(super) async fn send(hosted: &HostedSite, link: &Link, values: Map<String, Value>) -> Result<(), String> {
    let users = hosted.users.as_ref().ok_or("the business has no users of its own")?;
    let reference = users.links.make(link, hosted.site.clock().now()).map_err(|error| error.to_string())?;
    let payload =
        json!({"template": link.kind.template(), "to": link.email, "values": values, "secrets": {"link": reference}});
    command(hosted, link.account.clone(), "account.notify", &payload).await
}

/// Returns the link of a user.
fn of_user(kind: LinkKind, user: &User) -> Link {
    let (email, account) = (user.email.clone(), Account::User(user.id.clone()));
    Link { kind, livemode: user.livemode, email, account, roles: Vec::new() }
}

/// Asks a new user to prove the address. A failure is logged: the user can ask for the mail again.
pub(super) async fn ask_to_confirm(hosted: &HostedSite, user: &User) {
    if let Err(error) = send(hosted, &of_user(LinkKind::Confirm, user), Map::new()).await {
        tracing::error!(%error, user = user.id, "the mail that proves an address was not sent");
    }
}

/// Carries out `POST /api/auth/confirmation`: sends the mail again.
pub(crate) async fn confirmation(State(app): State<AppState>, session: Session) -> Result<Answered, Problem> {
    app.rates.link(&session.hosted.site.partition().name(), &session.user.email)?;
    if session.user.confirmed_at.is_none() {
        ask_to_confirm(&session.hosted, &session.user).await;
    }
    Ok(Answered::of(202, json!({})))
}

/// Carries out `POST /api/auth/confirm`: the link has proved the address.
pub(crate) async fn confirm(
    State(app): State<AppState>,
    Hosted(hosted): Hosted,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Answered, Problem> {
    app.rates.login_from(peer.map(|Extension(peer)| peer), &headers)?;
    let given = given(&app, &headers, body, &["token"], &[]).await?;
    let identity = hosted.users()?.identity();
    let user = identity.confirm(text(&given, "token"), hosted.site.clock().now())?;
    tell_confirmed(&hosted, &user).await;
    Ok(Answered::ok(user_shown(&user)))
}

/// Tells the business of a proved address, so that a checkout by it finds the account. An account that such a checkout has made before
/// goes to the user. A failure is logged: the next proof repeats it.
async fn tell_confirmed(hosted: &HostedSite, user: &User) {
    let told = async {
        let claim = format!("{ADDRESS_CLAIMS}{}", address_hash(&user.email));
        let partition = hosted.site.partition().clone();
        let held = read(hosted, move |store| holder(store, &partition, &claim)).await;
        let own = Account::User(user.id.clone());
        match held.map_err(|_| "the store cannot be read")? {
            Some(made @ Account::User(_)) if made != own => {
                let users = hosted.users.as_ref().ok_or("the business has no users of its own")?;
                let added = users.identity().users().add_account(user.livemode, &made, &user.id);
                added.map(drop).map_err(|error| error.to_string())
            }
            Some(_) => Ok(()),
            None => command(hosted, own, "account.confirm", &json!({"email": user.email})).await,
        }
    };
    if let Err(error) = told.await {
        tracing::error!(%error, user = user.id, "the business was not told of a proved address");
    }
}

/// Carries out `POST /api/auth/reset`: sends a link to the address, if it has an account. The answer does not tell.
pub(crate) async fn reset(
    State(app): State<AppState>,
    Hosted(hosted): Hosted,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Answered, Problem> {
    app.rates.login_from(peer.map(|Extension(peer)| peer), &headers)?;
    let given = given(&app, &headers, body, &["email"], &[]).await?;
    let Some(address) = Address::parse(text(&given, "email")) else { return Ok(Answered::of(202, json!({}))) };
    app.rates.link(&hosted.site.partition().name(), address.as_str())?;
    let links = links_for(&hosted, &address)?;
    // The mails go out after the answer, whose time tells nothing either.
    tokio::spawn(send_all(hosted, links));
    Ok(Answered::of(202, json!({})))
}

async fn send_all(hosted: Arc<HostedSite>, links: Vec<Link>) {
    for link in links {
        if let Err(error) = send(&hosted, &link, Map::new()).await {
            tracing::error!(%error, "a link was not sent");
        }
    }
}

/// Returns the links for an address: to set a password, or to take over accounts that checkouts have made.
fn links_for(hosted: &HostedSite, address: &Address) -> Result<Vec<Link>, Problem> {
    let (identity, now) = (hosted.users()?.identity(), hosted.site.clock().now());
    let livemode = identity.partition().livemode;
    if let Some((user, _)) = identity.users().by_address(livemode, address)? {
        return Ok(vec![of_user(LinkKind::Reset, &user)]);
    }
    let claimable = identity.users().claimable(livemode, address, now)?.into_iter();
    let email = address.as_str();
    let link = |account| Link { kind: LinkKind::Claim, livemode, email: email.to_owned(), account, roles: Vec::new() };
    Ok(claimable.map(link).collect())
}

/// Carries out `POST /api/auth/password`: sets a password by a link, and logs the user in.
pub(crate) async fn password(
    State(app): State<AppState>,
    Hosted(hosted): Hosted,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let users = hosted.users()?;
    app.rates.login_from(peer.map(|Extension(peer)| peer), &headers)?;
    let given = given(&app, &headers, body, &["token", "password"], &[]).await?;
    let (token, password) = (text(&given, "token"), text(&given, "password").to_owned());
    let now = hosted.site.clock().now();
    let logged_in = answer(|then: Then| users.identity().set_password(token, password, now, then)).await?;
    note_language(users, &logged_in.user, &headers);
    if logged_in.user.announced_at.is_none() {
        announce(&hosted, users, &logged_in.user).await;
    }
    tell_confirmed(&hosted, &logged_in.user).await;
    Ok(browser::remembered(&hosted, users, &headers, &logged_in.user, Answered::ok(shown(&logged_in))))
}

/// Returns a text of a body, which was checked.
pub(super) fn text<'g>(given: &'g Map<String, Value>, name: &str) -> &'g str {
    given.get(name).and_then(Value::as_str).unwrap_or_default()
}

impl From<IdentityError> for Problem {
    fn from(error: IdentityError) -> Self {
        tracing::error!(%error, "{LOGIN}");
        Problem::unavailable("users cannot be read")
    }
}
