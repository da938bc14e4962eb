//! The products routes: `/api/products…` of every business, and `/b/products/…` and `/ext/products/…` of a business that asks for them.
//!
//! [`table`] maps each path and method to an action, which is a command or a query of the extension. [`read`] and [`write`] carry the
//! actions out, and [`show`] gives the answers the platform's shape. A route whose feature the extension lacks is answered with 501 and
//! the reason.

mod page;
mod platform;
mod read;
mod show;
mod write;

use crate::access;
use crate::command::Answered;
use crate::description::{Access, Answer, Given};
use crate::extract::{KnownCaller, QueryOf};
use crate::problem::Problem;
use crate::server_route::ServerRoute;
use crate::state::{AppState, HostedSite};
use axum::body::Body;
use axum::extract::{FromRequestParts, Path, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Request, StatusCode};
use axum::response::{IntoResponse, Response};
use extension_contract::Account;
use host_identity::access::Caller;
use page::Filter;
use platform::{Action, ROUTES, Route, Who};
pub(crate) use read::DELETED;
pub(crate) use show::offer;
use std::sync::Arc;

/// Prefix of the paths that the pages of a business call.
const OWN: &str = "/api/products";
/// Paths at which the platform's own products extensions receive Stripe webhooks.
const WEBHOOKS: [&str; 3] = ["/b/products/webhooks", "/b/products/webhooks/stripe", "/ext/products/webhooks"];
/// Path prefixes of the platform's versions, and the corresponding prefixes here.
const CANONICAL: [(&str, &str); 3] = [
    ("/admin/b/products/", "/b/products/admin/"),
    ("/admin/ext/products/", "/ext/products/admin/"),
    ("/b/products/api/", "/b/products/"),
];

/// Returns the webhook for which a path is an alias.
pub(crate) fn webhook(path: &str) -> Option<&'static str> {
    WEBHOOKS.contains(&path).then_some("stripe")
}

/// Returns the path in the table that corresponds to a path of an older or newer version of the platform.
pub(crate) fn canonical(path: &str) -> Option<String> {
    let (_, rest, here) =
        CANONICAL.iter().find_map(|(other, here)| path.strip_prefix(other).map(|rest| (other, rest, here)))?;
    Some(format!("{here}{rest}"))
}

/// Returns the routes, one for each method of a path: those of every business, and if wanted also those in the platform's own
/// spellings.
pub(crate) fn routes(has_platform_paths: bool) -> Vec<ServerRoute> {
    let lines = ROUTES.iter().flat_map(|route| route.paths.iter().map(move |path| (route, *path)));
    let lines = lines.filter(|(_, path)| has_platform_paths || path.starts_with(OWN));
    lines.flat_map(|(route, path)| route.methods.iter().map(move |method| server_route(route, method, path))).collect()
}

fn server_route(route: &'static Route, method: &'static str, path: &'static str) -> ServerRoute {
    let Route { action, who, .. } = route;
    let handler = move |State(app): State<AppState>, request: Request<Body>| answer(app, route, path, request);
    let (is_own, has_body) = (path.starts_with(OWN), matches!(method, "PATCH" | "POST" | "PUT"));
    let described = ServerRoute::of(method, path, if is_own { action.name(method) } else { "" }, handler)
        .about(action.about())
        .detail(action.detail())
        .by(match who {
            Who::All => Access::Visitors,
            Who::Keys => Access::Keys,
            Who::Operators => Access::Operators,
        })
        .given(if has_body { Given::Object } else { Given::Nothing })
        .status("2XX")
        .answers(Answer::Json);
    match action {
        Action::NotServed(_) => described.tag("Not served").unlisted(),
        _ if is_own => described.tag("Products"),
        _ => described.tag("Platform"),
    }
}

/// The envelope of lists and objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    /// `/api/products`: objects as they are, lists under their name.
    Plain,
    /// `/b/products`: records with `id` and `data`.
    Records,
    /// `/ext/products`: like `/api/products`, but purchases with `limit` and `offset`.
    Extension,
}

impl Style {
    fn of(path: &str) -> Style {
        match path {
            _ if path.starts_with("/b/") => Style::Records,
            _ if path.starts_with("/ext/") => Style::Extension,
            _ => Style::Plain,
        }
    }
}

/// A request to one of the routes.
struct ProductsRequest {
    app: AppState,
    hosted: Arc<HostedSite>,
    /// None if the request has no key and the route needs none.
    caller: Option<Caller>,
    style: Style,
    /// The variable part of the path; empty without one.
    id: String,
    filter: Filter,
    headers: HeaderMap,
}

impl ProductsRequest {
    fn caller(&self) -> Result<&Caller, Problem> {
        self.caller.as_ref().ok_or_else(|| access::unauthorized("expected `Authorization: Bearer KEY`"))
    }

    /// Returns the account that the request is about: the one it names, or else the caller's own.
    fn account(&self) -> Result<Account, Problem> {
        access::account(self.caller()?, self.filter.account()?.as_deref())
    }

    /// Like [`Asking::account`], but returns the platform for a caller that can access all accounts and names none.
    fn account_or_platform(&self) -> Result<Account, Problem> {
        let caller = self.caller()?;
        match caller.own_account().is_none() && caller.reaches(&Account::Platform) && !self.filter.names_account() {
            true => Ok(Account::Platform),
            false => self.account(),
        }
    }
}

/// Answers a request to one of the routes.
async fn answer(app: AppState, route: &Route, path: &str, request: Request<Body>) -> Response {
    let (mut parts, body) = request.into_parts();
    match carry_out(app, (route, path), &mut parts, body).await {
        Ok(answered) => answered.into_response(),
        Err(problem) => problem.into_response(),
    }
}

async fn carry_out(
    app: AppState,
    (Route { action, who, .. }, path): (&Route, &str),
    parts: &mut Parts,
    body: Body,
) -> Result<Answered, Problem> {
    if let Action::NotServed(reason) = action {
        return Err(Problem::new(StatusCode::NOT_IMPLEMENTED, "not-served", *reason));
    }
    let (hosted, caller) = match KnownCaller::from_request_parts(parts, &app).await {
        Ok(KnownCaller { hosted, caller }) => (hosted, Some(caller)),
        Err(problem)
            if *who == Who::All && problem.is_unauthorized() && !parts.headers.contains_key("authorization") =>
        {
            let hosted = parts.extensions.get::<Arc<HostedSite>>().cloned();
            (hosted.ok_or_else(|| Problem::not_found("no business of this name"))?, None)
        }
        Err(problem) => return Err(problem),
    };
    if *who == Who::Operators && !caller.as_ref().is_some_and(Caller::is_operator) {
        return Err(Problem::forbidden("only an operator may do this"));
    }
    let QueryOf(filter) = QueryOf::from_request_parts(parts, &app).await?;
    let id = match path.contains('{') {
        true => Path::<String>::from_request_parts(parts, &app).await.map(|Path(id)| id),
        false => Ok(String::new()),
    };
    let id = id.map_err(|error| Problem::not_found(error.body_text()))?;
    let (style, headers) = (Style::of(path), parts.headers.clone());
    let asking = ProductsRequest { app, hosted, caller, style, id, filter, headers };
    match action {
        Action::List => read::list(&asking).await,
        Action::Own => read::own(&asking).await,
        Action::One => read::one(&asking).await,
        Action::Catalog => read::catalog(&asking).await,
        Action::Offer => read::offer(&asking).await,
        Action::Health => read::health(&asking).await,
        Action::Types => read::types(&asking),
        Action::Purchases => read::purchases(&asking).await,
        Action::PurchaseOne => read::purchase(&asking).await,
        Action::Subscription => read::subscription(&asking).await,
        Action::Create => write::create(&asking, body).await,
        Action::Update => write::update(&asking, body).await,
        Action::Delete => write::delete(&asking, body).await,
        Action::Purchase => write::purchase(&asking, body).await,
        Action::Buy => write::buy(&asking, body).await,
        Action::Checkout => write::checkout(&asking, body).await,
        Action::Refund => write::refund(&asking, body).await,
        Action::NotServed(reason) => Err(Problem::new(StatusCode::NOT_IMPLEMENTED, "not-served", *reason)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_other_versions_lead_to_the_table() {
        for (path, here) in [
            ("/admin/b/products/purchases/pur_1/refund", Some("/b/products/admin/purchases/pur_1/refund")),
            ("/b/products/api/admin/products", Some("/b/products/admin/products")),
            ("/b/products/api/catalog", Some("/b/products/catalog")),
            ("/admin/ext/products/stats", Some("/ext/products/admin/stats")),
            ("/b/products/catalog", None),
            ("/api/products", None),
        ] {
            assert_eq!(canonical(path).as_deref(), here, "{path}");
        }
        assert_eq!(webhook("/ext/products/webhooks"), Some("stripe"));
        assert_eq!(webhook("/ext/products/webhooks/other"), None);
    }
}
