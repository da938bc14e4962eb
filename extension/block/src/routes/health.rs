//! The health of the block, for everybody: is it prepared, and does something wait for a worker?

use super::{Answered, Failed};
use crate::app::App;
use crate::http::{Request, Response};
use crate::platform::Platform;
use serde_json::json;

/// Milliseconds after which a due effect, or one whose lease has ended, waits too long: a worker asks every few seconds.
const WAIT_MAX_MS: i64 = 60_000;

/// Answers with 200, or with 503 and the reason.
pub(super) fn get(platform: &Platform<'_>, _: &Request) -> Answered {
    let mut app = match App::open(platform).map_err(Failed::from) {
        Ok(app) => app,
        Err(Failed::Answer(response)) => return Ok(*response),
        Err(Failed::Outrun) => return Err(Failed::Outrun),
    };
    let partition = app.processor().partition().clone();
    let due = app.store().effects_due(&partition, platform.now, true, 1)?;
    // A worker that leases effects and dies leaves them running: what it does not report or poll in time waits too.
    let running = app.store().effects_running(&partition)?;
    let times = due.iter().map(|row| row.due_at).chain(running.iter().filter_map(|row| row.lease.until));
    let waits_ms = times.map(|at| platform.now.saturating_sub(at)).max().map_or(0, |waits_ms| waits_ms.max(0));
    let status = if waits_ms > WAIT_MAX_MS { "effects-wait" } else { "ok" };
    let mut body = json!({"status": status, "version": env!("CARGO_PKG_VERSION"), "effects_wait_ms": waits_ms});
    if status != "ok" {
        body["message"] = json!("effects wait: run `host-shim outbox --solobase URL`, and call `tick` regularly");
    }
    Ok(Response::of(if status == "ok" { 200 } else { 503 }, body))
}
