//! Responses, with the headers that keep browsers from misusing them.

use bytes::Bytes;
use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, LOCATION,
    REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderValue, Response, StatusCode};

/// Pages load their own style sheet, send forms to their own site, and do nothing else.
const POLICY: &str =
    "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";
/// If a browser displays a file in spite of this, the file may do nothing.
const POLICY_OF_FILES: &str = "default-src 'none'; sandbox";

/// Returns the response to a request that failed. The log has the reason.
pub fn failed() -> Response<Bytes> {
    text(StatusCode::INTERNAL_SERVER_ERROR, "the function failed")
}

/// Returns the response to a body that is too large.
pub fn too_large(max: usize) -> Response<Bytes> {
    text(StatusCode::PAYLOAD_TOO_LARGE, format!("the body is too large: expected at most {max} bytes"))
}

pub(crate) fn text(status: StatusCode, text: impl Into<String>) -> Response<Bytes> {
    response(status, "text/plain; charset=utf-8", text.into())
}

pub(crate) fn html(status: StatusCode, page: String) -> Response<Bytes> {
    response(status, "text/html; charset=utf-8", page)
}

pub(crate) fn json(value: &serde_json::Value) -> Response<Bytes> {
    response(StatusCode::OK, "application/json", value.to_string())
}

/// Returns the style sheet, which browsers may keep for an hour.
pub(crate) fn css(sheet: &'static str) -> Response<Bytes> {
    let response = response(StatusCode::OK, "text/css; charset=utf-8", Bytes::from_static(sheet.as_bytes()));
    with(response, CACHE_CONTROL, HeaderValue::from_static("max-age=3600"))
}

/// Sends the browser to the page of all notes.
pub(crate) fn see_all() -> Response<Bytes> {
    with(text(StatusCode::SEE_OTHER, "see /"), LOCATION, HeaderValue::from_static("/"))
}

pub(crate) fn not_allowed(allowed: &'static str) -> Response<Bytes> {
    let response = text(StatusCode::METHOD_NOT_ALLOWED, format!("expected {allowed}"));
    with(response, ALLOW, HeaderValue::from_static(allowed))
}

/// Returns a file that browsers store instead of displaying it.
pub(crate) fn attachment(file: Bytes, kind: &str, name: &str) -> Response<Bytes> {
    let kind = HeaderValue::from_str(kind).unwrap_or(HeaderValue::from_static("application/octet-stream"));
    // The encoded name has no character that a header must not contain.
    let disposition = HeaderValue::from_str(&format!("attachment; filename*=UTF-8''{}", crate::name::encoded(name)));
    let response = response(StatusCode::OK, "application/octet-stream", file);
    let response = with(response, CONTENT_TYPE, kind);
    let response = with(response, CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY_OF_FILES));
    with(response, CONTENT_DISPOSITION, disposition.unwrap_or(HeaderValue::from_static("attachment")))
}

fn response(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Response<Bytes> {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    for (name, value) in [
        (CONTENT_TYPE, kind),
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "same-origin"),
        (CACHE_CONTROL, "no-store"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

fn with(mut response: Response<Bytes>, name: HeaderName, value: HeaderValue) -> Response<Bytes> {
    response.headers_mut().insert(name, value);
    response
}
