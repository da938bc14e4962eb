//! The server: HTTP on loopback, the pages, and webhook delivery.

mod connection;
mod cors;
mod dispatch;
mod link;
pub mod listen;
mod multipart;
pub mod pages;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Response as HttpResponse, StatusCode, header};
use axum::routing::{any, get, post};
use jiff::fmt::rfc2822::DateTimePrinter;
use thiserror::Error;
use tokio::net::TcpListener;

use crate::access::{self, Access};
use crate::api::sandbox::RESET;
use crate::error::ApiError;
use crate::files;
use crate::fixtures::{FixtureError, Fixtures};
use crate::model::file::Upload;
use crate::sandbox::{BODY_BYTES_MAX, Request, Response, Sandbox};
use crate::settings::Settings;
use crate::store::{Given, StoreError};
use crate::webhook::deliver;
use crate::webhook::trust::{self, TrustError};
use dispatch::Dispatch;

/// The mode of the sandbox's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClockMode {
    /// The clock stands still until a call moves it: the same calls produce the same bytes.
    Still,
    /// The clock follows the machine's clock, and runs ahead of it after [`Server::advance_to`].
    Wall,
}

/// The options of a server.
#[derive(Debug, Clone)]
pub struct Options {
    /// The port; 0 selects a free one.
    pub port: u16,
    /// The state file, if any.
    pub state: Option<PathBuf>,
    /// The folder to which events are written, if any.
    pub events: Option<PathBuf>,
    /// The delays in seconds before the first, second and further retries of a failed delivery.
    pub retry_s: Vec<u64>,
    /// A PEM file of certificate authorities for `https://` endpoints, in addition to the machine's.
    pub webhook_ca: Option<PathBuf>,
    /// The timeout after which the connection of a slow client is closed.
    pub patience: Duration,
    /// The mode of the clock.
    pub clock: ClockMode,
    /// The account's settings. The server replaces the base URL with its own. An existing account keeps its stored
    /// settings.
    pub settings: Settings,
    /// The settings that the user gave explicitly; see [`Given`].
    pub given: Vec<Given>,
    /// The objects of a new account, also created after a reset. An existing account does not get them.
    pub fixtures: Fixtures,
    /// Whether parameters that only the real Stripe has are accepted without effect.
    pub is_lenient: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            port: 0,
            state: None,
            events: None,
            retry_s: vec![1, 5, 25],
            webhook_ca: None,
            patience: Duration::from_secs(30),
            clock: ClockMode::Still,
            settings: Settings::default(),
            given: Vec::new(),
            fixtures: Fixtures::default(),
            is_lenient: false,
        }
    }
}

/// The reason why a server can't start.
#[derive(Debug, Error)]
pub enum ServerError {
    /// The port can't be bound.
    #[error("can't listen on 127.0.0.1:{port}: {error}")]
    Bind {
        /// The requested port.
        port: u16,
        /// The system's error.
        error: std::io::Error,
    },
    /// The events folder can't be created.
    #[error("can't make the folder for events: {0}")]
    Events(std::io::Error),
    /// The certificate authorities can't be used.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// The state file can't be used.
    #[error(transparent)]
    State(#[from] StoreError),
    /// A fixture was refused.
    #[error(transparent)]
    Fixtures(#[from] FixtureError),
}

struct Account {
    sandbox: Sandbox,
    dispatch: Dispatch,
    clock: ClockMode,
    fixtures: Fixtures,
}

impl Account {
    /// Creates the fixtures again after a reset, at the current time.
    fn start_again(&mut self) {
        if self.clock == ClockMode::Wall
            && let Err(error) = self.sandbox.tick(wall_s())
        {
            eprintln!("{error}");
        }
        if let Err(error) = self.fixtures.create(&mut self.sandbox) {
            eprintln!("{error}");
        }
    }
}

/// The account, shared by the handlers.
#[derive(Clone)]
pub(crate) struct Shared(Arc<Mutex<Account>>);

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Account> {
        // A handler that panicked has committed either nothing or everything: the next call rolls back uncommitted
        // changes.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Handles a request, commits its changes, and dispatches its events, in that order.
    pub(crate) fn handle(&self, request: &Request) -> Response {
        let mut account = self.lock();
        let response = account.sandbox.handle(request);
        if request.path.trim_end_matches('/') == RESET && response.status == 200 {
            account.start_again();
        }
        let Account { sandbox, dispatch, .. } = &mut *account;
        dispatch.send_new(sandbox);
        response
    }

    fn tick(&self, now_s: i64) {
        let mut account = self.lock();
        let before = account.sandbox.state().clock_s();
        if now_s <= before {
            return;
        }
        if let Err(error) = account.sandbox.tick(now_s) {
            eprintln!("{error}");
        }
        let Account { sandbox, dispatch, .. } = &mut *account;
        dispatch.send_new(sandbox);
    }

    /// Reads from the account.
    pub(crate) fn read<T>(&self, read: impl FnOnce(&Sandbox) -> T) -> T {
        let account = self.lock();
        let found = read(&account.sandbox);
        report(&account.sandbox);
        found
    }

    /// Adds a listener, which from now on receives the position of every new and every resent event.
    pub(crate) fn listen(&self) -> tokio::sync::mpsc::UnboundedReceiver<u64> {
        self.lock().dispatch.listen()
    }
}

/// Logs a read failure outside a request, where no response can report it.
fn report(sandbox: &Sandbox) {
    if let Some(error) = sandbox.state().take_failure() {
        eprintln!("{error}");
    }
}

/// A running server.
pub struct Server {
    address: SocketAddr,
    shared: Shared,
    task: tokio::task::JoinHandle<()>,
}

impl Server {
    /// Binds 127.0.0.1 and serves until the server is dropped.
    ///
    /// # Errors
    /// The port can't be bound, or the state file, the events folder or the certificate authorities can't be used.
    pub async fn start(options: Options) -> Result<Self, ServerError> {
        let bound = |error| ServerError::Bind { port: options.port, error };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port)).await.map_err(bound)?;
        let address = listener.local_addr().map_err(bound)?;
        let mut settings = options.settings.clone();
        settings.base_url = format!("http://{address}");
        let mut sandbox = match &options.state {
            Some(path) => Sandbox::open(path, settings, &options.given)?,
            None => Sandbox::new(settings),
        };
        if options.is_lenient {
            sandbox.be_lenient();
        }
        if let Some(folder) = &options.events {
            std::fs::create_dir_all(folder).map_err(ServerError::Events)?;
        }
        if sandbox.state().is_new() {
            options.fixtures.create(&mut sandbox)?;
        }
        let http = deliver::client(trust::config(options.webhook_ca.as_deref())?);
        let shared = Shared(Arc::new_cyclic(|account| {
            let dispatch = Dispatch::new(account.clone(), &options, http, sandbox.state().delivered());
            Mutex::new(Account { sandbox, dispatch, clock: options.clock, fixtures: options.fixtures.clone() })
        }));
        {
            let mut account = shared.lock();
            let Account { sandbox, dispatch, .. } = &mut *account;
            dispatch.send_new(sandbox);
        }
        let app = router(shared.clone());
        let clock = (options.clock == ClockMode::Wall).then(|| shared.clone());
        let task = tokio::spawn(async move {
            tokio::join!(connection::serve(listener, app, options.patience), async {
                if let Some(shared) = clock {
                    run_clock(shared).await;
                }
            });
        });
        Ok(Self { address, shared, task })
    }

    /// Returns the address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Marks a webhook endpoint so that a reset keeps it.
    ///
    /// # Errors
    /// The state can't be written.
    pub fn keep_endpoint(&self, id: &str) -> Result<(), StoreError> {
        self.shared.lock().sandbox.keep_endpoint(id)
    }

    /// Handles a request without HTTP.
    pub fn handle(&self, request: &Request) -> Response {
        self.shared.handle(request)
    }

    /// Returns the id of the newest object of a kind, such as `checkout.session`.
    pub fn newest(&self, kind: &str) -> Option<String> {
        self.shared.read(|sandbox| sandbox.state().newest(kind, None).next().map(|object| object.id().to_owned()))
    }

    /// Returns the time, in Unix seconds, at which the sandbox next acts on its own, unless that is after `until_s`.
    /// Ignores test clocks.
    pub fn next_due_s(&self, until_s: i64) -> Option<i64> {
        self.shared.read(|sandbox| sandbox.state().next_due("", until_s).map(|(due_s, _)| due_s))
    }

    /// Advances the sandbox's clock to `until_s` (Unix seconds) and runs all due actions. A time in the past has no
    /// effect.
    pub fn advance_to(&self, until_s: i64) {
        self.shared.tick(until_s);
    }

    /// Returns the number of events, counted from the oldest one whose delivery isn't complete. A delivered event may
    /// still be included for a few milliseconds.
    pub fn undelivered(&self) -> u64 {
        self.shared.read(|sandbox| sandbox.state().event_count().saturating_sub(sandbox.state().delivered()))
    }

    /// Waits until the server stops. It stops only if its task panics.
    pub async fn wait(mut self) {
        // The task ends only by a panic, which also stops the server.
        let _ = (&mut self.task).await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Keeps the sandbox's clock in step with the machine's. A clock that was advanced continues from there at the same
/// pace.
async fn run_clock(shared: Shared) {
    let mut every = tokio::time::interval(Duration::from_secs(1));
    let mut last_s = wall_s();
    loop {
        every.tick().await;
        let now_s = wall_s();
        let passed_s = now_s.saturating_sub(last_s).max(0);
        last_s = now_s;
        let ahead_s = shared.read(|sandbox| sandbox.state().clock_s()).saturating_add(passed_s);
        shared.tick(ahead_s.max(now_s));
    }
}

/// Returns the machine's time in Unix seconds. Use it only for signatures and for [`ClockMode::Wall`].
pub(crate) fn wall_s() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or_default()
}

fn router(shared: Shared) -> Router {
    pages::router()
        .route("/b/{id}", get(link::visit))
        .route("/v1/stripecli/sessions", post(listen::session))
        .route("/_sandbox/listen/{id}", get(listen::socket))
        .route("/_sandbox/files/{id}", get(linked_file))
        .route("/v1/files/{id}/contents", get(file_contents))
        .fallback(any(api))
        .layer(axum::middleware::from_fn(cors::allow))
        .with_state(shared)
}

/// Reads a form body. Fails with status 413 if the body is longer than [`BODY_BYTES_MAX`].
pub(crate) async fn read_body(body: Body) -> Result<String, ApiError> {
    let bytes = read_bytes(body).await?;
    // The form decoder rejects the replacement `%FF` as invalid UTF-8.
    Ok(String::from_utf8(bytes).unwrap_or_else(|_| "%FF".into()))
}

async fn read_bytes(body: Body) -> Result<Vec<u8>, ApiError> {
    let too_large = |_| ApiError {
        status: 413,
        ..ApiError::invalid(format!("The request body is larger than {BODY_BYTES_MAX} bytes."))
    };
    axum::body::to_bytes(body, BODY_BYTES_MAX).await.map(|bytes| bytes.to_vec()).map_err(too_large)
}

/// Reads the form and the file of a request with this content type.
async fn read_form(body: Body, content_type: &str) -> Result<(String, Option<Upload>), ApiError> {
    match multipart::boundary(content_type) {
        Some(boundary) => multipart::read(&read_bytes(body).await?, boundary),
        None => read_body(body).await.map(|form| (form, None)),
    }
}

/// `GET /v1/files/{id}/contents`: returns the bytes of a file; requires a secret key.
async fn file_contents(State(shared): State<Shared>, Path(id): Path<String>, headers: HeaderMap) -> HttpResponse<Body> {
    let key = headers.get(header::AUTHORIZATION).and_then(|key| key.to_str().ok());
    match access::of(key, None) {
        Err(error) => reply(error.status, error.body().to_string(), HeaderMap::new()),
        Ok(Access::Publishable | Access::Ephemeral) => download(None),
        Ok(Access::Secret) => download(shared.read(|sandbox| files::content(sandbox.state(), &id))),
    }
}

/// `GET /_sandbox/files/{link}`: returns the bytes of a file through a link that has not expired.
async fn linked_file(State(shared): State<Shared>, Path(id): Path<String>) -> HttpResponse<Body> {
    download(shared.read(|sandbox| {
        let link = sandbox.state().seek(&id).filter(|link| link.kind() == "file_link")?;
        let is_expired = files::shown(sandbox.state(), &link)["expired"] == true;
        if is_expired { None } else { files::content(sandbox.state(), link.text("file")) }
    }))
}

fn download(content: Option<Vec<u8>>) -> HttpResponse<Body> {
    let (status, content) = content.map_or((StatusCode::NOT_FOUND, Vec::new()), |content| (StatusCode::OK, content));
    let mut response = HttpResponse::new(Body::from(content));
    *response.status_mut() = status;
    // A browser must neither guess the type of a file nor run it.
    for (name, value) in [
        (header::CONTENT_TYPE, "application/octet-stream"),
        (header::CONTENT_DISPOSITION, "attachment"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        response.headers_mut().insert(name, header::HeaderValue::from_static(value));
    }
    response
}

async fn api(State(shared): State<Shared>, request: axum::extract::Request) -> HttpResponse<Body> {
    let (parts, body) = request.into_parts();
    let content_type = parts.headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let (body, upload) = match read_form(body, content_type).await {
        Ok(read) => read,
        Err(error) => return reply(error.status, error.body().to_string(), HeaderMap::new()),
    };
    let text = |name: &str| parts.headers.get(name).and_then(|v| v.to_str().ok()).map(str::to_owned);
    let request = Request {
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        body,
        authorization: text("authorization"),
        version: text("stripe-version"),
        idempotency_key: text("idempotency-key"),
        account: text("stripe-account"),
        upload,
        is_own: false,
    };
    let response = shared.handle(&request);
    let mut headers = HeaderMap::new();
    let mut add = |name: &'static str, value: &str| {
        if let Ok(value) = value.parse() {
            headers.insert(name, value);
        }
    };
    add("request-id", &response.request_id);
    add("stripe-version", &response.version);
    // Clients compare this time with those in the objects, so it comes from the same clock.
    if let Some(date) = http_date(response.at_s) {
        add("date", &date);
    }
    if let Some(key) = &response.idempotency_key {
        add("idempotency-key", key);
    }
    if let Some(original) = &response.original_request {
        add("original-request", original);
        add("idempotent-replayed", "true");
    }
    if let Some(reason) = response.rate_limited {
        add("stripe-rate-limited-reason", reason);
        // As at Stripe, tell its libraries not to retry a rate limit on their own, which would add to the load.
        add("stripe-should-retry", "false");
    }
    if response.status == 401 {
        add("www-authenticate", "Basic realm=\"Stripe\"");
    }
    let mut answer = reply(response.status, response.body, headers);
    if let Some(lost) = response.lost {
        // The connection reads this mark and drops the answer.
        answer.extensions_mut().insert(lost);
    }
    answer
}

/// Formats a time in Unix seconds for the header `Date`.
fn http_date(at_s: i64) -> Option<String> {
    let at = jiff::Timestamp::from_second(at_s).ok()?;
    DateTimePrinter::new().timestamp_to_rfc9110_string(&at).ok()
}

fn reply(status: u16, body: String, headers: HeaderMap) -> HttpResponse<Body> {
    let (kind, body) = if body.starts_with("%PDF") {
        // Each character of a document stands for a byte.
        let bytes: Vec<u8> = body.chars().filter_map(|c| u8::try_from(u32::from(c)).ok()).collect();
        ("application/pdf", Body::from(bytes))
    } else {
        ("application/json", Body::from(body))
    };
    let mut response = HttpResponse::new(body);
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    *response.headers_mut() = headers;
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(kind));
    response
}
