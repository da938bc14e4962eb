//! Events from services: product events, facts of the business, measurements and commands, as raw events. Also the
//! inbox.

use super::{Answered, outcome, service};
use crate::app::App;
use crate::http::{Request, Response};
use crate::platform::Platform;
use host_engine::time;
use serde_json::json;

/// Maximum number of events on a page.
const PAGE: usize = 50;

/// Accepts an event.
pub(super) fn take(platform: &Platform<'_>, request: &Request) -> Answered {
    service(platform, request)?;
    let mut app = App::open(platform)?;
    let decoded = host_intake::raw::read(request.body.clone(), &app.bundle.name, platform.now)
        .map_err(|error| Response::error(400, "malformed", error.to_string()))?;
    // Only a signature makes a Stripe event authentic.
    if decoded.event.source == "stripe" {
        return Err(Response::error(400, "malformed", "expected an event of the business: Stripe's come signed").into());
    }
    let reports = app.processor().accept(decoded, request.body.clone())?;
    Ok(outcome(&reports))
}

/// Lists the inbox after a number.
pub(super) fn list(platform: &Platform<'_>, request: &Request) -> Answered {
    service(platform, request)?;
    let after = request.query("after").map_or(Ok(0), str::parse::<u64>);
    let after = after.map_err(|_| Response::error(400, "query", "`after` is not the number of an event"))?;
    let mut app = App::open(platform)?;
    let partition = app.processor().partition().clone();
    let rows = app.store().inbox_after(Some(&partition), after, PAGE)?;
    let shown = |row: &host_store::InboxRow| {
        json!({
            "seq": row.seq,
            "id": row.event.id,
            "source": row.event.source,
            "kind": row.event.kind,
            "account": row.event.account.as_ref().map(ToString::to_string),
            "received_at": time::text(row.event.received_at),
            "state": row.state.name(),
            "outcome": row.outcome.as_ref().map(extension_contract::Outcome::name),
            "reason": row.outcome.as_ref().and_then(extension_contract::Outcome::reason),
            "error": row.error,
        })
    };
    let next = (rows.len() == PAGE).then(|| rows.last().map(|row| row.seq)).flatten();
    Ok(Response::ok(json!({"events": rows.iter().map(shown).collect::<Vec<_>>(), "next": next})))
}

/// Runs an event again, on behalf of an operator.
pub(super) fn redrive(platform: &Platform<'_>, request: &Request, seq: &str) -> Answered {
    service(platform, request)?;
    let number = seq.parse::<u64>();
    let number = number.map_err(|_| super::not_found(format!("no event `{seq}`")))?;
    let mut app = App::open(platform)?;
    let reports = app.processor().redrive(number, platform.now)?;
    match reports.is_empty() {
        true => Err(super::not_found(format!("no event {number}")).into()),
        false => Ok(outcome(&reports)),
    }
}
