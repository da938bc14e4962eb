//! The outbox over HTTP: a worker takes calls under leases and reports back. A tick carries out everything that needs
//! no worker.

use super::{Answered, Failed, body, service};
use crate::app::App;
use crate::http::{Request, Response};
use crate::platform::Platform;
use host_engine::outbox::{LentReply, Round};
use host_engine::processor::Report;
use host_engine::remote::{Answer, CALLS_MAX, Lease, Leased, LentCall};
use host_provider_api::Call;
use host_store::Scope;
use serde_json::json;

/// Maximum number of events that one request decides in addition to its own, because a call has a limited amount of
/// fuel.
const DECIDED_MAX: usize = 4;

/// Carries out what is due and needs no worker, within the limit for one request. Returns true if more may be due.
fn carry_out(platform: &Platform<'_>, app: &mut App) -> Result<bool, Failed> {
    let mut decided = 0;
    let mut add = |reports: &[Report]| {
        decided += reports.len();
        decided >= DECIDED_MAX
    };
    if add(&app.processor().retry_due_at_most(platform.now, DECIDED_MAX)?) {
        return Ok(true);
    }
    app.outbox.set_round(Round { calls: 0, ends: 1 });
    loop {
        let begun = app.outbox.begin(platform.now)?;
        if begun.is_part || add(&begun.reports) {
            return Ok(true);
        }
        if begun.moved == 0 {
            break;
        }
    }
    Ok(add(&app.processor().expire(platform.now)?))
}

/// Does what is due: retries of events, timers, messages, and waits that time out.
pub(super) fn tick(platform: &Platform<'_>, request: &Request) -> Answered {
    service(platform, request)?;
    let mut app = App::open(platform)?;
    app.outbox.remember(platform.now)?;
    let more = carry_out(platform, &mut app)?;
    let next = app.outbox.next_time()?;
    Ok(Response::ok(json!({"more": more, "next": next})))
}

fn lent(call: Call, scope_of: &str) -> LentCall {
    LentCall {
        account: call.scope.strip_prefix(scope_of).unwrap_or(&call.scope).to_owned(),
        kind: call.kind,
        key: call.key,
        generation: call.generation,
        attempt: call.attempt,
        payload: call.payload,
        token: call.token,
        deadline: call.deadline,
        lease: call.lease,
    }
}

/// Lends calls to a worker. Effects that need no worker are carried out first; as long as more of them are due, no call
/// is lent.
pub(super) fn lease(platform: &Platform<'_>, request: &Request) -> Answered {
    service(platform, request)?;
    let Lease { owner, limit, restarted } = body(request)?;
    let mut app = App::open(platform)?;
    app.outbox.set_owner(&owner);
    let limit = limit.clamp(1, CALLS_MAX);
    let mut calls = if restarted { app.outbox.begin_again(platform.now)?.calls } else { Vec::new() };
    app.outbox.remember(platform.now)?;
    let mut more = carry_out(platform, &mut app)?;
    if !more {
        app.outbox.set_round(Round { calls: limit.saturating_sub(calls.len()), ends: 1 });
        let begun = app.outbox.begin(platform.now)?;
        more = begun.moved > begun.calls.len();
        calls.extend(begun.calls);
    }
    more |= calls.len() >= limit;
    let next = app.outbox.next_time()?;
    let prefix = app.processor().partition().name() + "/";
    let (business, livemode) = (app.bundle.name.clone(), app.bundle.livemode);
    let calls = calls.into_iter().map(|call| lent(call, &prefix)).collect();
    let leased = Leased { business, livemode, calls, more, next };
    Ok(Response::ok(json!(leased)))
}

/// Accepts the answers of a worker. A request should contain few of them, since each is decided at once.
pub(super) fn answers(platform: &Platform<'_>, request: &Request) -> Answered {
    service(platform, request)?;
    let answers: Vec<Answer> = body(request)?;
    if answers.len() > DECIDED_MAX {
        let text = format!("{} answers, expected at most {DECIDED_MAX}", answers.len());
        return Err(Response::error(400, "malformed", text).into());
    }
    let mut app = App::open(platform)?;
    let partition = app.processor().partition().clone();
    let mut replies = Vec::with_capacity(answers.len());
    for Answer { account, key, generation, lease, reply } in answers {
        let wrong = |_| Response::error(400, "malformed", format!("`{account}` is not an account"));
        let scope: Scope = partition.scope(account.parse().map_err(wrong)?);
        replies.push(LentReply { scope, key, generation, lease, reply });
    }
    let reports = app.outbox.take_answers(replies, platform.now)?;
    Ok(Response::ok(json!({"decided": reports.len()})))
}
