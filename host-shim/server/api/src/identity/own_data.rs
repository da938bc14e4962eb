//! `/api/auth/export` and `/api/auth/erase`: exports what the server knows about a user, and deletes it.

use super::mails::{close, text};
use super::organizations::owned_by;
use super::session::Session;
use super::settings::prove_again;
use super::{USER, given, user_shown};
use crate::ask::ask;
use crate::command::Answered;
use crate::description::{Access, Shape};
use crate::lists::List;
use crate::problem::Problem;
use crate::server_route::ServerRoute;
use crate::state::{AppState, HostedSite};
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use extension_contract::{Account, Actor, ActorKind, Question};
use futures_util::StreamExt;
use futures_util::future::ready;
use futures_util::stream::{once, try_unfold};
use host_business::routes::LISTS;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

const EXPORT: Shape =
    Shape::new("ServerExport", &["user: ServerUser", "organizations: json", "accounts: json"]).with(&[&USER]);
const ERASURE: &[&str] = &["password: string?"];

/// Returns the routes.
pub(super) fn routes() -> Vec<ServerRoute> {
    vec![
        ServerRoute::get("/api/auth/export", "exportData", export)
            .about("Everything that the server knows of the user and the user's accounts.")
            .detail("The answer is streamed; a failure cuts it off.")
            .by(Access::Users)
            .gives(&EXPORT),
        ServerRoute::post("/api/auth/erase", "eraseUser", erase)
            .about("Closes the user's accounts and deletes the user; the business erases the rest after its policy `erase_after`.")
            .detail("Who has no password logs in at the issuer at most ten minutes before; else 403 `login-again`.")
            .by(Access::Users)
            .body(ERASURE),
    ]
}

impl Session {
    /// Returns the user's own accounts.
    fn accounts(&self) -> Result<Vec<Account>, Problem> {
        let further = self.users()?.identity().users().further_accounts(&self.user.id)?;
        Ok(std::iter::once(self.account()).chain(further).collect())
    }
}

/// Carries out `GET /api/auth/export`: the user, the organizations, and every list of the user's own accounts. The answer is written
/// while the lists are read, page by page, so its length is limited only by theirs.
async fn export(session: Session) -> Result<Response, Problem> {
    let organizations = session.users()?.identity().users().organizations_of(&session.user.id)?;
    let organizations = organizations.iter().map(|(of, roles)| json!({"id": of.id, "name": of.name, "roles": roles}));
    let head = json!({"user": user_shown(&session.user), "organizations": organizations.collect::<Vec<Value>>()});
    let at = session.hosted.site.clock().now();
    let mut lists = VecDeque::new();
    for account in session.accounts()? {
        let Account::User(subject) = &account else { continue };
        let actor = Actor { kind: ActorKind::User, subject: subject.clone(), roles: Vec::new() };
        let question = Question { account, actor, at };
        lists.extend(LISTS.into_iter().map(|kind| List::new(question.clone(), kind)));
    }
    let mut export = Export { hosted: session.hosted.clone(), lists, account: None, list: None };
    // An immediate failure is answered with a problem. A later one cuts the answer short, and the client can see that it is incomplete.
    let mut begin = head.to_string();
    begin.truncate(begin.len() - 1);
    begin.push_str(",\"accounts\":{");
    let first = export.next().await?;
    let rest = try_unfold(Some(export), |export| async move {
        let Some(mut export) = export else { return Ok(None) };
        match export.next().await {
            Ok(Some(text)) => Ok(Some((text, Some(export)))),
            Ok(None) => Ok(Some(("}}".to_owned(), None))),
            Err(problem) => {
                tracing::error!(problem = problem.detail(), "an export was cut");
                Err(io::Error::other("the export was cut"))
            }
        }
    });
    let begun = once(ready(Ok::<_, io::Error>(begin + &first.unwrap_or_default())));
    let body = Body::from_stream(begun.chain(rest));
    Ok(([(header::CONTENT_TYPE, "application/json")], body).into_response())
}

/// The lists of an export that still have to be written.
struct Export {
    hosted: Arc<HostedSite>,
    lists: VecDeque<List>,
    /// The account whose lists are being written, and whether one has been written.
    account: Option<(Account, bool)>,
    /// The list of which a row has been written.
    list: Option<&'static str>,
}

impl Export {
    /// Returns the text of the next page of a list, or none at the end of the last list.
    async fn next(&mut self) -> Result<Option<String>, Problem> {
        let Some(mut list) = self.lists.pop_front() else { return Ok(None) };
        let asked = ask(&self.hosted.site, move |answerer| list.page(answerer).map(|page| (list, page)));
        let (list, (rows, is_last)) = asked.await??;
        let mut text = String::new();
        let account = &list.question.account;
        if self.account.as_ref().is_none_or(|(before, _)| before != account) {
            let separator = if self.account.is_some() { "," } else { "" };
            text.push_str(&format!("{separator}{}:{{", json!(account.to_string())));
            self.account = Some((account.clone(), false));
        }
        for (_, row) in &rows {
            match (self.list, &mut self.account) {
                (Some(_), _) => text.push(','),
                (None, Some((_, has_lists))) => {
                    text.push_str(&format!("{}{}:[", if *has_lists { "," } else { "" }, json!(list.kind)));
                    (*has_lists, self.list) = (true, Some(list.kind));
                }
                (None, None) => {}
            }
            text.push_str(&row.to_string());
        }
        if !is_last {
            self.lists.push_front(list);
            return Ok(Some(text));
        }
        if self.list.take().is_some() {
            text.push(']');
        }
        if self.lists.front().is_none_or(|next| next.question.account != *account) {
            text.push('}');
        }
        Ok(Some(text))
    }
}

/// Carries out `POST /api/auth/erase`: closes the user's own accounts and deletes the user. The business erases the personal data in the
/// accounts after the time in its `erase_after` policy. For a user without a password, a recent login through the issuer takes the place
/// of the password.
async fn erase(
    State(app): State<AppState>,
    session: Session,
    headers: HeaderMap,
    body: Body,
) -> Result<Answered, Problem> {
    let given = given(&app, &headers, body, ERASURE).await?;
    let users = session.users()?;
    prove_again(&app, &session, text(&given, "password")).await?;
    let owned = owned_by(users.identity().users(), &session.user.id)?;
    if !owned.is_empty() {
        let detail = "the user owns organizations: dissolve them, or make another owner and leave";
        let problem = Problem::new(StatusCode::CONFLICT, "owns-organizations", detail);
        return Err(problem.with("organizations", json!(owned)));
    }
    // The user's own account comes last: its user is deleted with it, and could not try again.
    for account in session.accounts()?.into_iter().rev() {
        close(&session.hosted, account).await.map_err(|error| {
            tracing::error!(%error, user = session.user.id, "an account was not closed");
            Problem::unavailable("the account was not closed")
        })?;
    }
    users.identity().users().delete(&session.user, session.hosted.site.clock().now())?;
    Ok(Answered::ok(json!({})))
}
