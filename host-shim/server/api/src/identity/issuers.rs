//! `/api/auth/oidc/…`: a browser logs in through an issuer (OpenID Connect), and returns with a session.

use crate::command::Answered;
use crate::cookie::{self, LOGIN};
use crate::description::{Access, Answer, Shape};
use crate::extract::{Hosted, Open, PathPart, QueryOf};
use crate::identity::announce;
use crate::identity::mails::tell_proved;
use crate::problem::Problem;
use crate::redirect::see_other;
use crate::server_route::ServerRoute;
use crate::shares::Peer;
use crate::state::{AppState, HostedSite};
use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use host_identity::Issued;
use host_identity::issuers::{Issuer, IssuerError, LoginSeed, SEED_BYTES};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use subtle::ConstantTimeEq;

/// Time allowed for a login at the issuer, in seconds.
const LOGIN_S: i64 = 600;
/// Maximum length of the address of the page after the login, in bytes.
const RETURN_BYTES_MAX: usize = 500;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Begin {
    return_to: Option<String>,
}

/// What the issuer sends back. It may have further members.
#[derive(Deserialize)]
pub(crate) struct Back {
    code: Option<String>,
    state: Option<String>,
    error: Option<String>,
    /// The issuer (RFC 9207).
    iss: Option<String>,
}

impl HostedSite {
    /// True if browsers use TLS to access the site.
    pub(crate) fn has_tls(&self) -> bool {
        self.url.starts_with("https://")
    }

    fn login_at(&self, name: &str) -> Result<&Arc<Issuer>, Problem> {
        let named = |issuer: &&Arc<Issuer>| issuer.settings().login.as_ref().is_some_and(|login| login.name == name);
        self.issuers.iter().find(named).ok_or_else(|| Problem::not_found("no login of this name"))
    }

    /// Returns the address to which the issuer sends the browser back.
    fn callback(&self, name: &str) -> String {
        format!("{}/api/auth/oidc/{name}/callback", self.url)
    }
}

const LOGIN_AT: Shape = Shape::new("ServerLogin", &["name: string", "url: string"]);
const LOGINS: Shape = Shape::new("ServerLogins", &["logins: ServerLogin[]"]).with(&[&LOGIN_AT]);

/// Returns the routes.
pub(super) fn routes() -> Vec<ServerRoute> {
    vec![
        ServerRoute::get("/api/auth/oidc", "listLogins", list)
            .about("The issuers at which a browser can log in.")
            .by(Access::All)
            .gives(&LOGINS),
        // A `HEAD` request would start a login, and would consume the answer of one.
        ServerRoute::get("/api/auth/oidc/{name}", "", begin)
            .without_head()
            .about("Sends a browser to an issuer. It returns with a session, and goes to `return_to`.")
            .by(Access::All)
            .query(&["return_to: string?"])
            .status("303")
            .answers(Answer::Redirect),
        ServerRoute::get("/api/auth/oidc/{name}/callback", "", finish)
            .without_head()
            .about("Takes a browser back from an issuer.")
            .by(Access::All)
            .query(&["code: string?", "state: string?", "error: string?", "iss: string?"])
            .status("303")
            .answers(Answer::Redirect),
    ]
}

/// Carries out `GET /api/auth/oidc`: lists the issuers that users can log in through.
async fn list(Open(hosted): Open) -> Answered {
    let logins = hosted.issuers.iter().filter_map(|issuer| issuer.settings().login.as_ref());
    let shown: Vec<Value> = logins
        .map(|login| json!({"name": login.name, "url": format!("{}/api/auth/oidc/{}", hosted.url, login.name)}))
        .collect();
    Answered::ok(json!({"logins": shown}))
}

/// Carries out `GET /api/auth/oidc/NAME`: sends the browser to the issuer.
async fn begin(
    State(app): State<AppState>,
    Hosted(hosted): Hosted,
    PathPart(name): PathPart<String>,
    QueryOf(asked): QueryOf<Begin>,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let issuer = hosted.login_at(&name)?.clone();
    app.rates.login_from(peer.map(|Extension(peer)| peer), &headers)?;
    let return_to = asked.return_to.unwrap_or_else(|| "/".to_owned());
    if !is_own_path(&return_to) {
        return Err(Problem::bad("return_to", "expected a path of this server, such as /dashboard"));
    }
    let mut random = [0; SEED_BYTES];
    getrandom::fill(&mut random).map_err(|_| Problem::internal())?;
    let (seed, callback) = (LoginSeed::new(random), hosted.callback(&name));
    let kept = format!("{}.{}", seed.expose(), hex::encode(&return_to));
    let url = blocking(move || issuer.begin(&seed, &callback)).await?;
    redirect(&url, [cookie::set(&hosted, LOGIN, &kept, LOGIN_S)])
}

/// Carries out `GET /api/auth/oidc/NAME/callback`: the issuer sends the browser back.
async fn finish(
    State(app): State<AppState>,
    Hosted(hosted): Hosted,
    PathPart(name): PathPart<String>,
    QueryOf(back): QueryOf<Back>,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (users, issuer) = (hosted.users()?, hosted.login_at(&name)?.clone());
    app.rates.login_from(peer.map(|Extension(peer)| peer), &headers)?;
    let (seed, return_to) = kept(&hosted, &headers).ok_or_else(|| refused("this browser has begun no login"))?;
    let state = back.state.unwrap_or_default();
    let is_same = bool::from(seed.state().as_bytes().ct_eq(state.as_bytes()));
    if !is_same || back.iss.is_some_and(|named| named != issuer.settings().issuer) {
        return Err(refused("the answer is not to the login that this browser has begun"));
    }
    if back.error.is_some() {
        return Err(refused("the issuer has not logged you in"));
    }
    let code = back.code.ok_or_else(|| Problem::bad("code", "expected `code`, as the issuer sends it"))?;
    let callback = hosted.callback(&name);
    let asked = issuer.clone();
    let person = blocking(move || asked.finish(&seed, &code, &callback)).await?;
    let issued = Issued {
        issuer: &issuer.settings().issuer,
        subject: &person.subject,
        email: person.email.as_deref(),
        name: person.name.as_deref(),
    };
    let now = hosted.site.clock().now();
    let logged_in = users.identity().log_in_issued(issued, now)?;
    if logged_in.user.announced_at.is_none() {
        announce(&hosted, users, &logged_in.user).await;
    }
    // The issuer has verified the address, as a link by mail would.
    tell_proved(&hosted, &logged_in.user, &logged_in.proof).await;
    let session = cookie::begin_session(&hosted, &logged_in.token, logged_in.expires_at);
    let cookies = [session, cookie::set(&hosted, LOGIN, "", 0)];
    redirect(&format!("{}{return_to}", hosted.url), cookies)
}

/// Returns the seed of the login that the browser has started, and the page after it.
fn kept(hosted: &HostedSite, headers: &HeaderMap) -> Option<(LoginSeed, String)> {
    let (seed, return_to) = cookie::read(hosted, headers, LOGIN)?.split_once('.')?;
    let return_to = String::from_utf8(hex::decode(return_to).ok()?).ok()?;
    Some((LoginSeed::parse(seed)?, return_to)).filter(|(_, return_to)| is_own_path(return_to))
}

/// True for a path on this server: a browser reads `//x` and `/\x` as the name of another server.
pub(crate) fn is_own_path(text: &str) -> bool {
    let is_plain = text.len() <= RETURN_BYTES_MAX && text.bytes().all(|c| c.is_ascii_graphic() && c != b'\\');
    is_plain && text.starts_with('/') && !text.starts_with("//")
}

fn refused(detail: &str) -> Problem {
    Problem::new(StatusCode::FORBIDDEN, "login-refused", detail)
}

/// Answers with a redirect, and sets cookies.
fn redirect<const N: usize>(url: &str, cookies: [Option<HeaderValue>; N]) -> Result<Response, Problem> {
    let mut response = see_other(url);
    for cookie in cookies {
        response.headers_mut().append(header::SET_COOKIE, cookie.ok_or_else(Problem::internal)?);
    }
    Ok(response)
}

/// Asks an issuer on a thread that may wait.
pub(crate) async fn blocking<T: Send + 'static>(
    ask: impl FnOnce() -> Result<T, IssuerError> + Send + 'static,
) -> Result<T, Problem> {
    let answer = tokio::task::spawn_blocking(ask).await.map_err(|_| Problem::internal())?;
    answer.map_err(|error| match error {
        IssuerError::BadToken | IssuerError::CodeRefused => refused("the issuer's answer is not valid for this login"),
        IssuerError::NoLogin => Problem::not_found("no login of this name"),
        error => {
            tracing::error!(%error, "an issuer does not log in");
            Problem::new(StatusCode::BAD_GATEWAY, "provider", "the issuer does not answer as it should")
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_leads_to_a_page_of_this_server() {
        for own in ["/", "/dashboard", "/a/b?c=d#e"] {
            assert!(is_own_path(own), "{own}");
        }
        let long = format!("/{}", "x".repeat(RETURN_BYTES_MAX));
        for other in
            ["", "dashboard", "//evil.example", "/\\evil.example", "https://evil.example", "/a b", "/a\r\nb", &long]
        {
            assert!(!is_own_path(other), "{other}");
        }
    }
}
