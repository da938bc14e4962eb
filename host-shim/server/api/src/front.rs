//! Finds the site of a request, and the handler of a path.
//!
//! A server with one site needs neither a host name nor a prefix. With several sites, a site is found by the request's host
//! name, or by its business as the first part of the path: `/solobase/api/…`.

use crate::access::Authenticator;
use crate::away::{self, InstanceHost};
use crate::changes::Changes;
use crate::clock::LocalClock;
use crate::endpoints::SiteWebhooks;
use crate::health::CatalogProbes;
use crate::identity::{self, SiteUsers};
use crate::ids::Ids;
use crate::mail_rate::MailLimits;
use crate::metrics::Metrics;
use crate::operator::tools::Tools;
use crate::operator::waiting::Waiting;
use crate::pages::{self, SitePages};
use crate::problem::Problem;
use crate::rate::{Peer, Rate, Rates, usual_proxies};
use crate::routes::{self, BusinessRoutes, RoutePattern};
use crate::site::Site;
use crate::streams::Streams;
use crate::trace::{self, Requests};
use crate::turn::{self, InProgress, OpenRequest};
use crate::unread;
use crate::{extract, health, openapi, products, server_route, table};
use axum::Router;
use axum::body::Body;
use axum::http::request::Parts;
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use extension_contract::Payload;
use host_business::folder::{ResourceCost, WebhookAnswer};
use host_business::routes::Matched;
use host_business::routes::limits::{
    ADDRESS_IN_PROGRESS, BODY_S_MAX, KEY_AT_ONCE, KEY_PER_SECOND, LOGINS_PER_MINUTE, PROGRAM_IN_PROGRESS,
    QUERY_PARAMETERS_MAX, RECHECK_S, REGISTRATIONS_PER_DAY, REPLY_S_MAX, STORE_S_MAX, STRANGER_AT_ONCE,
    STRANGER_PER_SECOND, USER_IN_PROGRESS,
};
use host_engine::processor::Report;
use host_engine::writer::JobError;
use host_identity::issuers::Issuer;
use host_intake::Decoded;
use host_intake::body::Quarantined;
use host_intake::request::PATH as WEBHOOKS;
use host_provider_api::RegistryTokens;
use host_store::Partition;
use ipnet::IpNet;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{oneshot, watch};
use tower::{Layer, ServiceExt, service_fn};
use tower_http::cors::CorsLayer;
use tracing::Instrument;
use url::Url;

/// Names that a business on a server with several sites cannot have, since they begin other paths.
const TAKEN: [&str; 9] = ["admin", "api", "assets", "auth", "b", "do", "ext", "health", "metrics"];

/// The limits of requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrontLimits {
    /// Time in which a body must arrive.
    pub body: Duration,
    /// Time for which a caller waits for a reply that needs the result of an effect.
    pub reply: Duration,
    /// Requests of one key.
    pub key: Rate,
    /// Requests without a valid key, of one address.
    pub stranger: Rate,
    /// Registrations and logins in a minute: of one address, and failed logins of one user.
    pub logins: u32,
    /// Registrations with a password in a day, of one address.
    pub registrations: u32,
    /// Requests of a user, or of the bearer of a token, that are in progress at the same time.
    pub user_at_once: usize,
    /// Those of a service or an operator.
    pub program_at_once: usize,
    /// Those of an address, without those of services, operators and providers.
    pub address_at_once: usize,
    /// Mails that requests cause.
    pub mails: MailLimits,
    /// Time after which the caller of an open stream is found again.
    pub recheck: Duration,
}

impl Default for FrontLimits {
    /// The limits of [`host_business::routes::limits`].
    fn default() -> Self {
        FrontLimits {
            body: Duration::from_secs(BODY_S_MAX),
            reply: Duration::from_secs(REPLY_S_MAX),
            key: Rate { per_second: KEY_PER_SECOND, burst: KEY_AT_ONCE },
            stranger: Rate { per_second: STRANGER_PER_SECOND, burst: STRANGER_AT_ONCE },
            logins: LOGINS_PER_MINUTE,
            registrations: REGISTRATIONS_PER_DAY,
            user_at_once: USER_IN_PROGRESS,
            program_at_once: PROGRAM_IN_PROGRESS,
            address_at_once: ADDRESS_IN_PROGRESS,
            mails: MailLimits::default(),
            recheck: Duration::from_secs(RECHECK_S),
        }
    }
}

/// A site with its names on the server.
pub struct HostedSite {
    /// The site.
    pub site: Site,
    /// Host names, in lower case and without a port.
    pub names: Vec<String>,
    /// Further paths of webhooks, each with the name of its webhook: `/api/billing/webhook` → `stripe`.
    pub aliases: BTreeMap<String, String>,
    /// The words for deliveries, by webhook, in place of the server's own.
    pub webhook_answers: BTreeMap<String, WebhookAnswer>,
    /// Lets operators advance the clock, in local mode only.
    pub local_clock: Option<Arc<dyn LocalClock>>,
    /// What resources cost at their provider.
    pub costs: Vec<ResourceCost>,
    /// The routes of the business.
    pub routes: BusinessRoutes,
    /// The users of the business; none if it has no users of its own.
    pub users: Option<SiteUsers>,
    /// Address of the site for browsers, without a slash at the end: `https://manage.example.com`.
    pub url: String,
    /// The issuers that the business trusts.
    pub issuers: Vec<Arc<Issuer>>,
    /// The tools of operators' requests.
    pub tools: Tools,
    /// The pages for browsers.
    pub pages: SitePages,
    /// The webhooks that the business sends; none if it sends none.
    pub webhooks: Option<SiteWebhooks>,
    /// Signs the tokens of a registry for images; none if the server has no such registry.
    pub registry: Option<Arc<dyn RegistryTokens>>,
    /// Lets pages of the business's origins call the API, see [`crate::cors`].
    pub cors: CorsLayer,
}

/// The reason why sites cannot be served together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrontError {
    /// There is no site.
    #[error("no site: expected at least one business")]
    NoSite,
    /// Two sites cannot be told apart.
    #[error("two sites have the name `{0}`: expected one business, and one host name, for each site")]
    SameName(String),
    /// The name of a business is the beginning of another path.
    #[error("the business `{name}` cannot be the first part of a path: expected another name than {}", TAKEN.join(", "))]
    TakenName {
        /// The name.
        name: String,
    },
}

/// Keeps authentic bytes that are not events, for operators.
pub trait Quarantine: Send + Sync {
    /// Keeps the bytes of a delivery.
    fn keep(&self, quarantined: &Quarantined);
}

/// Keeps nothing.
impl Quarantine for () {
    fn keep(&self, _: &Quarantined) {}
}

/// What the front of a server is made of.
pub struct FrontSetup {
    /// The sites, each with its names.
    pub sites: Vec<HostedSite>,
    /// Finds the caller of a key.
    pub authenticator: Arc<dyn Authenticator>,
    /// Makes ids.
    pub ids: Arc<dyn Ids>,
    /// The limits of requests.
    pub limits: FrontLimits,
    /// The proxies whose `X-Forwarded-For` counts; none for those on this machine.
    pub proxies: Option<Vec<IpNet>>,
    /// The metrics, which observe the sites.
    pub metrics: Arc<Metrics>,
    /// What happens at the sites, which it observes.
    pub changes: Arc<Changes>,
    /// Keeps authentic bytes that are not events; `()` only counts them.
    pub quarantine: Arc<dyn Quarantine>,
}

/// Answers the requests to the sites of a server.
#[derive(Clone)]
pub struct Front {
    app: AppState,
    router: Router,
}

/// The state of the server, for all handlers.
#[derive(Clone)]
pub(crate) struct AppState {
    pub(crate) sites: Arc<Vec<Arc<HostedSite>>>,
    pub(crate) authenticator: Arc<dyn Authenticator>,
    pub(crate) ids: Arc<dyn Ids>,
    pub(crate) limits: FrontLimits,
    pub(crate) rates: Arc<Rates>,
    /// The requests in progress.
    pub(crate) in_progress: Arc<InProgress>,
    pub(crate) requests: Arc<Requests>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) changes: Arc<Changes>,
    pub(crate) quarantine: Arc<dyn Quarantine>,
    /// The open streams.
    pub(crate) streams: Arc<Streams>,
    /// The last tests of the stores' writes.
    pub(crate) writes: Arc<health::Writes>,
    /// True when the server stops; streams then end.
    pub(crate) stopping: Arc<watch::Sender<bool>>,
    /// The accounts in which something waits for an operator, by site.
    pub(crate) waiting: Arc<BTreeMap<Partition, tokio::sync::Mutex<Waiting>>>,
    /// Whether the catalogs answer.
    pub(crate) catalogs: Arc<CatalogProbes>,
    /// The OpenAPI documents.
    pub(crate) documents: Arc<BTreeMap<Partition, String>>,
    /// Held while the clock is advanced.
    pub(crate) advancing: Arc<tokio::sync::Mutex<()>>,
}

impl AppState {
    /// Counts a refused delivery.
    pub(crate) fn refused(&self, hosted: &HostedSite, reason: &str) {
        self.metrics.refused(hosted.site.partition(), reason);
    }
}

impl Front {
    /// Makes the front of some sites.
    ///
    /// # Errors
    /// Fails without a site, or if two sites cannot be told apart.
    pub fn new(setup: FrontSetup) -> Result<Front, FrontError> {
        let FrontSetup { sites, authenticator, ids, limits, proxies, metrics, changes, quarantine } = setup;
        check_names(&sites)?;
        let waiting = sites.iter().map(|hosted| (hosted.site.partition().clone(), tokio::sync::Mutex::default()));
        let waiting = Arc::new(waiting.collect());
        let sites: Arc<Vec<Arc<HostedSite>>> = Arc::new(sites.into_iter().map(Arc::new).collect());
        let writes = Arc::new(health::Writes::of(sites.iter().map(|site| &**site)));
        let (streams, stopping) = (Arc::default(), Arc::new(watch::Sender::new(false)));
        let routes = table::all();
        let documents = sites.iter().map(|hosted| {
            let partition = hosted.site.partition();
            let described = table::described(&routes);
            let document =
                openapi::document(&hosted.routes.table, &described, &partition.business, env!("CARGO_PKG_VERSION"));
            (partition.clone(), document.to_string())
        });
        let documents = Arc::new(documents.collect());
        let app = AppState {
            sites,
            authenticator,
            ids,
            limits,
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
        Ok(Front { router: server_route::router(routes, app.clone()), app })
    }

    /// Announces the users that are not announced to their businesses yet.
    pub async fn announce_users(&self) {
        for site in self.app.sites.iter() {
            identity::announce_all(site).await;
        }
    }

    /// Returns the sites.
    pub fn sites(&self) -> impl Iterator<Item = &HostedSite> {
        self.app.sites.iter().map(|site| &**site)
    }

    /// Returns the state of the server.
    pub(crate) fn state(&self) -> &AppState {
        &self.app
    }

    /// Returns the sites, to be kept while a request is answered.
    pub(crate) fn hosted(&self) -> impl Iterator<Item = &Arc<HostedSite>> {
        self.app.sites.iter()
    }

    /// Returns what finds the caller of a key.
    pub(crate) fn authenticator(&self) -> &dyn Authenticator {
        &*self.app.authenticator
    }

    /// Returns the time in which a body must arrive.
    pub(crate) fn body_time(&self) -> Duration {
        self.app.limits.body
    }

    /// Tells clients from now on that the server stops: `/health` fails, and streams, which would keep their connections open, end.
    pub(crate) fn begin_to_stop(&self) {
        self.app.stopping.send_replace(true);
    }

    /// Answers a request.
    pub async fn answer(&self, request: Request<Body>) -> Response {
        let (began, method, id) = (Instant::now(), request.method().clone(), self.app.requests.next());
        let span = trace::span(&id);
        let peer = request.extensions().get::<Peer>().copied();
        let (request, unread) = unread::watch(request);
        let begun = is_plain(&request).and_then(|()| OpenRequest::begin(&self.app, peer, request.headers()));
        let mut response = match begun {
            Ok(asking) => {
                let answered = turn::within(asking.clone(), self.route(request)).instrument(span.clone()).await;
                turn::carried(asking, answered)
            }
            Err(problem) => problem.into_response(),
        };
        let route = response.extensions().get::<RoutePattern>().map(|pattern| pattern.0.as_str());
        let (status, took) = (response.status(), began.elapsed());
        self.app.metrics.answered(route, status.as_u16(), took);
        trace::answered(&span, &method, route, status, took);
        unread.tell(&mut response);
        let headers = response.headers_mut();
        headers.insert(trace::HEADER, id);
        // Browsers must not guess another type, and nothing is cached unless the handler allows it.
        headers.entry(header::X_CONTENT_TYPE_OPTIONS).or_insert(HeaderValue::from_static("nosniff"));
        headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
        response
    }

    async fn route(&self, mut request: Request<Body>) -> Response {
        if let Some((site, host)) = self.app.instance_of(&request) {
            let peer = request.extensions().get::<Peer>().copied();
            if let Err(problem) = self.app.rates.stranger(peer, request.headers()) {
                return problem.into_response();
            }
            if let Some(response) = away::at_its_host(self, &site, host, without_body(&request)).await {
                return response;
            }
        }
        let Some((site, rest)) = self.app.site_of(&request) else {
            return Problem::not_found("no business of this name").into_response();
        };
        let path = rest.unwrap_or_else(|| request.uri().path().to_owned());
        let path = match site.alias(&path) {
            Some(name) => format!("{WEBHOOKS}{name}"),
            None => products::canonical(&path).unwrap_or(path),
        };
        if path != request.uri().path() && !set_path(request.uri_mut(), &path) {
            return Problem::not_found("no such path").into_response();
        }
        let answered = site.cors.layer(service_fn(|request| {
            let (front, site, path) = (self.clone(), site.clone(), path.clone());
            async move { Ok::<_, Infallible>(front.dispatch(site, path, request).await) }
        }));
        // Dispatching never fails.
        answered.oneshot(request).await.unwrap_or_else(|never| match never {})
    }

    /// Answers a request to a site, by a route of the business or of every server.
    pub(crate) async fn dispatch(&self, site: Arc<HostedSite>, path: String, request: Request<Body>) -> Response {
        let method = if request.method() == Method::HEAD { Method::GET } else { request.method().clone() };
        let others = match site.routes.find(method.as_str(), &path) {
            Matched::Route(route, parts) => {
                let answer = routes::answer(&self.app, &site, route, parts, request).await;
                return site.routes.answer_to(answer);
            }
            Matched::OtherMethods(methods) => Some(methods),
            Matched::Nothing => None,
        };
        let mut request = match pages::answer(self, &site, &path, request).await {
            Ok(mut page) => {
                page.extensions_mut().insert(RoutePattern("page".to_owned()));
                return page;
            }
            Err(request) => request,
        };
        request.extensions_mut().insert(site.clone());
        let wants_page = pages::is_wanted(&path, &request);
        // The router never fails.
        let answer = self.router.clone().oneshot(request).await.unwrap_or_else(|never| match never {});
        if let Some(parts) = wants_page.filter(|_| answer.extensions().get::<RoutePattern>().is_none()) {
            if let Err(problem) = extract::count(&self.app, &site, &parts.headers, &parts.extensions).await {
                return problem.into_response();
            }
            return pages::failure(self, &site, &parts, answer.status(), "There is no such page.").await;
        }
        match others.filter(|_| answer.extensions().get::<RoutePattern>().is_none()) {
            Some(methods) => Problem::method(&routes::allow(&methods)).into_response(),
            None => site.routes.answer_to(answer),
        }
    }

    /// Takes the sites back, to stop them, when no request is being answered any more; none otherwise.
    pub fn into_sites(self) -> Option<Vec<HostedSite>> {
        drop(self.router);
        let sites = Arc::into_inner(self.app.sites)?;
        sites.into_iter().map(Arc::into_inner).collect()
    }
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
    /// Returns true if the address for browsers has this host name.
    fn is_at(&self, host: &str) -> bool {
        Url::parse(&self.url).is_ok_and(|url| url.host_str() == Some(host))
    }

    /// Returns the webhook of which a path is an alias. The path may end in a slash.
    fn alias(&self, path: &str) -> Option<&str> {
        let path = path.strip_suffix('/').unwrap_or(path);
        self.aliases.get(path).map(String::as_str).or_else(|| products::webhook(path))
    }
}

impl AppState {
    /// Returns the host name of a request, in lower case and without a port.
    fn host_of(request: &Request<Body>) -> Option<String> {
        let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
        host.or(request.uri().host()).map(|host| without_port(host).to_ascii_lowercase())
    }

    /// Returns the site whose instances have such a host name, and whose instance it is.
    fn instance_of(&self, request: &Request<Body>) -> Option<(Arc<HostedSite>, InstanceHost)> {
        let host = Self::host_of(request)?;
        let is_own = |site: &Arc<HostedSite>| site.names.contains(&host) || site.is_at(&host);
        if self.sites.iter().any(is_own) {
            return None;
        }
        let mut sites = self.sites.iter();
        sites.find_map(|site| Some((site.clone(), site.pages.instance_hosts().instance(&host)?)))
    }

    /// Returns the site of a request, and the path without the name of the business if it has this name.
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
            // Health and metrics are of the whole server.
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

/// Returns the address, the headers and the sender of a request.
pub(crate) fn without_body(request: &Request<Body>) -> Parts {
    let mut parts = Request::new(()).into_parts().0;
    (parts.uri, parts.headers) = (request.uri().clone(), request.headers().clone());
    if let Some(peer) = request.extensions().get::<Peer>() {
        parts.extensions.insert(*peer);
    }
    parts
}

/// Replaces the path and keeps the query. Returns false if the path is not one.
fn set_path(uri: &mut Uri, path: &str) -> bool {
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    let Ok(path_and_query) = PathAndQuery::try_from(format!("{path}{query}")) else { return false };
    let mut parts = std::mem::take(uri).into_parts();
    parts.path_and_query = Some(path_and_query);
    Uri::from_parts(parts).map(|changed| *uri = changed).is_ok()
}

/// Sends an event to the writer, in the turn of the request, and waits for its commit. Refuses an event with U+0000, which not every store keeps.
pub(crate) async fn accept(site: &Site, decoded: Decoded, raw: Vec<u8>) -> Result<Vec<Report>, Problem> {
    let has_zero = match &decoded.event.payload {
        Payload::Command(text) => has_zero_character(text.as_bytes()),
        Payload::Payment(bytes) => has_zero_character(bytes),
        _ => false,
    };
    if has_zero {
        return Err(Problem::bad("zero-character", "a text has the character U+0000: expected a text without it"));
    }
    soon(answer_of(|answer| site.try_accept_then(turn::current(), decoded, raw, answer))).await
}

/// Returns true if a text of a JSON document has U+0000, which JSON can only write as an escape.
fn has_zero_character(json: &[u8]) -> bool {
    let mut rest = json;
    while let Some(at) = rest.iter().position(|byte| *byte == b'\\') {
        if rest[at..].starts_with(b"\\u0000") {
            return true;
        }
        // The escaped byte may be a backslash itself.
        rest = rest.get(at + 2..).unwrap_or_default();
    }
    false
}

/// Waits for the answer of a writer. If it does not come in time, the event may still be stored: sending it again is safe.
pub(crate) async fn soon<T, E>(answer: impl Future<Output = Result<Result<T, E>, JobError>>) -> Result<T, Problem>
where
    Problem: From<E>,
{
    match tokio::time::timeout(Duration::from_secs(STORE_S_MAX), answer).await {
        Ok(answered) => Ok(answered??),
        Err(_) => {
            Err(Problem::unavailable("the store does not answer: it is not known whether the request was stored"))
        }
    }
}

/// Sends a job that passes its answer to a function, and waits for the answer.
pub(crate) async fn answer_of<T: Send + 'static>(
    send: impl FnOnce(Box<dyn FnOnce(T) + Send>) -> Result<(), JobError>,
) -> Result<T, JobError> {
    let (sender, answer) = oneshot::channel();
    send(Box::new(move |result| drop(sender.send(result))))?;
    answer.await.map_err(|_| JobError::Ended)
}
