//! `GET /api/registry/token`: the token endpoint of an image registry, in the form that its clients expect
//! (<https://distribution.github.io/distribution/spec/auth/token/>). A client sends a download token as the HTTP Basic password. The
//! endpoint redeems it with the command `token.redeem`, whose grant is a token signed by the registry's provider.

use crate::access::{self, unauthorized};
use crate::command;
use crate::description::{Access, Shape};
use crate::extract::Hosted;
use crate::problem::Problem;
use crate::routes::bearer::{self, Bearer};
use crate::server_route::ServerRoute;
use crate::state::{AppState, HostedSite};
use axum::extract::{Query, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use extension_contract::{Account, Refusal};
use host_provider_api::RegistryToken;
use serde_json::json;

/// The header that asks a client without a valid token to get one.
const CHALLENGE: HeaderValue = HeaderValue::from_static("Basic realm=\"registry\", charset=\"UTF-8\"");
/// The command that redeems a download token.
const REDEEM: &str = "token.redeem";
/// The resource kind that stands for repositories in a scope, and the action that a grant allows.
const REPOSITORY: &str = "repository";
const PULL: &str = "pull";

/// The query of a request. `account`, `client_id` and `offline_token` are ignored: the download token identifies its owner.
#[derive(Debug, PartialEq, Eq)]
struct TokenRequest {
    service: String,
    /// The repositories from which the client wants to pull.
    pulls: Vec<String>,
}

impl TokenRequest {
    fn read(parts: &Parts) -> Result<TokenRequest, Problem> {
        let members = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri);
        let Query(members) = members.map_err(|error| Problem::bad("query", error.body_text()))?;
        let of = |wanted: &'static str| members.iter().filter(move |(name, _)| name == wanted).map(|(_, value)| value);
        let service = of("service").next().cloned().unwrap_or_default();
        // A client sends either one parameter per scope, or one with spaces.
        let scopes = of("scope").flat_map(|scopes| scopes.split(' '));
        Ok(TokenRequest { service, pulls: scopes.filter_map(pulled).map(str::to_owned).collect() })
    }
}

/// Returns the repository of a scope `repository:NAME:ACTION,…` with the action `pull`.
fn pulled(scope: &str) -> Option<&str> {
    let (kind, rest) = scope.split_once(':')?;
    // The name may contain a port.
    let (name, actions) = rest.rsplit_once(':')?;
    (kind == REPOSITORY && actions.split(',').any(|action| action == PULL)).then_some(name)
}

const TOKEN: Shape = Shape::new(
    "ServerRegistryToken",
    &["token: string", "access_token: string", "expires_in: integer", "issued_at: string"],
);

/// Returns the routes.
pub(crate) fn routes() -> Vec<ServerRoute> {
    vec![
        // A `HEAD` request would use up a token without showing the result.
        ServerRoute::get("/api/registry/token", "", token)
            .without_head()
            .about("The token endpoint of a registry for images.")
            .by(Access::Tokens)
            .query(&["service: string", "scope: string?"])
            .gives(&TOKEN),
    ]
}

/// Carries out `GET /api/registry/token`. Only a request for `pull` redeems a token. A client that logs in, or asks for something that
/// nobody gets, receives a token without access, as the protocol requires, and keeps the download token.
async fn token(State(app): State<AppState>, Hosted(hosted): Hosted, parts: Parts) -> Response {
    match answer(&app, &hosted, &parts).await {
        Ok(RegistryToken { token, expires_in, issued_at }) => {
            let body = json!({
                "token": token, "access_token": token, "expires_in": expires_in, "issued_at": issued_at,
            });
            let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")];
            (headers, body.to_string()).into_response()
        }
        Err(problem) => {
            let is_unauthorized = problem.is_unauthorized();
            let mut response = problem.into_response();
            if is_unauthorized {
                response.headers_mut().insert(header::WWW_AUTHENTICATE, CHALLENGE);
            }
            response
        }
    }
}

async fn answer(app: &AppState, hosted: &HostedSite, parts: &Parts) -> Result<RegistryToken, Problem> {
    let Some(tokens) = hosted.registry.as_deref() else {
        return Err(Problem::not_found("the server has no registry: it needs the provider `registry`"));
    };
    let password = password(&parts.headers);
    let bearer = bearer::find(app, hosted, parts, password.as_deref()).await?;
    let asked = TokenRequest::read(parts)?;
    if asked.service != tokens.service() {
        return Err(Problem::bad("service", format!("expected `service={}` in the query", tokens.service())));
    }
    let account = access::account(&bearer.caller, None)?;
    let without_access = || {
        let signed = tokens.without_access(&account.to_string());
        signed.ok_or_else(|| Problem::unavailable("the token cannot be signed now"))
    };
    if asked.pulls.is_empty() {
        bearer.valid()?;
        return without_access();
    }
    let (repository, granted) = redeem(app, hosted, parts, bearer, &account).await?;
    match asked.pulls.contains(&repository) {
        true => Ok(granted),
        false => without_access(),
    }
}

/// Returns the password if there is exactly one header `Authorization: Basic …`. The user name is ignored.
fn password(headers: &HeaderMap) -> Option<String> {
    let mut named = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (named.next(), named.next()) else { return None };
    let (scheme, encoded) = value.to_str().ok()?.split_once(' ')?;
    let decoded = STANDARD.decode(encoded.trim()).ok().filter(|_| scheme.eq_ignore_ascii_case("basic"))?;
    let (_, password) = std::str::from_utf8(&decoded).ok()?.split_once(':')?;
    Some(password.to_owned())
}

/// Redeems a download token. Returns the repository of the grant and the token that the grant consists of.
async fn redeem(
    app: &AppState,
    hosted: &HostedSite,
    parts: &Parts,
    bearer: Bearer,
    account: &Account,
) -> Result<(String, RegistryToken), Problem> {
    let Bearer { caller, id, sha256, .. } = bearer;
    let mut payload = json!({"id": id, "sha256": sha256});
    if let Some(ip) = app.rates.client(parts.extensions.get().copied(), &parts.headers) {
        payload["ip"] = json!(ip.to_string());
    }
    // Each request is a separate command: with the same one, the same answer would come again.
    let command = app.ids.command().ok_or_else(|| Problem::unavailable("no random bytes"))?;
    let payload = payload.to_string();
    let answered = command::run_with_id(app, hosted, caller, account.clone(), REDEEM, payload, command).await;
    let answered = answered.map_err(of_redemption)?;
    if answered.is_pending() {
        return Err(Problem::unavailable("the grant does not come in time"));
    }
    let grant = &answered.reply()["grant"];
    let text = |name: &str| grant[name].as_str().map(str::to_owned);
    let found = (text("repository"), text("token"), grant["expires_in"].as_i64(), text("issued_at"));
    let (Some(repository), Some(token), Some(expires_in), Some(issued_at)) = found else {
        return Err(Problem::forbidden("the token is not for an image"));
    };
    Ok((repository, RegistryToken { token, expires_in, issued_at }))
}

/// To the client of a registry, a token that the extension refuses is a wrong password.
fn of_redemption(problem: Problem) -> Problem {
    match problem.refusal() {
        Some(Refusal::RequirementUnmet(code)) => {
            Problem::new(StatusCode::UNAUTHORIZED, code.clone(), "the token gives nothing any more")
        }
        Some(Refusal::NotFound(_) | Refusal::Forbidden(_)) => unauthorized("the token is unknown"),
        _ => problem,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(query: &str) -> TokenRequest {
        let request = axum::http::Request::get(format!("/api/registry/token?{query}")).body(()).expect("a request");
        TokenRequest::read(&request.into_parts().0).expect("a query")
    }

    #[test]
    fn scopes_name_the_repositories_from_which_a_client_pulls() {
        for (query, expected) in [
            ("service=r&scope=repository:editor:pull&account=any", vec!["editor"]),
            ("service=r&scope=repository:team/editor:push,pull", vec!["team/editor"]),
            ("service=r&scope=repository:a:pull%20repository:b:pull&scope=repository:c:pull", vec!["a", "b", "c"]),
            ("service=r&scope=repository:host:5000/a:pull", vec!["host:5000/a"]),
            ("service=r&scope=repository:editor:push", vec![]),
            ("service=r&scope=registry:catalog:*", vec![]),
            ("service=r&scope=repository(plugin):editor:pull", vec![]),
            ("service=r&scope=pull&scope=&client_id=docker&offline_token=true", vec![]),
            ("service=r", vec![]),
        ] {
            let pulls = expected.into_iter().map(str::to_owned).collect();
            assert_eq!(asked(query), TokenRequest { service: "r".to_owned(), pulls }, "{query}");
        }
    }

    #[test]
    fn the_password_is_that_of_one_basic_header() {
        let of = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::AUTHORIZATION, HeaderValue::from_str(value).expect("text"));
            }
            password(&headers)
        };
        let basic = format!("Basic {}", STANDARD.encode("any:tok_1.a:b"));
        assert_eq!(of(&[&basic]).as_deref(), Some("tok_1.a:b"), "the name of a user has no colon");
        assert_eq!(of(&[&basic.replace("Basic", "basic")]).as_deref(), Some("tok_1.a:b"));
        let (basic, bearer) = (basic.as_str(), basic.replace("Basic", "Bearer"));
        for wrong in [vec![], vec![basic, basic], vec!["Basic"], vec!["Basic !"], vec![&bearer]] {
            assert_eq!(of(&wrong), None, "{wrong:?}");
        }
        assert_eq!(of(&[&format!("Basic {}", STANDARD.encode("no colon"))]), None);
    }
}
