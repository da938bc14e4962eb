//! The public health check of the block: whether it is prepared, and whether due work is waiting.

use super::{Answered, Failed};
use crate::app::App;
use crate::http::{Request, Response};
use crate::platform::Platform;
use extension_contract::Timestamp;
use host_store::DueQuery;
use serde_json::json;

/// Milliseconds after which a due effect, an effect whose lease has expired, or the retry of an event has waited too long. A worker
/// asks every few seconds.
const WAIT_MAX_MS: i64 = 60_000;

/// Answers with 200, or with 503 and the reason.
pub(super) fn get(platform: &Platform<'_>, _: &Request) -> Answered {
    let mut app = match App::open(platform).map_err(Failed::from) {
        Ok(app) => app,
        Err(Failed::Answer(response)) => return Ok(*response),
        Err(Failed::Outrun) => return Err(Failed::Outrun),
    };
    let partition = app.processor().partition().clone();
    let due = app.store().effects_due(&DueQuery::of(&partition, platform.now, 1))?;
    // A worker that leases effects and dies leaves them running: what it does not report or poll in time is waiting too.
    let running = app.store().effects_running(&partition)?;
    let times = due.iter().map(|row| row.due_at).chain(running.iter().filter_map(|row| row.lease.until));
    let wait_of = |at: Timestamp| platform.now.saturating_sub(at).max(0);
    let effects_ms = times.map(wait_of).max().unwrap_or_default();
    let events_ms = app.store().inbox_next_due(&partition, 0)?.map_or(0, wait_of);
    let status = match (effects_ms > WAIT_MAX_MS, events_ms > WAIT_MAX_MS) {
        (true, _) => "effects-wait",
        (false, true) => "events-wait",
        (false, false) => "ok",
    };
    let version = env!("CARGO_PKG_VERSION");
    let mut body =
        json!({"status": status, "version": version, "effects_wait_ms": effects_ms, "events_wait_ms": events_ms});
    if status != "ok" {
        body["message"] = json!("due work waits: run `provisioner outbox --solobase URL`, or call `tick` regularly");
    }
    Ok(Response::of(if status == "ok" { 200 } else { 503 }, body))
}
