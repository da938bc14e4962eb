//! The HTTP server of all functions. It finds the function by the request's host and responds for it.

use crate::local::away::AwaySlot;
use crate::local::error::LocalError;
use crate::local::function::LABEL;
use crate::local::notebook::Notebook;
use crate::local::page::{page, rows};
use crate::local::store::{Resource, ResourceStore};
use crate::local::{alias, entries, function, objects};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Request, StatusCode, header};
use axum::response::Response;
use host_provider_api::ResourceId;
use notes::Site;
use std::hash::{BuildHasher, RandomState};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::oneshot;

/// Maximum size of a request body in bytes, as in Lambda. The notebook itself has a lower limit, which its page shows.
const BODY_MAX: usize = 6 * 1024 * 1024;
/// Time to finish pending requests when the server stops.
const STOP: Duration = Duration::from_secs(2);
/// Ports below those that Linux (from 32768) and macOS (from 49152) assign to programs that ask for any port.
const PORT_FIRST: u16 = 20_000;
const PORT_COUNT: u16 = 10_000;
/// Number of ports to try.
const PORT_TRIES: u32 = 64;
/// Content security policy: pages may only be displayed.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/// An HTTP server on its own threads. It stops when it is dropped.
pub(crate) struct Server {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    runtime: Option<Runtime>,
}

impl Server {
    /// Serves on the port that the folder stores, otherwise on `port` or a free port, and stores it.
    pub fn start(store: ResourceStore, port: Option<u16>, away: AwaySlot) -> Result<Server, LocalError> {
        let listener = match (store.port()?, port) {
            (Some(port), _) => listen(port).map_err(|error| LocalError::StoredPort { port, error })?,
            (None, Some(port)) => listen(port).map_err(|error| LocalError::Port { port, error })?,
            (None, None) => listen_at_free_port()?,
        };
        let taken = |error| LocalError::Port { port: port.unwrap_or_default(), error };
        let address = listener.local_addr().map_err(taken)?;
        listener.set_nonblocking(true).map_err(taken)?;
        store.set_port(address.port())?;
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().map_err(taken)?;
        let (stop, stopped) = oneshot::channel::<()>();
        let app = Router::new().fallback(handle).layer(DefaultBodyLimit::max(BODY_MAX)).with_state((store, away));
        let listener = {
            let _inside = runtime.enter();
            tokio::net::TcpListener::from_std(listener).map_err(taken)?
        };
        runtime.spawn(async move {
            let serving = axum::serve(listener, app).with_graceful_shutdown(async move {
                // The server also stops if the sender is dropped.
                let _ = stopped.await;
            });
            // Serving ends after the signal, or with the process.
            let _ = serving.await;
        });
        Ok(Server { address, stop: Some(stop), runtime: Some(runtime) })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(runtime) = self.runtime.take() {
            // The port is free after the shutdown.
            runtime.shutdown_timeout(STOP);
        }
    }
}

fn listen(port: u16) -> std::io::Result<std::net::TcpListener> {
    std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port))
}

/// Returns some random ports that no system assigns to programs that ask for any port, so that the port is also free
/// when the server next starts.
pub fn lasting_ports() -> impl Iterator<Item = u16> {
    // Each state of the hasher has different random keys.
    (0..PORT_TRIES).map(|number| {
        let [low, high, ..] = RandomState::new().hash_one(number).to_le_bytes();
        PORT_FIRST + u16::from_le_bytes([low, high]) % PORT_COUNT
    })
}

/// Listens on a free port that will also be free at the next start, because URLs contain it.
fn listen_at_free_port() -> Result<std::net::TcpListener, LocalError> {
    let mut refused = LocalError::Port { port: PORT_FIRST, error: std::io::ErrorKind::AddrInUse.into() };
    for port in lasting_ports() {
        match listen(port) {
            Ok(listener) => return Ok(listener),
            Err(error) => refused = LocalError::Port { port, error },
        }
    }
    Err(refused)
}

async fn handle(
    State((store, away)): State<(ResourceStore, AwaySlot)>,
    parts: Parts,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let Ok(body) = body else { return notes::too_large(notes::BODY_MAX).map(Body::from) };
    let host = parts.headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default().to_owned();
    let request = Request::from_parts(parts.clone(), body);
    let result = tokio::task::spawn_blocking(move || respond(&store, &host, request)).await;
    match result {
        Ok(Responded::Done(response)) => *response,
        Ok(Responded::Away { holder, without_pages }) => match away.pages() {
            // The id of a resource begins with that of its instance.
            Some(pages) => {
                let instance = holder.id.split('/').next().unwrap_or_default();
                pages.answer(&holder.scope, instance, parts).await
            }
            None => *without_pages,
        },
        Err(_) => text(StatusCode::INTERNAL_SERVER_ERROR, "the function failed"),
    }
}

/// The result of looking up the function of a host.
enum Responded {
    /// The response.
    Done(Box<Response>),
    /// The function is suspended or gone.
    Away {
        /// The resource that owns the host name.
        holder: ResourceId,
        /// The response if there are no pages for such instances.
        without_pages: Box<Response>,
    },
}

impl From<Response> for Responded {
    fn from(response: Response) -> Self {
        Responded::Done(Box::new(response))
    }
}

/// Returns the response of the host's function.
fn respond(store: &ResourceStore, host: &str, request: Request<Bytes>) -> Responded {
    // A signed address has no name of its own, because names belong to customers.
    if host.starts_with("127.0.0.1:")
        && let Some(path) = request.uri().path().strip_prefix(objects::PATH)
    {
        let read = objects::read(store, path, request.uri().query().unwrap_or_default());
        return match read {
            Ok(objects::Read::File(bytes)) => file(bytes).into(),
            Ok(objects::Read::Forbidden) => {
                text(StatusCode::FORBIDDEN, "the address is not signed, or its time is over").into()
            }
            Ok(objects::Read::Absent) => text(StatusCode::NOT_FOUND, "there is no such object").into(),
            Err(error) => failed(&error).into(),
        };
    }
    let Some(label) = label(host) else {
        return text(StatusCode::MISDIRECTED_REQUEST, "this server only serves hosts NAME.localhost").into();
    };
    let function = match alias::resolve(store, label) {
        Ok(Some(function)) => function,
        Ok(None) => return absent(store, label),
        Err(error) => return failed(&error).into(),
    };
    if function.state == "suspended" {
        let shown = page("Suspended", "This instance is suspended. Its data is kept.");
        let without_pages = Box::new(html(StatusCode::SERVICE_UNAVAILABLE, shown));
        return Responded::Away { holder: function.full_id(), without_pages };
    }
    serve(store, &function, request).unwrap_or_else(|error| failed(&error)).into()
}

/// Returns the response for a name that no function has: that of the resource that had it last.
fn absent(store: &ResourceStore, label: &str) -> Responded {
    let usual = text(StatusCode::NOT_FOUND, "there is no function with this name");
    if LABEL.check(label).is_err() {
        return usual.into();
    }
    match store.holder_of_label(label) {
        Ok(Some(holder)) => Responded::Away { holder, without_pages: Box::new(usual) },
        Ok(None) => usual.into(),
        Err(error) => failed(&error).into(),
    }
}

/// Returns `name` for `name.localhost` and `name.localhost:PORT`. None for other hosts, to prevent DNS rebinding.
fn label(host: &str) -> Option<&str> {
    let host = host.rsplit_once(':').map_or(host, |(host, _)| host);
    host.strip_suffix(".localhost").filter(|label| !label.contains('.'))
}

/// Responds for a running function.
fn serve(store: &ResourceStore, function: &Resource, request: Request<Bytes>) -> Result<Response, LocalError> {
    let name = function.output("name").unwrap_or_default().to_owned();
    let site = Site { name, settings: rows(&function::shown(function)), now: entries::now() };
    let notebook = Notebook::open(store, function)?;
    let response = Handle::current().block_on(notes::respond(&site, notebook.as_ref(), request))?;
    Ok(response.map(Body::from))
}

/// Returns the response with a file, which browsers save instead of displaying.
fn file(bytes: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(bytes));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert(header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

fn failed(error: &LocalError) -> Response {
    // The error contains a path, so only the operator sees it.
    eprintln!("a local function failed: {error}");
    text(StatusCode::INTERNAL_SERVER_ERROR, "the function failed")
}

fn text(status: StatusCode, text: &str) -> Response {
    response(status, "text/plain; charset=utf-8", text.to_owned())
}

fn html(status: StatusCode, page: String) -> Response {
    response(status, "text/html; charset=utf-8", page)
}

fn response(status: StatusCode, kind: &'static str, body: String) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_under_localhost_are_accepted() {
        assert_eq!(label("acme.localhost:8080"), Some("acme"));
        assert_eq!(label("acme.localhost"), Some("acme"));
        for other in
            ["localhost:8080", "127.0.0.1:8080", "acme.example:80", "a.b.localhost", "evil.example.localhost", ""]
        {
            assert_eq!(label(other), None, "{other}");
        }
    }
}
