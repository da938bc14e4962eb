//! `/api/auth/…`: users register, log in and log out. The token in the answer is the user's key for all other paths.
//!
//! A business learns of a new user through the fact `user.registered`, if it declares that fact, and through the command
//! `account.register`, which creates the customer at Stripe. Neither delays the registration; whatever failed is repeated at the next
//! login and at the next start.

mod browser;
pub(crate) mod issuers;
pub(crate) mod mails;
pub(crate) mod organizations;
mod own_data;
mod seats;
mod session;
mod settings;
pub(crate) mod site_users;

use crate::accept::accept;
use crate::access::{token, unauthorized};
use crate::body;
use crate::command::{self, Answered};
use crate::cookie;
use crate::description::{Access, Answer, Shape};
use crate::extract::{Hosted, Open};
use crate::mail_rate::MailSender;
use crate::problem::Problem;
use crate::rate::Tried;
use crate::server_route::ServerRoute;
use crate::shares::Peer;
use crate::state::{AppState, HostedSite};
use crate::turn;
use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use extension_contract::{Account, Actor, ActorKind};
use host_business::pages::Locale;
use host_business::routes::limits::CREDENTIAL_BYTES_MAX;
use host_identity::{Address, IdentityError, LoggedIn, NewUser, Refused, User};
use host_intake::Decoded;
use host_intake::raw;
use mails::{NotSent, UNCONFIRMED};
use serde_json::{Map, Value, json};
use session::Session;
use site_users::{REGISTERED, SiteUsers};
use tokio::sync::oneshot;

/// Message in the log if the user database fails.
const LOGIN: &str = "a user was not registered or logged in";

impl HostedSite {
    pub(crate) fn users(&self) -> Result<&SiteUsers, Problem> {
        self.users.as_ref().ok_or_else(|| Problem::not_found("the business has no users of its own"))
    }
}

pub(crate) const USER: Shape = Shape::new(
    "ServerUser",
    &[
        "id: string",
        "email: string",
        "name: string?",
        "is_operator: boolean",
        "is_confirmed: boolean",
        "created_at: time",
    ],
);
const ME: Shape = Shape::new("ServerMe", &["...ServerUser", "has_password: boolean"]).with(&[&USER]);
const SESSION: Shape =
    Shape::new("ServerSession", &["user: ServerUser", "token: string", "expires_at: time"]).with(&[&USER]);
const REGISTRATION: &[&str] = &["email: string", "password: string", "name: string?"];
const LOG_IN: &[&str] = &["email: string", "password: string"];

/// Returns the routes of users and organizations.
pub(crate) fn routes() -> Vec<ServerRoute> {
    let mut routes = vec![
        ServerRoute::post("/api/auth/register", "register", register)
            .about("Makes a user and logs the user in. A mail asks to prove the address.")
            .detail("409 `email-taken`, 422 for a weak password.")
            .by(Access::All)
            .body(REGISTRATION)
            .status("201")
            .gives(&SESSION),
        ServerRoute::post("/api/auth/login", "logIn", log_in)
            .about("Logs a user in.")
            .detail("401 `wrong-credentials`, also for an unknown address.")
            .by(Access::All)
            .body(LOG_IN)
            .gives(&SESSION),
        ServerRoute::post("/api/auth/logout", "logOut", log_out)
            .about("Ends the session of the token.")
            .by(Access::Users),
        ServerRoute::post("/api/auth/logout/everywhere", "logOutEverywhere", log_out_everywhere)
            .about("Ends all sessions of the user.")
            .by(Access::Users),
        ServerRoute::get("/api/auth/me", "getMe", me)
            .about("The user of the token, and whether the user has a password.")
            .by(Access::Users)
            .gives(&ME),
    ];
    routes.extend(issuers::routes());
    routes.extend(mails::routes());
    routes.extend(own_data::routes());
    routes.extend(settings::routes());
    routes.extend(organizations::routes());
    routes.push(
        ServerRoute::get("/.well-known/jwks.json", "getKeys", key_set)
            .about("The public keys, with which other programs verify tokens.")
            .by(Access::All)
            .answers(Answer::Json),
    );
    routes
}

/// Carries out `POST /api/auth/register`.
async fn register(
    State(app): State<AppState>,
    Hosted(hosted): Hosted,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let users = hosted.users()?;
    let peer = peer.map(|Extension(peer)| peer);
    app.rates.login_from(peer, &headers)?;
    let given = given(&app, &headers, body, REGISTRATION).await?;
    let text = |name: &str| given.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let name = given.get("name").and_then(Value::as_str).map(str::to_owned);
    let new = NewUser { email: text("email"), password: text("password"), name, is_operator: false };
    let now = hosted.site.clock().now();
    app.rates.registers(turn::address())?;
    let identity = users.identity().in_turn(turn::current());
    let registered = answer(|then| identity.register(new, now, then)).await;
    let registered = registered.inspect_err(|_| app.rates.not_registered(turn::address()))?;
    note_language(users, &registered.user, &headers);
    announce(&hosted, users, &registered.user).await;
    let sender = app.rates.client(peer, &headers).map(MailSender::at);
    // The user can request the mail again.
    match mails::ask_to_confirm(&app, &hosted, sender, &registered.user).await {
        Ok(()) => {}
        Err(NotSent::TooMany(_)) => tracing::info!(user = registered.user.id, "{UNCONFIRMED}: too many went there"),
        Err(error) => tracing::error!(%error, user = registered.user.id, "{UNCONFIRMED}"),
    }
    Ok(browser::remembered(&hosted, users, &headers, &registered.user, Answered::of(201, shown(&registered))))
}

/// Carries out `POST /api/auth/login`.
async fn log_in(
    State(app): State<AppState>,
    Hosted(hosted): Hosted,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let users = hosted.users()?;
    app.rates.login_from(peer.map(|Extension(peer)| peer), &headers)?;
    let given = given(&app, &headers, body, LOG_IN).await?;
    let text = |name: &str| given.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (email, password) = (text("email"), text("password"));
    let now = hosted.site.clock().now();
    // Only an address can belong to a user. Other strings count against the sender's own address alone.
    let address = Address::parse(&email);
    let browser = address.as_ref().and_then(|address| browser::known(&hosted, users, &headers, address));
    let business = hosted.site.partition().name();
    let tried = address
        .as_ref()
        .map(|address| Tried::LogIn { user: (&business, address.as_str()), browser: browser.as_deref() });
    tried.map(|tried| app.rates.tries(tried)).transpose()?;
    let identity = users.identity().in_turn(turn::current());
    let logged_in = answer(|then| identity.log_in(&email, password, now, then)).await;
    if !matches!(&logged_in, Err(problem) if problem.is_unauthorized()) {
        tried.inspect(|tried| app.rates.succeeded(*tried));
    }
    let logged_in = logged_in?;
    note_language(users, &logged_in.user, &headers);
    if logged_in.user.announced_at.is_none() {
        announce(&hosted, users, &logged_in.user).await;
    }
    Ok(browser::remembered(&hosted, users, &headers, &logged_in.user, Answered::ok(shown(&logged_in))))
}

/// Carries out `POST /api/auth/logout`: ends the session of the token, and deletes the cookie from the browser.
async fn log_out(Open(hosted): Open, method: Method, headers: HeaderMap) -> Result<Response, Problem> {
    let users = hosted.users()?;
    let token = token(&hosted, &method, &headers)?;
    let token = token.ok_or_else(|| unauthorized("expected `Authorization: Bearer TOKEN`"))?;
    users.identity().log_out(token, hosted.site.clock().now()).map_err(Problem::from)?;
    Ok(logged_out(&hosted, &headers))
}

/// Carries out `POST /api/auth/logout/everywhere`: ends all sessions of the user, including those on machines that somebody else has.
async fn log_out_everywhere(session: Session, headers: HeaderMap) -> Result<Response, Problem> {
    let now = session.hosted.site.clock().now();
    session.users()?.identity().log_out_everywhere(&session.user, now).map_err(Problem::from)?;
    Ok(logged_out(&session.hosted, &headers))
}

/// Returns the answer to a logout, which deletes the cookies of the session.
fn logged_out(hosted: &HostedSite, headers: &HeaderMap) -> Response {
    let mut response = Answered::ok(json!({})).into_response();
    for cookie in cookie::end_session(hosted, headers) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

/// Carries out `GET /api/auth/me`: the user of the token.
async fn me(session: Session) -> Result<Answered, Problem> {
    let mut shown = user_shown(&session.user);
    shown["has_password"] = json!(session.users()?.identity().has_password(&session.user.id)?);
    Ok(Answered::ok(shown))
}

/// Carries out `GET /.well-known/jwks.json`: the public keys of the tokens.
async fn key_set(Open(hosted): Open) -> Response {
    match hosted.users() {
        Ok(users) => Answered::ok(users.identity().key_set()).into_response(),
        Err(problem) => problem.into_response(),
    }
}

/// Reads a body with these members.
async fn given(
    app: &AppState,
    headers: &HeaderMap,
    body: Body,
    members: &[&str],
) -> Result<Map<String, Value>, Problem> {
    body::members(app, headers, body, CREDENTIAL_BYTES_MAX, members).await
}

/// Receives the answer of a thread that hashes passwords.
type Then = Box<dyn FnOnce(Result<LoggedIn, Refused>) + Send>;

/// Waits for the answer of a thread that hashes passwords.
async fn answer(ask: impl FnOnce(Then) -> Result<(), Refused>) -> Result<LoggedIn, Problem> {
    let (sender, answer) = oneshot::channel();
    let told = match ask(Box::new(move |told| drop(sender.send(told)))) {
        Ok(()) => answer.await.map_err(|_| Problem::unavailable("the login was not answered"))?,
        Err(refused) => Err(refused),
    };
    told.map_err(Problem::from)
}

/// Waits for a thread that verifies a password.
async fn proved(ask: impl FnOnce(Box<dyn FnOnce(bool) + Send>) -> Result<(), Refused>) -> Result<bool, Problem> {
    let (sender, answer) = oneshot::channel();
    // A request that has ended no longer waits for the answer.
    ask(Box::new(move |is_right| sender.send(is_right).unwrap_or_default()))?;
    answer.await.map_err(|_| Problem::unavailable("the password was not verified"))
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Invalid(errors) => Problem::invalid("body", errors.as_slice()),
            Refused::Taken => Problem::new(StatusCode::CONFLICT, "email-taken", "a user has this address"),
            Refused::Wrong => {
                Problem::new(StatusCode::UNAUTHORIZED, "wrong-credentials", "the address or the password is wrong")
            }
            Refused::NoLink => {
                Problem::new(StatusCode::GONE, "link-ended", "the link is unknown, was used or has expired")
            }
            Refused::NoSeat => Problem::new(
                StatusCode::CONFLICT,
                "no-free-seat",
                "all seats of the organization are used: ask an owner for one",
            ),
            Refused::OfAnother => Problem::forbidden("the link went to another address"),
            Refused::Unproved => Problem::new(
                StatusCode::FORBIDDEN,
                "address-not-proved",
                "the issuer has proved no address of yours: prove one there, or register with a password",
            ),
            Refused::Failed(IdentityError::Busy(_)) => Problem::too_many("too many logins at the same time", 1),
            Refused::Failed(error) => Problem::from(error),
        }
    }
}

impl From<host_identity::UsersError> for Problem {
    fn from(_: host_identity::UsersError) -> Self {
        Problem::unavailable("users cannot be read")
    }
}

fn user_shown(user: &User) -> Value {
    json!({
        "id": user.id,
        "email": user.email,
        "name": user.name,
        "is_operator": user.is_operator,
        "is_confirmed": user.confirmed_at.is_some(),
        "created_at": host_engine::time::text(user.created_at),
    })
}

fn shown(logged_in: &LoggedIn) -> Value {
    json!({
        "user": user_shown(&logged_in.user),
        "token": logged_in.token,
        "expires_at": host_engine::time::text(logged_in.expires_at),
    })
}

/// Stores the language of the user's browser, in which mails are written. A failure is logged; the next login tries again.
fn note_language(users: &SiteUsers, user: &User, headers: &HeaderMap) {
    let Some(accepted) = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()) else { return };
    if let Err(error) = users.identity().users().speaks(&user.id, Locale::accepted(accepted).tag) {
        tracing::warn!(%error, user = user.id, "the language of a user was not noted");
    }
}

/// Announces a user to the business: sends the fact, if it is declared, and the command that creates the customer. A failure is logged,
/// and the next login or start tries again.
pub(crate) async fn announce(hosted: &HostedSite, users: &SiteUsers, user: &User) {
    let told = async {
        if let Some(members) = &users.told {
            accepted(hosted, fact(hosted, user, members)?).await?;
        }
        accepted(hosted, registration(hosted, user)).await
    };
    let now = hosted.site.clock().now();
    let noted = match told.await {
        Ok(()) => users.identity().users().announced(&user.id, now).map_err(|error| error.to_string()),
        Err(error) => Err(error),
    };
    if let Err(error) = noted {
        tracing::error!(%error, user = user.id, "the business was not told of a user; it is told at the next login or start");
    }
}

/// Announces all users who have not been announced to the business yet.
pub(crate) async fn announce_all(hosted: &HostedSite) {
    let Some(users) = &hosted.users else { return };
    match users.identity().users().unannounced(hosted.site.partition().livemode) {
        Ok(waiting) => {
            for user in waiting {
                announce(hosted, users, &user).await;
            }
        }
        Err(error) => tracing::error!(%error, "the users to announce cannot be read"),
    }
}

/// Sends an event and waits for its commit.
async fn accepted(hosted: &HostedSite, (decoded, raw): (Decoded, Vec<u8>)) -> Result<(), String> {
    accept(&hosted.site, decoded, raw).await.map(drop).map_err(|problem| problem.detail().to_owned())
}

fn account(user: &User) -> Account {
    Account::User(user.id.clone())
}

/// Returns the fact, with the members that the business declares.
fn fact(hosted: &HostedSite, user: &User, members: &[String]) -> Result<(Decoded, Vec<u8>), String> {
    let all = [("user_id", Some(&user.id)), ("email", Some(&user.email)), ("name", user.name.as_ref())];
    let declared = all.iter().filter(|(name, _)| members.iter().any(|member| member == name));
    let data: Map<String, Value> =
        declared.filter_map(|(name, value)| Some(((*name).to_owned(), json!(value.as_ref()?)))).collect();
    let body = json!({
        "id": format!("registered:{}", user.id), "event": REGISTERED, "account": account(user).to_string(), "data": data,
    });
    let raw = body.to_string().into_bytes();
    let partition = hosted.site.partition();
    let decoded = raw::read(raw.clone(), &partition.business, hosted.site.clock().now());
    let mut decoded = decoded.map_err(|error| error.to_string())?;
    decoded.event.livemode.get_or_insert(partition.livemode);
    Ok((decoded, raw))
}

/// Returns the command that creates the customer.
fn registration(hosted: &HostedSite, user: &User) -> (Decoded, Vec<u8>) {
    let actor = Actor { kind: ActorKind::User, subject: user.id.clone(), roles: Vec::new() };
    let payload = json!({"email": user.email, "name": user.name}).to_string();
    let id = format!("register:{}", user.id);
    let event = command::event(hosted, id, actor, account(user), "account.register", payload);
    (Decoded::from(event), Vec::new())
}
