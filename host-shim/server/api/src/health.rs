//! `GET /health`: reports whether each site can read and write its store and whether its catalog responds.
//!
//! Every request reads. Writes are tested at most once every few seconds for all requests together, with a commit that
//! changes nothing. A store that does not answer in time counts as failing, so a hanging store never blocks the answer.
//! Operators also see which providers have an outage.

pub(crate) mod probes;

use crate::access;
use crate::description::{Access, Answer};
use crate::extract::Open;
use crate::server_route::ServerRoute;
use crate::state::AppState;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use host_provider_api::Outage;
use serde_json::{Value, json};
use tokio::time::timeout;

/// Returns the routes.
pub(crate) fn routes() -> Vec<ServerRoute> {
    vec![
        ServerRoute::get("/health", "getHealth", get)
            .about("200, or 503 with the failing part: a store, only its writes, or a catalog that does not answer.")
            .detail("503 while the server stops. Operators also see `outages`.")
            .by(Access::All)
            .answers(Answer::Json)
            .also("503"),
    ]
}

async fn get(State(app): State<AppState>, Open(asked): Open, headers: HeaderMap) -> Response {
    // So that a proxy sends the next requests elsewhere.
    if *app.stopping.borrow() {
        return answer(StatusCode::SERVICE_UNAVAILABLE, json!({"status": "stopping", "failing": []}));
    }
    let mut failing = Vec::new();
    for hosted in app.sites.iter() {
        let (does_read, does_write) = tokio::join!(probes::reads(&hosted.site), app.writes.work(&hosted.site));
        let name = hosted.site.partition().name();
        match (does_read, does_write) {
            (true, true) if app.catalogs.answers(&hosted.site).await => {}
            (true, true) => failing.push(format!("{name}: catalog")),
            (false, _) => failing.push(format!("{name}: store")),
            (true, false) => failing.push(format!("{name}: writes")),
        }
    }
    let (status, text) = match failing.is_empty() {
        true => (StatusCode::OK, "ok"),
        false => (StatusCode::SERVICE_UNAVAILABLE, "failing"),
    };
    let mut body = json!({"status": text, "failing": failing});
    let caller = timeout(probes::PATIENCE, access::caller(&*app.authenticator, &asked, &Method::GET, &headers)).await;
    if caller.is_ok_and(|caller| caller.is_ok_and(|caller| caller.is_operator())) {
        body["outages"] = asked.site.outages().iter().map(outage).collect();
    }
    answer(status, body)
}

fn answer(status: StatusCode, body: Value) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

fn outage(outage: &Outage) -> Value {
    let Outage { provider, lasts_ms, failures, code, message } = outage;
    json!({"provider": provider, "lasts_seconds": lasts_ms / 1_000, "failures": failures, "code": code, "message": message})
}
