//! `GET /metrics`: who may read which metrics, and the answer.

use super::MEDIA_TYPE;
use super::progress::LOOKED_MAX;
use crate::access;
use crate::description::{Access, Answer};
use crate::extract::Operator;
use crate::problem::Problem;
use crate::server_route::ServerRoute;
use crate::state::{AppState, HostedSite};
use axum::extract::{FromRequestParts, State};
use axum::http::header;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use host_identity::access::Caller;
use std::sync::Arc;

/// Whose metrics a caller may read.
pub(crate) enum Reader {
    /// Those of all businesses and of the server.
    Server,
    /// Those of one business.
    Business(Arc<HostedSite>),
}

impl FromRequestParts<AppState> for Reader {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, Problem> {
        let key = access::bearer(&parts.headers).map(|key| app.authenticator.caller(key)).transpose()?.flatten();
        if let Some(key) = key.filter(Caller::is_of_server) {
            app.called(&key)?;
            return Ok(Reader::Server);
        }
        let Operator { hosted, .. } = Operator::from_request_parts(parts, app).await?;
        // The operator of the only business is also the operator of the server.
        Ok(if app.sites.len() == 1 { Reader::Server } else { Reader::Business(hosted) })
    }
}

/// Returns the routes.
pub(crate) fn routes() -> Vec<ServerRoute> {
    vec![
        ServerRoute::get("/metrics", "", get)
            .about("Counters, in the text format of OpenMetrics.")
            .by(Access::Readers)
            .answers(Answer::Text(MEDIA_TYPE)),
    ]
}

/// Carries out `GET /metrics`. The numbers reveal how well a business does, so each operator can read only those of their
/// own business.
async fn get(State(app): State<AppState>, reader: Reader) -> Result<Response, Problem> {
    let of = match &reader {
        Reader::Server => None,
        Reader::Business(hosted) => Some(hosted),
    };
    for hosted in app.sites.iter().filter(|site| of.is_none_or(|of| Arc::ptr_eq(of, site))) {
        // The other metrics can be read even if the store cannot.
        while app.metrics.look(&hosted.site).await == Ok(LOOKED_MAX) {}
        app.metrics.delays.look(&hosted.site).await;
        count_resources(&app, hosted);
    }
    let business = of.map(|hosted| hosted.site.partition().business.as_str());
    let text = app.metrics.text(business).map_err(|_| Problem::unavailable("the metrics cannot be written"))?;
    Ok(([(header::CONTENT_TYPE, MEDIA_TYPE)], text).into_response())
}

/// Counts the resources of a site in the background, if a count is due. The next reading of the metrics shows the numbers.
fn count_resources(app: &AppState, hosted: &HostedSite) {
    let Some(turn) = hosted.tools.turn_to_count() else { return };
    let (metrics, partition, costs) = (app.metrics.clone(), hosted.site.partition().clone(), hosted.costs.clone());
    // The task ends on its own; nobody waits for it.
    drop(tokio::task::spawn_blocking(move || match turn.check.resources() {
        Ok(counts) => metrics.progress.resources(&partition, &counts, &costs),
        Err(error) => tracing::warn!(business = partition.name(), error, "the resources could not be counted"),
    }));
}
