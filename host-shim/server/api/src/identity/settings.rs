//! `/api/auth/profile`, `/api/auth/me/…`, `/api/auth/address` and `/api/auth/sessions`: what users change about themselves. A new password
//! or address needs the current password, or a recent login through the issuer.

use super::mails::{NotSent, send, tell_proved, text, too_many};
use super::session::Session;
use super::{USER, given, proved, user_shown};
use crate::command::Answered;
use crate::description::{Access, Shape};
use crate::extract::PathPart;
use crate::mail_rate::MailSender;
use crate::problem::Problem;
use crate::rate::Tried;
use crate::server_route::ServerRoute;
use crate::shares::Peer;
use crate::state::AppState;
use crate::turn;
use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use extension_contract::FieldErrorCode;
use host_engine::time;
use host_identity::{Address, Link, LinkKind};
use serde_json::{Map, Value, json};
use tokio::sync::oneshot;

const PROFILE: &[&str] = &["name: string?"];
const NEW_PASSWORD: &[&str] = &["password: string?", "new_password: string"];
const NEW_ADDRESS: &[&str] = &["email: string", "password: string?"];
const OF_TOKEN: &[&str] = &["token: string"];
const OPEN_SESSION: Shape =
    Shape::new("ServerOpenSession", &["id: string", "is_current: boolean", "created_at: time", "expires_at: time"]);
const SESSIONS: Shape = Shape::new("ServerSessions", &["sessions: ServerOpenSession[]"]).with(&[&OPEN_SESSION]);

/// Returns the routes.
pub(super) fn routes() -> Vec<ServerRoute> {
    vec![
        ServerRoute::post("/api/auth/profile", "changeProfile", change_profile)
            .about("Changes the user's name; without `name`, the user has none.")
            .by(Access::Users)
            .body(PROFILE)
            .gives(&USER),
        ServerRoute::post("/api/auth/me/password", "changePassword", change_password)
            .about("Changes the user's password, and ends the user's other sessions.")
            .detail("403 `wrong-credentials` for a wrong `password`, `login-again` as for `/api/auth/erase`; 422 for a weak `new_password`.")
            .by(Access::Users)
            .body(NEW_PASSWORD),
        ServerRoute::post("/api/auth/me/address", "changeAddress", change_address)
            .about("Mails a link to a new address; the user keeps the former one until the link is used.")
            .detail("403 as for the password. The answer does not tell whether somebody else has the address.")
            .by(Access::Users)
            .body(NEW_ADDRESS)
            .status("202"),
        ServerRoute::post("/api/auth/address", "moveAddress", move_address)
            .about("Gives the user the new address by the token of the link, in a session of this user; ends the others.")
            .detail("409 `email-taken`, 410 `link-ended`.")
            .by(Access::Users)
            .body(OF_TOKEN)
            .gives(&USER),
        ServerRoute::get("/api/auth/sessions", "listSessions", sessions)
            .about("Where the user is logged in.")
            .by(Access::Users)
            .gives(&SESSIONS),
        ServerRoute::delete("/api/auth/sessions", "endOtherSessions", end_others)
            .about("Ends the user's sessions, except for this one.")
            .by(Access::Users),
        ServerRoute::delete("/api/auth/sessions/{id}", "endSession", end)
            .about("Ends a session of the user.")
            .by(Access::Users),
    ]
}

/// Refuses a user who does not prove again who it is: with the password, or if there is none, by a recent login through the issuer.
pub(super) async fn prove_again(app: &AppState, session: &Session, password: &str) -> Result<(), Problem> {
    let tried = Tried::Prove { user: &session.user.id };
    app.rates.tries(tried)?;
    let (users, password) = (session.users()?, password.to_owned());
    if !users.identity().has_password(&session.user.id)? {
        if !users.identity().is_fresh(&session.id, session.hosted.site.clock().now())? {
            let detail = "log in again, and do this within ten minutes";
            return Err(Problem::new(StatusCode::FORBIDDEN, "login-again", detail));
        }
    } else if !proved(|then| users.identity().in_turn(turn::current()).prove(&session.user.id, password, then)).await? {
        return Err(Problem::new(StatusCode::FORBIDDEN, "wrong-credentials", "the password is wrong"));
    }
    app.rates.succeeded(tried);
    Ok(())
}

/// Carries out `POST /api/auth/profile`.
async fn change_profile(
    State(app): State<AppState>,
    session: Session,
    headers: HeaderMap,
    body: Body,
) -> Result<Answered, Problem> {
    let given = given(&app, &headers, body, PROFILE).await?;
    let name = Some(text(&given, "name").trim()).filter(|name| !name.is_empty());
    let user = session.users()?.identity().users().rename(&session.user, name)?;
    Ok(Answered::ok(user_shown(&user)))
}

/// Carries out `POST /api/auth/me/password`.
async fn change_password(
    State(app): State<AppState>,
    session: Session,
    headers: HeaderMap,
    body: Body,
) -> Result<Answered, Problem> {
    let given = given(&app, &headers, body, NEW_PASSWORD).await?;
    prove_again(&app, &session, text(&given, "password")).await?;
    let (identity, now) = (session.users()?.identity().in_turn(turn::current()), session.hosted.site.clock().now());
    let (sender, answer) = oneshot::channel();
    let new = text(&given, "new_password").to_owned();
    // A request that has ended no longer waits for the answer.
    let then = move |changed| drop(sender.send(changed));
    identity.change_password((&session.user, &session.id), new, now, then)?;
    answer.await.map_err(|_| Problem::unavailable("the password was not changed"))??;
    Ok(Answered::ok(json!({})))
}

/// Carries out `POST /api/auth/me/address`: only whoever reads mails to the new address, and is logged in as this user, gets it.
async fn change_address(
    State(app): State<AppState>,
    session: Session,
    headers: HeaderMap,
    body: Body,
) -> Result<Answered, Problem> {
    let given = given(&app, &headers, body, NEW_ADDRESS).await?;
    prove_again(&app, &session, text(&given, "password")).await?;
    let wrong = |code, message: &str| Problem::invalid_value("body", "/email", code, message.to_owned());
    let address = Address::parse(text(&given, "email"));
    let address = address.ok_or_else(|| wrong(FieldErrorCode::BadFormat, "expected an e-mail address"))?;
    if address.as_str() == session.user.email {
        return Err(wrong(FieldErrorCode::NotAllowed, "this is your address already"));
    }
    let link = Link::new(LinkKind::Address, session.user.livemode, &address, session.account());
    let sender = Some(MailSender::User(&session.user.id));
    match send((&app, &session.hosted), sender, &[link], &Map::new()).await {
        Ok(()) => Ok(Answered::of(202, json!({}))),
        Err(NotSent::TooMany(seconds)) => Err(too_many(seconds)),
        Err(error) => {
            tracing::error!(%error, user = session.user.id, "the link to a new address was not sent");
            Err(Problem::unavailable("the mail was not sent"))
        }
    }
}

/// Carries out `POST /api/auth/address`.
async fn move_address(
    State(app): State<AppState>,
    session: Session,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Answered, Problem> {
    app.rates.login_from(peer.map(|Extension(peer)| peer), &headers)?;
    let given = given(&app, &headers, body, OF_TOKEN).await?;
    let (identity, now) = (session.users()?.identity(), session.hosted.site.clock().now());
    let (user, proof) = identity.move_address(text(&given, "token"), (&session.user, &session.id), now)?;
    tell_proved(&session.hosted, &user, &proof).await;
    Ok(Answered::ok(user_shown(&user)))
}

/// Carries out `GET /api/auth/sessions`.
async fn sessions(session: Session) -> Result<Answered, Problem> {
    let now = session.hosted.site.clock().now();
    let open = session.users()?.identity().users().sessions_of(&session.user.id, now)?.into_iter();
    let shown = open.map(|open| {
        json!({
            "id": open.id, "is_current": open.id == session.id,
            "created_at": time::text(open.created_at), "expires_at": time::text(open.expires_at),
        })
    });
    Ok(Answered::ok(json!({"sessions": shown.collect::<Vec<Value>>()})))
}

/// Carries out `DELETE /api/auth/sessions`.
async fn end_others(session: Session) -> Result<Answered, Problem> {
    let now = session.hosted.site.clock().now();
    session.users()?.identity().users().end_others(&session.user.id, &session.id, now)?;
    Ok(Answered::ok(json!({})))
}

/// Carries out `DELETE /api/auth/sessions/ID`.
async fn end(session: Session, PathPart(id): PathPart<String>) -> Result<Answered, Problem> {
    let now = session.hosted.site.clock().now();
    match session.users()?.identity().users().end_of(&session.user.id, &id, now)? {
        true => Ok(Answered::ok(json!({}))),
        false => Err(Problem::not_found("no open session with this id")),
    }
}
