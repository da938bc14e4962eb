//! The program of an instance on AWS Lambda, on a database of PostgreSQL and a bucket of S3.

mod bucket;
mod database;
mod storage;

use crate::storage::Cloud;
use bytes::Bytes;
use http::{Request, Response};
use lambda_http::{Body, service_fn};
use notes::{Settings, SettingsError, Site, respond};
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
async fn answer(name: &str, cloud: Option<&Cloud>, request: lambda_http::Request) -> Response<Body> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let site = Site { name: name.to_owned(), settings: Vec::new(), now: now.try_into().unwrap_or(i64::MAX) };
    let responded = respond(&site, cloud, plain(request)).await;
    let response = responded.unwrap_or_else(|error| {
        eprintln!("error: {error}");
        notes::failed()
    });
    response.map(body)
}

/// Returns the request with its body as bytes.
fn plain(request: lambda_http::Request) -> Request<Bytes> {
    request.map(|body| match body {
        Body::Text(text) => Bytes::from(text),
        Body::Binary(bytes) => Bytes::from(bytes),
        _ => Bytes::new(),
    })
}

/// Returns a body that Lambda sends unchanged: text as it is, and everything else in base64.
fn body(bytes: Bytes) -> Body {
    match String::from_utf8(bytes.into()) {
        Ok(text) => Body::Text(text),
        Err(error) => Body::Binary(error.into_bytes()),
    }
}
