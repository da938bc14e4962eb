//! `POST /api/events`: a service of the business reports something that happened: a product event, a fact, or
//! measurements.

use crate::accept::accept;
use crate::body;
use crate::command::Answered;
use crate::description::{Access, Answer, Given};
use crate::extract::KnownCaller;
use crate::problem::Problem;
use crate::server_route::ServerRoute;
use crate::state::AppState;
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use extension_contract::{ActorKind, Payload};
use host_business::routes::limits::EVENT_BYTES_MAX;
use host_intake::body::BODY_BYTES_MAX;
use host_intake::raw;

/// Whatever is read can be parsed.
const _: () = assert!(EVENT_BYTES_MAX == BODY_BYTES_MAX);

/// Returns the routes.
pub(crate) fn routes() -> Vec<ServerRoute> {
    vec![
        ServerRoute::post("/api/events", "reportEvent", report)
            .about("Reports a product event, a fact of the business, or measurements, as raw events.")
            .by(Access::Services)
            .given(Given::Object)
            .answers(Answer::Json)
            .may_pend(),
    ]
}

async fn report(
    State(app): State<AppState>,
    KnownCaller { hosted, caller }: KnownCaller,
    headers: HeaderMap,
    body: Body,
) -> Result<Answered, Problem> {
    if !caller.is_service() {
        return Err(Problem::forbidden("only a service or an operator may report events"));
    }
    let bytes = body::read(&headers, body, app.limits.body, EVENT_BYTES_MAX).await?;
    let partition = hosted.site.partition();
    let (raw, business, now) = (bytes.clone(), partition.business.clone(), hosted.site.clock().now());
    let decoded = body::apart(raw.len(), move || raw::read(raw, &business, now)).await?;
    let mut decoded = decoded.map_err(|error| Problem::bad("event", error.to_string()))?;
    let event = &mut decoded.event;
    let is_reported = match &event.payload {
        Payload::Product(_) | Payload::Usage(_) => true,
        Payload::Command(_) => event.source == extension_contract::FACT_SOURCE,
        _ => false,
    };
    if !is_reported {
        let detail = "expected a product event, a fact of the business or measurements; Stripe's events are webhooks, and \
                      commands have a path of their own";
        return Err(Problem::bad("event", detail));
    }
    if event.actor.kind == ActorKind::Admin && !caller.is_operator() {
        return Err(Problem::forbidden("only an operator may report what an operator did"));
    }
    if event.account.as_ref().is_some_and(|account| !caller.reaches(account)) {
        return Err(Problem::forbidden("the key does not reach this account"));
    }
    event.livemode.get_or_insert(partition.livemode);
    let waits = event.reply_to.is_some();
    if !waits {
        let sent = decoded.event.clone();
        let reports = accept(&hosted.site, decoded, bytes).await?;
        if let Some(report) = reports.first() {
            crate::command::refuse_reused(&hosted, report, &sent).await?;
        }
        return Answered::of_report(reports.first());
    }
    crate::command::send(&app, &hosted, decoded, bytes).await
}
