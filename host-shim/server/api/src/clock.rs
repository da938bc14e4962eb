//! `POST /api/operator/clock`, in local mode only: advances the host's clock together with those of the local services, so
//! that 30 days pass in a minute.

use crate::accept::answer_of;
use crate::body;
use crate::command::Answered;
use crate::description::{Access, Shape};
use crate::extract::Operator;
use crate::problem::Problem;
use crate::server_route::ServerRoute;
use crate::state::{AppState, HostedSite};
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use extension_contract::Timestamp;
use host_business::routes::limits::COMMAND_BYTES_MAX;
use host_engine::time;
use serde::Deserialize;
use serde_json::json;

/// Longest advance in one request, in milliseconds: 400 days.
const ADVANCE_MS_MAX: i64 = 400 * 86_400_000;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    /// A span, such as `30d`.
    advance: Option<String>,
    /// A time in RFC 3339 format.
    to: Option<String>,
}

const CLOCK: Shape = Shape::new("ServerClock", &["now: time"]);

/// Returns the routes.
pub(crate) fn routes() -> Vec<ServerRoute> {
    vec![
        ServerRoute::post("/api/operator/clock", "advanceClock", advance)
            .about("Advances the clock, in local mode only.")
            .detail("`{\"advance\": \"30d\"}` or `{\"to\": TIME}`.")
            .by(Access::Operators)
            .body(&["advance: string?", "to: time?"])
            .gives(&CLOCK),
    ]
}

async fn advance(
    State(app): State<AppState>,
    Operator { hosted, .. }: Operator,
    headers: HeaderMap,
    body: Body,
) -> Result<Answered, Problem> {
    let Some(local) = hosted.local_clock.clone() else {
        return Err(Problem::not_found("the clock moves only in local mode"));
    };
    let bytes = body::read(&headers, body, app.limits.body, COMMAND_BYTES_MAX).await?;
    let given: Advance =
        serde_json::from_slice(&bytes).map_err(|error| Problem::bad("malformed", error.to_string()))?;
    let now = hosted.site.clock().now();
    let to = target(&given, now)?;
    // One advance at a time, even if several requests arrive together.
    let _turn = app.advancing.lock().await;
    let mut last = Timestamp::MIN;
    loop {
        let due = {
            let local = local.clone();
            blocking(move || local.next_due(to)).await?
        };
        // A service that does not act when it is due must not block the clock.
        let step = due.filter(|due| *due > last).unwrap_or(to).clamp(now, to);
        last = step;
        settle(&hosted, step).await?;
        let services = local.clone();
        blocking(move || services.advance_to(step)).await?;
        settle(&hosted, step).await?;
        if step >= to {
            break;
        }
    }
    let ahead_ms = hosted.site.clock().ahead_ms();
    blocking(move || local.keep_ahead_ms(ahead_ms)).await?;
    Ok(Answered::ok(json!({"now": time::text(hosted.site.clock().now())})))
}

fn target(given: &Advance, now: Timestamp) -> Result<Timestamp, Problem> {
    let expected =
        "expected `advance` with a span such as `30d`, or `to` with a later time as RFC 3339, at most 400 days ahead";
    let to = match (&given.advance, &given.to) {
        (Some(span), None) => time::parse_span(span).map(|span| now.saturating_add(span)),
        (None, Some(text)) => time::parse(text),
        _ => None,
    };
    to.filter(|to| (now..=now.saturating_add(ADVANCE_MS_MAX)).contains(to))
        .ok_or_else(|| Problem::bad("clock", expected))
}

/// Advances the site, and waits until everything that is due has been carried out.
async fn settle(hosted: &HostedSite, to: Timestamp) -> Result<(), Problem> {
    answer_of(|answer| hosted.site.jobs().advance_then(to, answer)).await??;
    Ok(())
}

async fn blocking<T: Send + 'static>(body: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
    tokio::task::spawn_blocking(body).await.map_err(|_| Problem::unavailable("the clock could not be advanced"))
}
