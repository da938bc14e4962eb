//! `POST /api/webhooks/NAME`: verifies a delivery, stores its event, and answers after the commit.

use crate::accept::accept;
use crate::body;
use crate::description::{Access, Answer, Given};
use crate::problem::Problem;
use crate::server_route::ServerRoute;
use crate::state::{AppState, HostedSite};
use crate::turn;
use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Request, StatusCode};
use axum::response::{IntoResponse, Response};
use host_business::routes::limits::EVENT_BYTES_MAX;
use host_intake::headers::Headers;
use host_intake::request::{PATH, Request as Delivery, Taken, WebhookReply};
use std::sync::Arc;

/// The answer to an accepted delivery, as the platform gives it.
const RECEIVED: &str = "{\"received\":true}";
/// Returns the routes.
pub(crate) fn routes() -> Vec<ServerRoute> {
    vec![
        ServerRoute::every("POST", "/api/webhooks/{*name}", deliver)
            .about("A delivery of Stripe, or of a webhook of `business.yml`.")
            .detail("2xx only after the commit. `business.yml` may name further paths, and other words for the answer.")
            .by(Access::Signed)
            .given(Given::Signed)
            .answers(Answer::Json),
    ]
}

async fn deliver(
    State(app): State<AppState>,
    Extension(hosted): Extension<Arc<HostedSite>>,
    request: Request<Body>,
) -> Response {
    let words = request.uri().path().strip_prefix(PATH).and_then(|name| hosted.webhook_answers.get(name)).cloned();
    match (answer(&app, &hosted, request).await, words) {
        (Ok(()), None) => ([("content-type", "application/json")], RECEIVED).into_response(),
        (Ok(()), Some(words)) => words.success.into_response(),
        (Err(problem), None) => problem.into_response(),
        (Err(problem), Some(words)) => {
            // The sender expects this body; the status, and when to retry, stay.
            let (mut parts, _) = problem.into_response().into_parts();
            parts.headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
            parts.headers.remove(CONTENT_LENGTH);
            Response::from_parts(parts, words.failure.into())
        }
    }
}

/// Passes a request to a function as a delivery.
fn with_delivery<T>(parts: &Parts, body: Vec<u8>, take: impl FnOnce(Delivery<'_>) -> T) -> T {
    let headers = parts.headers.iter();
    let all: Vec<(&str, &[u8])> = headers.map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
    take(Delivery { method: parts.method.as_str(), path: parts.uri.path(), headers: Headers(&all), body })
}

async fn answer(app: &AppState, hosted: &HostedSite, request: Request<Body>) -> Result<(), Problem> {
    let (parts, body) = request.into_parts();
    let endpoints = hosted.site.endpoints();
    body::check_announced(&parts.headers, EVENT_BYTES_MAX)?;
    // The server does not read a large body without a signature.
    let now = hosted.site.clock().signatures();
    let early = with_delivery(&parts, Vec::new(), |delivery| endpoints.answer_without_body(delivery, now));
    let reply = match early {
        Some(reply) => reply,
        None => {
            let body = body::read(&parts.headers, body, app.limits.body, EVENT_BYTES_MAX).await?;
            let now = hosted.site.clock().signatures();
            let bytes = body.len();
            let work = move || with_delivery(&parts, body, |delivery| endpoints.answer(delivery, now));
            body::apart(bytes, work).await?
        }
    };
    let WebhookReply { status, allow, taken } = reply;
    if let Some(allow) = allow {
        return Err(Problem::method(allow));
    }
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    match taken {
        Taken::Event(decoded, raw) => {
            turn::signed();
            accept(&hosted.site, *decoded, raw).await.map(drop)
        }
        Taken::Quarantined(quarantined) => {
            app.quarantine.keep(&quarantined);
            app.refused(hosted, "not-an-event");
            Err(Problem::new(status, "not-an-event", "the body is not a JSON object"))
        }
        Taken::Nothing(_) if status.is_success() => Ok(()),
        Taken::Nothing(counted) if status == StatusCode::NOT_FOUND => Err(Problem::not_found(counted)),
        // The messages do not reveal why a signature is invalid.
        Taken::Nothing(counted) => {
            app.refused(hosted, counted);
            let code = if status == StatusCode::BAD_REQUEST { "signature" } else { counted };
            Err(Problem::new(status, code, "the delivery was not accepted"))
        }
    }
}
