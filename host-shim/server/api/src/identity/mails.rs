//! `/api/auth/reset`, `/password`, `/confirm` and `/confirmation`: links sent by mail, which verify an address or set a password.

use super::session::Session;
use super::{LOGIN, SESSION, Then, USER, accepted, announce, answer, browser, given, note_language, shown, user_shown};
use crate::ask::read;
use crate::closing::{self, CLOSE};
use crate::command::{self, Answered};
use crate::description::Access;
use crate::extract::Hosted;
use crate::lists::List;
use crate::mail_rate::{MailSender, Mailbox};
use crate::problem::Problem;
use crate::server_route::ServerRoute;
use crate::shares::Peer;
use crate::state::{AppState, HostedSite};
use crate::turn;
use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use extension_contract::{ADDRESS_CLAIMS, Account, Actor, ActorKind, Question, address_hash};
use host_engine::read::holder;
use host_identity::{Address, IdentityError, Link, LinkError, LinkKind, Proof, User};
use host_intake::Decoded;
use serde_json::{Map, Value, json};
use std::ops::ControlFlow;

/// Message in the log if a user is not asked to verify the address.
pub(super) const UNCONFIRMED: &str = "the mail that proves an address was not sent";

/// The service that the server acts as when it informs the business about its users.
fn service() -> Actor {
    Actor { kind: ActorKind::Service, subject: "identity".to_owned(), roles: Vec::new() }
}

/// The reason why the server has not sent a command or one of its own mails.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotSent {
    /// The link in the mail was not created.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// The command was not stored.
    #[error("{0}")]
    Command(String),
    /// Too many mails were sent to the mailbox, or by the sender.
    #[error("too many mails: the next one may be sent in {0} s")]
    TooMany(u64),
}

/// The answer to a sender who has reached the mail limits.
pub(super) fn too_many(seconds: u64) -> Problem {
    Problem::too_many("too many mails went to this address, or were sent by you", seconds)
}

/// Sends a command of the server in an account.
pub(super) async fn command(hosted: &HostedSite, account: Account, kind: &str, payload: &Value) -> Result<(), NotSent> {
    command_as(hosted, service(), account, kind, payload).await
}

async fn command_as(
    hosted: &HostedSite,
    actor: Actor,
    account: Account,
    kind: &str,
    payload: &Value,
) -> Result<(), NotSent> {
    let random = host_identity::random("cmd_").map_err(LinkError::from)?;
    let event = command::event(hosted, random, actor, account, kind, payload.to_string());
    accepted(hosted, (Decoded::from(event), Vec::new())).await.map_err(NotSent::Command)
}

/// Closes an account, and deletes what the server stores about it.
pub(super) async fn close(hosted: &HostedSite, account: Account) -> Result<(), NotSent> {
    command(hosted, account.clone(), CLOSE, &json!({})).await?;
    closing::forget(hosted, &account);
    Ok(())
}

/// Creates links to one address and sends each of them by mail, in response to a request of the sender. Every mail that a request causes
/// is counted here.
pub(super) async fn send(
    (app, hosted): (&AppState, &HostedSite),
    sender: Option<MailSender<'_>>,
    links: &[Link],
    values: &Map<String, Value>,
) -> Result<(), NotSent> {
    let no_users = || NotSent::Command("the business has no users of its own".to_owned());
    let users = hosted.users.as_ref().ok_or_else(no_users)?;
    let Some(first) = links.first() else { return Ok(()) };
    let business = hosted.site.partition().name();
    let is_reset = matches!(first.kind, LinkKind::Reset | LinkKind::Claim);
    let mailbox = Mailbox { business: &business, address: &first.email, is_reset };
    app.rates.mails.take(sender, mailbox).map_err(NotSent::TooMany)?;
    for link in links {
        let reference = users.links.make(link, hosted.site.clock().now())?;
        let template = link.kind.template();
        let payload = json!({"template": template, "to": link.email, "values": values, "secrets": {"link": reference}});
        // Only the server itself may send a secret.
        command_as(hosted, Actor::system(), link.account.clone(), "account.notify", &payload).await?;
    }
    Ok(())
}

/// Returns the link of a user.
fn of_user(kind: LinkKind, user: &User) -> Link {
    let (email, account) = (user.email.clone(), Account::User(user.id.clone()));
    Link { kind, livemode: user.livemode, email, account, roles: Vec::new(), sender: None, cause: None }
}

/// Asks a new user to verify the address.
pub(super) async fn ask_to_confirm(
    app: &AppState,
    hosted: &HostedSite,
    sender: Option<MailSender<'_>>,
    user: &User,
) -> Result<(), NotSent> {
    send((app, hosted), sender, &[of_user(LinkKind::Confirm, user)], &Map::new()).await
}

const OF_TOKEN: &[&str] = &["token: string"];
const RESET: &[&str] = &["email: string"];
const PASSWORD: &[&str] = &["token: string", "password: string"];

/// Returns the routes.
pub(super) fn routes() -> Vec<ServerRoute> {
    vec![
        ServerRoute::post("/api/auth/reset", "resetPassword", reset)
            .about("Mails a link that sets a new password, if the address has an account.")
            .detail("The answer does not tell whether it has.")
            .by(Access::All)
            .body(RESET)
            .status("202"),
        ServerRoute::post("/api/auth/password", "setPassword", password)
            .about(
                "Sets a password by the token of a link of any kind but an invitation, ends all sessions, and logs in.",
            )
            .detail("410 `link-ended`.")
            .by(Access::All)
            .body(PASSWORD)
            .gives(&SESSION),
        ServerRoute::post("/api/auth/confirm", "confirmAddress", confirm)
            .about("Proves the address by the token of a link, in a session of the user to whom it went.")
            .detail("403 in that of another.")
            .by(Access::Users)
            .body(OF_TOKEN)
            .gives(&USER),
        ServerRoute::post("/api/auth/confirmation", "sendConfirmation", confirmation)
            .about("Mails the link that proves the address again.")
            .by(Access::Users)
            .status("202"),
    ]
}

/// Carries out `POST /api/auth/confirmation`: sends the mail again.
async fn confirmation(State(app): State<AppState>, session: Session) -> Result<Answered, Problem> {
    if session.user.confirmed_at.is_none() {
        let sender = Some(MailSender::User(&session.user.id));
        let sent = ask_to_confirm(&app, &session.hosted, sender, &session.user).await;
        match sent {
            Ok(()) => {}
            Err(NotSent::TooMany(seconds)) => return Err(too_many(seconds)),
            Err(error) => tracing::error!(%error, user = session.user.id, "{UNCONFIRMED}"),
        }
    }
    Ok(Answered::of(202, json!({})))
}

/// Carries out `POST /api/auth/confirm`: in a session of the user to whom it was sent, the link verifies the address. Otherwise the link
/// sets a new password, since somebody else may have registered with the address.
async fn confirm(
    State(app): State<AppState>,
    session: Session,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Answered, Problem> {
    app.rates.login_from(peer.map(|Extension(peer)| peer), &headers)?;
    let given = given(&app, &headers, body, OF_TOKEN).await?;
    let (identity, now) = (session.users()?.identity(), session.hosted.site.clock().now());
    let user = identity.confirm(text(&given, "token"), (&session.user, &session.id), now)?;
    tell_proved(&session.hosted, &user, &Proof::default()).await;
    Ok(Answered::ok(user_shown(&user)))
}

/// Informs the business of a verified address, so that a checkout with that address finds the account. An account that such a checkout
/// has already created is given to the user. Tokens that an unverified user created in an account are revoked. A failure is logged; the
/// next verification tries again.
pub(super) async fn tell_proved(hosted: &HostedSite, user: &User, proof: &Proof) {
    if let Some(account) = &proof.taken_over
        && let Err(problem) = revoke_tokens(hosted, account).await
    {
        tracing::error!(?problem, %account, "the tokens of an account that was taken over are not revoked");
    }
    let told = async {
        let claim = format!("{ADDRESS_CLAIMS}{}", address_hash(&user.email));
        let partition = hosted.site.partition().clone();
        let held = read(&hosted.site, move |store| holder(store, &partition, &claim)).await;
        let own = Account::User(user.id.clone());
        let made = match held.map_err(|_| NotSent::Command("the store cannot be read".to_owned()))? {
            Some(holder) if holder == own => return Ok(()),
            made => made,
        };
        if let (Some(made @ Account::User(_)), Some(users)) = (&made, &hosted.users) {
            let added = users.identity().users().add_account(user.livemode, made, &user.id);
            added.map_err(|error| NotSent::Command(error.to_string()))?;
        }
        // After a change, the account gives up its former address even if another account has the new one.
        match made.is_none() || proof.has_moved {
            true => command(hosted, own, "account.confirm", &json!({"email": user.email})).await,
            false => Ok(()),
        }
    };
    if let Err(error) = told.await {
        tracing::error!(%error, user = user.id, "the business was not told of a proved address");
    }
}

/// Revokes the tokens that are valid in an account.
async fn revoke_tokens(hosted: &HostedSite, account: &Account) -> Result<(), Problem> {
    let question = Question { account: account.clone(), actor: service(), at: hosted.site.clock().now() };
    let list = List { filter: Some("issued".to_owned()), ..List::new(question, "tokens") };
    let issued = list.each(hosted, Vec::new(), |ids: &mut Vec<String>, (id, _)| {
        ids.push(id);
        Ok(ControlFlow::Continue(()))
    });
    for id in issued.await? {
        let revoked = command(hosted, account.clone(), "token.revoke", &json!({"id": id})).await;
        revoked.map_err(|error| Problem::unavailable(error.to_string()))?;
    }
    Ok(())
}

/// Carries out `POST /api/auth/reset`: sends a link to the address, if it has an account. The answer does not reveal whether it has one,
/// nor whether so many links were requested that the last one must suffice.
async fn reset(
    State(app): State<AppState>,
    Hosted(hosted): Hosted,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Answered, Problem> {
    let peer = peer.map(|Extension(peer)| peer);
    app.rates.login_from(peer, &headers)?;
    let given = given(&app, &headers, body, RESET).await?;
    let Some(address) = Address::parse(text(&given, "email")) else { return Ok(Answered::of(202, json!({}))) };
    let links = links_for(&hosted, &address)?;
    let sender = app.rates.client(peer, &headers).map(MailSender::at);
    // The mails are sent after the answer, so that its timing reveals nothing either.
    tokio::spawn(turn::carry(async move {
        match send((&app, &hosted), sender, &links, &Map::new()).await {
            Ok(()) => {}
            Err(NotSent::TooMany(_)) => tracing::info!("a link was not sent: too many were asked for with its address"),
            Err(error) => tracing::error!(%error, "a link was not sent"),
        }
    }));
    Ok(Answered::of(202, json!({})))
}

/// Returns the links for an address: to set a password, or to take over accounts created by checkouts.
fn links_for(hosted: &HostedSite, address: &Address) -> Result<Vec<Link>, Problem> {
    let identity = hosted.users()?.identity();
    let livemode = identity.partition().livemode;
    let user = identity.users().by_address(livemode, address)?;
    let reset = user.map(|(user, _)| of_user(LinkKind::Reset, &user));
    let claimable = identity.users().claimable(livemode, address)?.into_iter();
    let claims = claimable.map(|account| Link::new(LinkKind::Claim, livemode, address, account));
    Ok(reset.into_iter().chain(claims).collect())
}

/// Carries out `POST /api/auth/password`: sets a password with a link, and logs the user in.
async fn password(
    State(app): State<AppState>,
    Hosted(hosted): Hosted,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let users = hosted.users()?;
    app.rates.login_from(peer.map(|Extension(peer)| peer), &headers)?;
    let given = given(&app, &headers, body, PASSWORD).await?;
    let (token, password) = (text(&given, "token"), text(&given, "password").to_owned());
    let now = hosted.site.clock().now();
    let identity = users.identity().in_turn(turn::current());
    let logged_in = answer(|then: Then| identity.set_password(token, password, now, then)).await?;
    note_language(users, &logged_in.user, &headers);
    if logged_in.user.announced_at.is_none() {
        announce(&hosted, users, &logged_in.user).await;
    }
    tell_proved(&hosted, &logged_in.user, &logged_in.proof).await;
    Ok(browser::remembered(&hosted, users, &headers, &logged_in.user, Answered::ok(shown(&logged_in))))
}

/// Returns a string from a body that has been checked.
pub(super) fn text<'g>(given: &'g Map<String, Value>, name: &str) -> &'g str {
    given.get(name).and_then(Value::as_str).unwrap_or_default()
}

impl From<IdentityError> for Problem {
    fn from(error: IdentityError) -> Self {
        tracing::error!(%error, "{LOGIN}");
        Problem::unavailable("users cannot be read")
    }
}
