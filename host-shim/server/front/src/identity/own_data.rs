//! `/api/auth/export` and `/api/auth/erase`: what the server knows of a user, and its end.

use super::mails::{command, text};
use super::organizations::owned_by;
use super::session::Session;
use super::{given, proved, user_shown};
use crate::command::Answered;
use crate::front::AppState;
use crate::problem::Problem;
use crate::products::whole_list;
use crate::query::asked;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use extension_contract::{Account, Actor, ActorKind, Question};
use host_routes::LISTS;
use serde_json::{Map, Value, json};

impl Session {
    /// Returns the user's own accounts.
    fn accounts(&self) -> Result<Vec<Account>, Problem> {
        let further = self.users()?.identity().users().further_accounts(&self.user.id)?;
        Ok(std::iter::once(self.account()).chain(further).collect())
    }
}

/// Carries out `GET /api/auth/export`: the user, the organizations, and every list of the own accounts.
pub(crate) async fn export(session: Session) -> Result<Answered, Problem> {
    let mut accounts = Map::new();
    for account in session.accounts()? {
        let (name, subject) = match &account {
            Account::User(id) => (account.to_string(), id.clone()),
            Account::Organization(_) | Account::Platform => continue,
        };
        let actor = Actor { kind: ActorKind::User, subject, roles: Vec::new() };
        let question = Question { account, actor, at: session.hosted.site.clock().now() };
        let lists = asked(&session.hosted, move |answerer| {
            LISTS
                .into_iter()
                .map(|kind| Ok((kind, whole_list(answerer, &question, kind, None)?)))
                .collect::<Result<Vec<_>, _>>()
        });
        let mut shown = Map::new();
        for (kind, rows) in lists.await? {
            // A list that is too long for one answer has pages at `/api/queries/list`.
            let rows =
                rows.ok_or_else(|| Problem::bad("too-many", format!("read `{kind}` by pages: /api/queries/list")))?;
            if !rows.is_empty() {
                shown.insert(kind.to_owned(), Value::from(rows));
            }
        }
        accounts.insert(name, Value::Object(shown));
    }
    let organizations = session.users()?.identity().users().organizations_of(&session.user.id)?;
    let organizations = organizations.iter().map(|(of, roles)| json!({"id": of.id, "name": of.name, "roles": roles}));
    Ok(Answered::ok(json!({
        "user": user_shown(&session.user),
        "organizations": organizations.collect::<Vec<Value>>(),
        "accounts": accounts,
    })))
}

/// Carries out `POST /api/auth/erase`: closes the own accounts and deletes the user. The business erases what is personal in the
/// accounts after the time of its policy `erase_after`.
pub(crate) async fn erase(
    State(app): State<AppState>,
    session: Session,
    headers: HeaderMap,
    body: Body,
) -> Result<Answered, Problem> {
    app.rates.login_of(&format!("{}/{}", session.hosted.site.partition().name(), session.user.email))?;
    let given = given(&app, &headers, body, &["password"], &[]).await?;
    let (users, password) = (session.users()?, text(&given, "password").to_owned());
    if !proved(|then| users.identity().prove(&session.user.id, password, then)).await? {
        return Err(Problem::new(StatusCode::FORBIDDEN, "wrong-credentials", "the password is wrong"));
    }
    let owned = owned_by(users.identity().users(), &session.user.id)?;
    if !owned.is_empty() {
        let detail = "the user owns organizations: dissolve them, or make another owner and leave";
        let problem = Problem::new(StatusCode::CONFLICT, "owns-organizations", detail);
        return Err(problem.with("organizations", json!(owned)));
    }
    for account in session.accounts()? {
        command(&session.hosted, account, "account.close", &json!({})).await.map_err(|error| {
            tracing::error!(%error, user = session.user.id, "an account was not closed");
            Problem::unavailable("the account was not closed")
        })?;
    }
    users.identity().users().delete(&session.user)?;
    Ok(Answered::ok(json!({})))
}
