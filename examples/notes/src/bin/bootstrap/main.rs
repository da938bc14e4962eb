//! The program of an instance on AWS Lambda, on a database of PostgreSQL and a bucket of S3.

mod bucket;
mod database;
mod storage;

use crate::storage::Cloud;
use bytes::Bytes;
use http::{Request, Response};
use lambda_http::{Body, IntoResponse, service_fn};
use notes::{Settings, SettingsError, Site, respond};
use std::future::{Future, ready};
use std::pin::Pin;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

/// Reasons why the program ends.
#[derive(Debug, thiserror::Error)]
enum BootstrapError {
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error("the threads can't be started: {0}")]
    Runtime(#[from] std::io::Error),
    #[error("Lambda's runtime failed: {0}")]
    Lambda(lambda_http::Error),
}

fn main() -> ExitCode {
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve() -> Result<(), BootstrapError> {
    let settings = Settings::read(|name| std::env::var(name).ok())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let (name, cloud) = (settings.name.clone(), Cloud::open(settings).await);
        let (name, cloud) = (&name, cloud.as_ref());
        let handler = service_fn(move |request: lambda_http::Request| async move {
            Ok::<_, lambda_http::Error>(answer(name, cloud, request).await)
        });
        lambda_http::run(handler).await.map_err(BootstrapError::Lambda)
    })
}

/// Returns the response to a request. The log gets the reason of a failure.
async fn answer(name: &str, cloud: Option<&Cloud>, request: lambda_http::Request) -> Unchanged {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let site = Site { name: name.to_owned(), settings: Vec::new(), now: now.try_into().unwrap_or(i64::MAX) };
    let responded = respond(&site, cloud, plain(request)).await;
    Unchanged(responded.unwrap_or_else(|error| {
        eprintln!("error: {error}");
        notes::failed()
    }))
}

/// Returns the request with its body as bytes.
fn plain(request: lambda_http::Request) -> Request<Bytes> {
    request.map(|body| match body {
        Body::Text(text) => Bytes::from(text),
        Body::Binary(bytes) => Bytes::from(bytes),
        _ => Bytes::new(),
    })
}

/// A response whose body goes to Lambda in base64. `lambda_http` would decode other bodies by their media type, which changes files of
/// text.
struct Unchanged(Response<Bytes>);

impl IntoResponse for Unchanged {
    fn into_response(self) -> Pin<Box<dyn Future<Output = Response<Body>> + Send>> {
        Box::pin(ready(self.0.map(|bytes| Body::Binary(bytes.into()))))
    }
}
