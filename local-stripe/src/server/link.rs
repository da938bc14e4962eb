//! The URL of a payment link: each visit opens a checkout session and redirects to its page.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};

use super::Shared;
use crate::sandbox::{json_of, own_request};

/// `GET /b/{id}`.
pub(super) async fn visit(State(shared): State<Shared>, Path(id): Path<String>) -> Response {
    let opened = shared.handle(&own_request("POST", &format!("/_sandbox/payment_links/{id}/open"), &[]));
    let shown = json_of(&opened);
    match shown["url"].as_str() {
        Some(url) if opened.status == 200 => Redirect::to(url).into_response(),
        _ => {
            let status = StatusCode::from_u16(opened.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            let words = shown["error"]["message"].as_str().unwrap_or("This link does not exist.").to_owned();
            (status, format!("Local sandbox: {words}\n")).into_response()
        }
    }
}
