//! Lets browsers call the API from pages of other origins, as Stripe.js does with a publishable key.
//!
//! The header values are those of api.stripe.com. They apply only below `/v1/`, where each request needs a key: no page
//! of another origin may read `/_sandbox`.

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, Method, Response, header};
use axum::middleware::Next;

const HEADERS: [(HeaderName, HeaderValue); 5] = [
    (header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true")),
    (header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, HEAD, PUT, PATCH, POST, DELETE")),
    (header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*")),
    (
        header::ACCESS_CONTROL_EXPOSE_HEADERS,
        HeaderValue::from_static(
            "Request-Id, Stripe-Manage-Version, Stripe-Should-Retry, X-Stripe-External-Auth-Required, X-Stripe-Privileged-Session-Required",
        ),
    ),
    (header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("300")),
];

/// Adds the headers to a response of the API, and answers a preflight request without passing it on.
pub(super) async fn allow(request: Request, next: Next) -> Response<Body> {
    if !request.uri().path().starts_with("/v1/") {
        return next.run(request).await;
    }
    let is_preflight = request.method() == Method::OPTIONS;
    let wanted = request.headers().get(header::ACCESS_CONTROL_REQUEST_HEADERS).cloned();
    let mut response = if is_preflight { Response::new(Body::empty()) } else { next.run(request).await };
    let headers = response.headers_mut();
    headers.extend(HEADERS);
    if let Some(wanted) = wanted.filter(|_| is_preflight) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, wanted);
    }
    response
}
