//! Extracts from a request what handlers need: the caller, and the parts of the path and the query. A failure becomes a
//! problem.

use crate::access;
use crate::problem::Problem;
use crate::shares::Peer;
use crate::state::{AppState, HostedSite};
use axum::body::Body;
use axum::extract::{FromRequestParts, Path, Query};
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap, Method, Request};
use host_identity::access::Caller;
use serde::de::DeserializeOwned;
use std::sync::Arc;

/// A request of a known caller to a site.
pub(crate) struct KnownCaller {
    pub(crate) hosted: Arc<HostedSite>,
    pub(crate) caller: Caller,
}

/// The site of a request, whoever the caller is.
pub(crate) struct Hosted(pub(crate) Arc<HostedSite>);

/// The site of a request that needs no key. The request counts against the caller's key, or else against the sender's
/// address.
pub(crate) struct Open(pub(crate) Arc<HostedSite>);

/// Marks a request that a page makes on behalf of its reader, whose own request has already been counted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counted;

/// A request of an operator to a site.
pub(crate) struct Operator {
    pub(crate) hosted: Arc<HostedSite>,
    pub(crate) caller: Caller,
}

/// The members of a query.
pub(crate) struct QueryOf<T>(pub(crate) T);

/// The variable part of a path.
pub(crate) struct PathPart<T>(pub(crate) T);

impl FromRequestParts<AppState> for KnownCaller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, Problem> {
        let Hosted(hosted) = Hosted::from_request_parts(parts, app).await?;
        let caller = caller(app, &hosted, parts).await?;
        Ok(KnownCaller { hosted, caller })
    }
}

/// Returns the address, the headers and the sender of a request.
pub(crate) fn without_body(request: &Request<Body>) -> Parts {
    let mut parts = Request::new(()).into_parts().0;
    (parts.uri, parts.headers) = (request.uri().clone(), request.headers().clone());
    if let Some(peer) = request.extensions().get::<Peer>() {
        parts.extensions.insert(*peer);
    }
    parts
}

/// Returns the caller of a request, within the rate limits.
pub(crate) async fn caller(app: &AppState, hosted: &HostedSite, parts: &Parts) -> Result<Caller, Problem> {
    caller_of(app, hosted, parts, &parts.method).await
}

/// Returns the caller of a request that is treated as having this method, within the rate limits.
pub(crate) async fn caller_of(
    app: &AppState,
    hosted: &HostedSite,
    parts: &Parts,
    method: &Method,
) -> Result<Caller, Problem> {
    let found = access::caller(&*app.authenticator, hosted, method, &parts.headers).await;
    if parts.extensions.get::<Counted>().is_some() {
        return found;
    }
    match found {
        Ok(caller) => app.called(&caller).map(|()| caller),
        Err(problem) if !problem.is_unauthorized() => Err(problem),
        Err(problem) => {
            app.rates.stranger(parts.extensions.get().copied(), &parts.headers)?;
            Err(problem)
        }
    }
}

/// Counts a request that needs no key: against its key if that is valid, otherwise against its address.
pub(crate) async fn count(
    app: &AppState,
    hosted: &HostedSite,
    headers: &HeaderMap,
    extensions: &Extensions,
) -> Result<(), Problem> {
    if extensions.get::<Counted>().is_some() {
        return Ok(());
    }
    let stranger = || app.rates.stranger(extensions.get().copied(), headers);
    if access::token(hosted, &Method::GET, headers)?.is_none() {
        return stranger();
    }
    match access::caller(&*app.authenticator, hosted, &Method::GET, headers).await {
        Ok(caller) => app.called(&caller),
        Err(problem) if !problem.is_unauthorized() => Err(problem),
        Err(_) => stranger(),
    }
}

impl FromRequestParts<AppState> for Open {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, Problem> {
        let Hosted(hosted) = Hosted::from_request_parts(parts, app).await?;
        count(app, &hosted, &parts.headers, &parts.extensions).await?;
        Ok(Open(hosted))
    }
}

impl FromRequestParts<AppState> for Hosted {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &AppState) -> Result<Self, Problem> {
        // The front records the site before it calls the router.
        let hosted = parts.extensions.get::<Arc<HostedSite>>().cloned();
        hosted.map(Hosted).ok_or_else(|| Problem::not_found("no business of this name"))
    }
}

impl FromRequestParts<AppState> for Operator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, Problem> {
        let KnownCaller { hosted, caller } = KnownCaller::from_request_parts(parts, app).await?;
        match caller.is_operator() {
            true => Ok(Operator { hosted, caller }),
            false => Err(Problem::forbidden("only an operator may do this")),
        }
    }
}

impl<T: DeserializeOwned> FromRequestParts<AppState> for QueryOf<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &AppState) -> Result<Self, Problem> {
        match Query::try_from_uri(&parts.uri) {
            Ok(Query(members)) => Ok(QueryOf(members)),
            Err(error) => Err(Problem::bad("query", error.body_text())),
        }
    }
}

impl<T: DeserializeOwned + Send> FromRequestParts<AppState> for PathPart<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, Problem> {
        match Path::from_request_parts(parts, app).await {
            Ok(Path(part)) => Ok(PathPart(part)),
            Err(error) => Err(Problem::not_found(error.body_text())),
        }
    }
}
