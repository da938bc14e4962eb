//! Decides which pages may call the API from a browser: those of the origins that the business lists, never all.

use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, LOCATION, RETRY_AFTER};
use axum::http::{HeaderName, HeaderValue, Method};
use std::time::Duration;
use tower_http::cors::{AllowOrigin, CorsLayer};

/// How long a browser remembers the answer.
const REMEMBERED: Duration = Duration::from_hours(1);
/// The header that lets a caller send a request twice.
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Creates the layer that tells browsers whether a page of another origin may read an answer. An origin is
/// `https://shop.example`.
pub fn cors(origins: &[String]) -> CorsLayer {
    let origins: Vec<HeaderValue> = origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok()).collect();
    CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins))
        .allow_methods([Method::DELETE, Method::GET, Method::PATCH, Method::POST, Method::PUT])
        .allow_headers([AUTHORIZATION, CONTENT_TYPE, IDEMPOTENCY_KEY])
        .expose_headers([LOCATION, RETRY_AFTER, crate::trace::HEADER])
        .max_age(REMEMBERED)
}
