//! Finds the site of a request and the handler for its path.
//!
//! A server with one site needs neither a host name nor a prefix. With several sites, the site is found by the host name of the request,
//! or by the business as the first segment of the path: `/solobase/api/…`.

use crate::api::{Api, SiteRouter};
use crate::authenticator::Authenticator;
use crate::away;
use crate::away::hosts::InstanceHost;
use crate::changes::Changes;
use crate::extract::without_body;
use crate::health::probes::Writes;
use crate::identity;
use crate::ids::Ids;
use crate::limits::FrontLimits;
use crate::metrics::Metrics;
use crate::operator::waiting::waiting;
use crate::pages;
use crate::problem::Problem;
use crate::rate::{Rates, usual_proxies};
use crate::routes;
use crate::shares::Peer;
use crate::state::{AppState, HostedSite, Quarantine};
use crate::trace::{self, Requests, RoutePattern};
use crate::turn;
use crate::unread;
use crate::{extract, products, table};
use axum::Extension;
use axum::body::Body;
use axum::http::request::Parts;
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use host_business::routes::limits::QUERY_PARAMETERS_MAX;
use host_intake::request::PATH as WEBHOOKS;
use ipnet::IpNet;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::watch;
use tower::{Layer, ServiceExt, service_fn};
use tracing::Instrument;
use url::Url;

/// Names that a business cannot have on a server with several sites, because other paths start with them.
const TAKEN: [&str; 9] = ["admin", "api", "assets", "auth", "b", "do", "ext", "health", "metrics"];

/// The reason why sites cannot be served together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrontError {
    /// There is no site.
    #[error("no site: expected at least one business")]
    NoSite,
    /// Two sites cannot be distinguished.
    #[error("two sites have the name `{0}`: expected one business, and one host name, for each site")]
    SameName(String),
    /// The name of a business is the start of another path.
    #[error("the business `{name}` cannot be the first part of a path: expected another name than {}", TAKEN.join(", "))]
    TakenName {
        /// The name.
        name: String,
    },
}

/// Everything needed to create the front of a server.
pub struct FrontSetup {
    /// The sites with their names.
    pub sites: Vec<HostedSite>,
    /// Finds the caller of a key.
    pub authenticator: Arc<dyn Authenticator>,
    /// Generates ids.
    pub ids: Arc<dyn Ids>,
    /// The request limits.
    pub limits: FrontLimits,
    /// The proxies whose `X-Forwarded-For` is trusted; none means those on this machine.
    pub proxies: Option<Vec<IpNet>>,
    /// The header in which a proxy says the visitor's country; without it, the country is that of the browser's language.
    pub country_header: Option<HeaderName>,
    /// The metrics, which observe the sites.
    pub metrics: Arc<Metrics>,
    /// The changes at the sites, which it observes.
    pub changes: Arc<Changes>,
    /// Keeps authentic bytes that are not events; `()` only counts them.
    pub quarantine: Arc<dyn Quarantine>,
}

/// Answers the requests to the sites of a server.
#[derive(Clone)]
pub struct Front {
    api: Api,
    router: SiteRouter,
}

impl Front {
    /// Creates the front of some sites.
    ///
    /// # Errors
    /// Fails if there is no site, or if two sites cannot be distinguished.
    pub fn new(setup: FrontSetup) -> Result<Front, FrontError> {
        let FrontSetup { sites, authenticator, ids, limits, proxies, country_header, metrics, changes, quarantine } =
            setup;
        check_names(&sites)?;
        let waiting = sites.iter().map(|hosted| (hosted.site.partition().clone(), tokio::sync::Mutex::default()));
        let waiting = Arc::new(waiting.collect());
        let sites: Arc<Vec<Arc<HostedSite>>> = Arc::new(sites.into_iter().map(Arc::new).collect());
        let writes = Arc::new(Writes::of(sites.iter().map(|hosted| &hosted.site)));
        let (streams, stopping) = (Arc::default(), Arc::new(watch::Sender::new(false)));
        let documents = sites.iter().map(|hosted| {
            let partition = hosted.site.partition();
            let (routes, version) = (&hosted.routes.table, env!("CARGO_PKG_VERSION"));
            let document = table::document(routes, &partition.business, hosted.has_platform_paths, version);
            (partition.clone(), document.to_string())
        });
        let documents = Arc::new(documents.collect());
        let app = AppState {
            sites,
            authenticator,
            ids,
            limits,
            country_header,
            rates: Arc::new(Rates::new(&limits, proxies.unwrap_or_else(usual_proxies))),
            in_progress: Arc::default(),
            requests: Arc::new(Requests::new()),
            metrics,
            changes,
            quarantine,
            streams,
            writes,
            stopping,
            waiting,
            catalogs: Arc::default(),
            documents,
            advancing: Arc::default(),
        };
        let api = Api::new(app);
        let of_pages = api.clone();
        let router = SiteRouter::new(
            &api.app,
            move |Extension(hosted): Extension<Arc<HostedSite>>, request: Request<Body>| async move {
                of_business_or_pages(&of_pages, &hosted, request).await
            },
        );
        Ok(Front { api, router })
    }

    /// Asks the accounts of all sites for whatever waits for an operator, so that the first operator who looks need not wait.
    pub async fn look_for_waiting(&self) {
        for site in self.api.app.sites.iter() {
            if let Err(problem) = waiting(&self.api.app, site).await {
                let detail = problem.detail();
                tracing::warn!(detail, "the accounts could not be asked for what waits for an operator");
            }
        }
    }

    /// Announces the users who have not been announced to their businesses yet.
    pub async fn announce_users(&self) {
        for site in self.api.app.sites.iter() {
            identity::announce_all(site).await;
        }
    }

    /// Returns the sites.
    pub fn sites(&self) -> impl Iterator<Item = &HostedSite> {
        self.api.app.sites.iter().map(|site| &**site)
    }

    /// Returns the state of the server.
    pub(crate) fn state(&self) -> &AppState {
        &self.api.app
    }

    /// Signals to clients that the server is stopping: from now on `/health` fails, and streams, which would keep their connections
    /// open, end.
    pub(crate) fn begin_to_stop(&self) {
        self.api.app.stopping.send_replace(true);
    }

    /// Answers a request.
    pub async fn answer(&self, request: Request<Body>) -> Response {
        let (began, method, id) = (Instant::now(), request.method().clone(), self.api.app.requests.next());
        let span = trace::span(&id);
        let peer = request.extensions().get::<Peer>().copied();
        let (request, unread) = unread::watch(request);
        let begun = is_plain(&request).and_then(|()| self.api.app.begin(peer, request.headers()));
        let mut response = match begun {
            Ok(asking) => {
                let answered = turn::within(asking.clone(), self.route(request)).instrument(span.clone()).await;
                turn::carried(asking, answered)
            }
            Err(problem) => problem.into_response(),
        };
        let route = response.extensions().get::<RoutePattern>().map(|pattern| pattern.0.as_str());
        let (status, took) = (response.status(), began.elapsed());
        self.api.app.metrics.answered(route, status.as_u16(), took);
        trace::answered(&span, &method, route, status, took);
        unread.tell(&mut response);
        let headers = response.headers_mut();
        headers.insert(trace::HEADER, id);
        // Browsers must not guess a different type, and nothing is cached unless the handler allows it.
        headers.entry(header::X_CONTENT_TYPE_OPTIONS).or_insert(HeaderValue::from_static("nosniff"));
        headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
        response
    }

    async fn route(&self, mut request: Request<Body>) -> Response {
        if let Some((site, host)) = self.api.app.instance_of(&request) {
            let peer = request.extensions().get::<Peer>().copied();
            if let Err(problem) = self.api.app.rates.stranger(peer, request.headers()) {
                return problem.into_response();
            }
            if let Some(response) = away::at_its_host(&self.api, &site, host, without_body(&request)).await {
                return response;
            }
        }
        let Some((site, rest)) = self.api.app.site_of(&request) else {
            return Problem::not_found("no business of this name").into_response();
        };
        let path = rest.unwrap_or_else(|| request.uri().path().to_owned());
        let path = match site.alias(&path) {
            Some(name) => format!("{WEBHOOKS}{name}"),
            None => site.canonical(&path),
        };
        if path != request.uri().path() && !set_path(request.uri_mut(), &path) {
            return Problem::not_found("no such path").into_response();
        }
        let answered = site.cors.layer(service_fn(|request| {
            let (router, site) = (self.router.clone(), site.clone());
            async move { Ok::<_, Infallible>(router.answer(&site, request).await) }
        }));
        // The router never fails.
        answered.oneshot(request).await.unwrap_or_else(|never| match never {})
    }

    /// Answers a request to an instance that is not running. `scope` is `BUSINESS/MODE/ACCOUNT`.
    pub async fn away(&self, scope: &str, instance: &str, request: Parts) -> Response {
        away::of_scope(&self.api, scope, instance, request).await
    }

    /// Returns the sites, so that they can be stopped, once no request is being answered; none before that.
    pub fn into_sites(self) -> Option<Vec<HostedSite>> {
        drop(self.router);
        self.api.into_sites()
    }
}

/// Answers what no route of the server handles: with a route of the business, or else with a page. For a path that does not exist, a
/// person at a browser gets a page too.
async fn of_business_or_pages(api: &Api, hosted: &Arc<HostedSite>, request: Request<Body>) -> Response {
    let (request, problem) = match routes::answer(&api.app, hosted, request).await {
        Ok(response) => return response,
        Err(other) => other,
    };
    let request = match pages::answer(api, hosted, request).await {
        Ok(mut page) => {
            page.extensions_mut().insert(RoutePattern("page".to_owned()));
            return page;
        }
        Err(request) => request,
    };
    if let Some(parts) = pages::is_wanted(&request) {
        return match extract::count(&api.app, hosted, &parts.headers, &parts.extensions).await {
            Ok(()) => pages::failure(api, hosted, &parts, StatusCode::NOT_FOUND, "There is no such page.").await,
            Err(problem) => problem.into_response(),
        };
    }
    problem.into_response()
}

fn check_names(sites: &[HostedSite]) -> Result<(), FrontError> {
    if sites.is_empty() {
        return Err(FrontError::NoSite);
    }
    let mut names: Vec<&str> = Vec::new();
    for hosted in sites {
        let business = hosted.site.partition().business.as_str();
        if sites.len() > 1 && TAKEN.contains(&business) {
            return Err(FrontError::TakenName { name: business.to_owned() });
        }
        for name in hosted.names.iter().map(String::as_str).chain([business]) {
            if names.contains(&name) {
                return Err(FrontError::SameName(name.to_owned()));
            }
            names.push(name);
        }
    }
    Ok(())
}

impl HostedSite {
    /// Returns true if the public address for browsers has this host name.
    fn is_at(&self, host: &str) -> bool {
        Url::parse(&self.url).is_ok_and(|url| url.host_str() == Some(host))
    }

    /// Returns the path under which the router knows a path: a site with the platform's paths accepts other spellings of them too.
    pub(crate) fn canonical(&self, path: &str) -> String {
        let other = self.has_platform_paths.then(|| products::canonical(path)).flatten();
        other.unwrap_or_else(|| path.to_owned())
    }

    /// Returns the webhook for which a path is an alias. The path may end in a slash.
    fn alias(&self, path: &str) -> Option<&str> {
        let path = path.strip_suffix('/').unwrap_or(path);
        let of_platform = || products::webhook(path).filter(|_| self.has_platform_paths);
        self.aliases.get(path).map(String::as_str).or_else(of_platform)
    }
}

impl AppState {
    /// Returns the host name of a request, in lower case and without a port.
    fn host_of(request: &Request<Body>) -> Option<String> {
        let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
        host.or(request.uri().host()).map(|host| without_port(host).to_ascii_lowercase())
    }

    /// Returns the site whose instances have host names like this one, and the instance.
    fn instance_of(&self, request: &Request<Body>) -> Option<(Arc<HostedSite>, InstanceHost)> {
        let host = Self::host_of(request)?;
        let is_own = |site: &Arc<HostedSite>| site.names.contains(&host) || site.is_at(&host);
        if self.sites.iter().any(is_own) {
            return None;
        }
        let mut sites = self.sites.iter();
        sites.find_map(|site| Some((site.clone(), site.pages.instance_hosts().instance(&host)?)))
    }

    /// Returns the site of a request, and the path without the name of the business if it starts with that.
    fn site_of(&self, request: &Request<Body>) -> Option<(Arc<HostedSite>, Option<String>)> {
        if let Some(named) =
            Self::host_of(request).and_then(|host| self.sites.iter().find(|site| site.names.contains(&host)))
        {
            return Some((named.clone(), None));
        }
        let rest = request.uri().path().strip_prefix('/')?;
        if let Some((first, rest)) = rest.split_once('/')
            && let Some(named) = self.sites.iter().find(|site| site.site.partition().business == first)
        {
            return Some((named.clone(), Some(format!("/{rest}"))));
        }
        match self.sites.as_slice() {
            [only] => Some((only.clone(), None)),
            // Health and metrics cover the whole server.
            [first, ..] if ["health", "metrics"].contains(&rest) => Some((first.clone(), None)),
            _ => None,
        }
    }
}

/// Refuses a request whose host is ambiguous, and one with too many parameters.
fn is_plain(request: &Request<Body>) -> Result<(), Problem> {
    let (uri, headers): (&Uri, &HeaderMap) = (request.uri(), request.headers());
    let mut hosts = headers.get_all(header::HOST).iter();
    let (host, another) = (hosts.next(), hosts.next());
    let is_same = |host: &HeaderValue, name: &str| host.as_bytes().eq_ignore_ascii_case(name.as_bytes());
    let is_other = uri.authority().zip(host).is_some_and(|(target, host)| !is_same(host, target.as_str()));
    if another.is_some() || is_other {
        return Err(Problem::bad("host", "expected one header `Host`, with the host of the address"));
    }
    let separators = uri.query().map_or(0, |query| query.bytes().filter(|c| *c == b'&').count());
    match separators < QUERY_PARAMETERS_MAX {
        true => Ok(()),
        false => {
            let detail = format!("expected at most {QUERY_PARAMETERS_MAX} parameters");
            Err(Problem::new(StatusCode::URI_TOO_LONG, "query", detail))
        }
    }
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|c| c.is_ascii_digit()) => name,
        _ => host,
    }
}

/// Replaces the path and keeps the query. Returns false if the path is invalid.
fn set_path(uri: &mut Uri, path: &str) -> bool {
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    let Ok(path_and_query) = PathAndQuery::try_from(format!("{path}{query}")) else { return false };
    let mut parts = std::mem::take(uri).into_parts();
    parts.path_and_query = Some(path_and_query);
    Uri::from_parts(parts).map(|changed| *uri = changed).is_ok()
}
