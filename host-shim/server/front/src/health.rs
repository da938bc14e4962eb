//! `GET /health`: does each site read its store?

use crate::extract::Open;
use crate::front::AppState;
use crate::query;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

pub(crate) async fn get(State(app): State<AppState>, _: Open) -> Response {
    let mut failing = Vec::new();
    for hosted in app.sites.iter() {
        let partition = hosted.site.partition();
        let wanted = partition.clone();
        if query::read(hosted, move |store| store.parked_count(&wanted)).await.is_err() {
            failing.push(format!("{}: store", partition.name()));
        }
    }
    let (status, text) = match failing.is_empty() {
        true => (StatusCode::OK, "ok"),
        false => (StatusCode::SERVICE_UNAVAILABLE, "failing"),
    };
    let body: Value = json!({"status": text, "failing": failing});
    (status, [(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}
