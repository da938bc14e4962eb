//! Events with their outcomes, runs and effects; an operator can run an event again.

use super::effects::EFFECT;
use super::{PAGE, SEARCHED_MAX, account, limit};
use crate::ask::read;
use crate::description::Shape;
use crate::extract::{Operator, PathPart, QueryOf};
use crate::problem::Problem;
use crate::server_route::ServerRoute;
use crate::state::AppState;
use axum::Json;
use axum::extract::State;
use extension_contract::{Account, Outcome, Payload};
use host_engine::processor::Report;
use host_engine::show::page;
use host_engine::time;
use host_store::{EffectRow, InboxRow, InboxState, Partition, Read, Run, Stored};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::oneshot;

/// The query of a list of events.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ListEventsQuery {
    state: Option<String>,
    account: Option<String>,
    kind: Option<String>,
    /// Number after which the page starts.
    after: Option<u64>,
    /// True to list the newest event first.
    #[serde(default)]
    newest: bool,
    /// Number before which the page starts if the newest event is first.
    before: Option<u64>,
    limit: Option<usize>,
}

const EVENT: Shape = Shape::new(
    "ServerEvent",
    &[
        "seq: integer",
        "id: string",
        "source: string",
        "kind: string",
        "account: string?",
        "received_at: time",
        "state: string",
        "failures: integer",
        "outcome: string?",
        "reason: string?",
    ],
);
const EVENTS: Shape = Shape::new("ServerEvents", &["events: ServerEvent[]", "next: integer?"]).with(&[&EVENT]);
const WHOLE: Shape = Shape::new(
    "ServerWholeEvent",
    &["...ServerEvent", "actor: json", "payload: json", "erased: boolean", "runs: json[]", "effects: ServerEffect[]"],
)
.with(&[&EVENT, &EFFECT]);
const RUN: Shape =
    Shape::new("ServerRun", &["seq: integer", "id: string", "kind: string", "outcome: string", "reason: string?"]);
pub(super) const RUNS: Shape = Shape::new("ServerRuns", &["runs: ServerRun[]"]).with(&[&RUN]);

/// Returns the routes.
pub(super) fn routes() -> Vec<ServerRoute> {
    vec![
        ServerRoute::get("/api/operator/events", "listEvents", list)
            .about("Events with their outcomes.")
            .detail("`newest=true` begins with the newest, and `before` goes on.")
            .query(&[
                "state: string?",
                "account: string?",
                "kind: string?",
                "after: integer?",
                "newest: boolean?",
                "before: integer?",
                "limit: integer?",
            ])
            .gives(&EVENTS),
        ServerRoute::get("/api/operator/events/{seq}", "getEvent", get)
            .about("An event with its runs and effects.")
            .gives(&WHOLE),
        ServerRoute::post("/api/operator/events/{seq}/redrive", "redriveEvent", redrive)
            .about("Runs a dead, waiting or rejected event again.")
            .gives(&RUNS),
    ]
}

/// Carries out `GET /api/operator/events`.
async fn list(
    Operator { hosted, .. }: Operator,
    QueryOf(query): QueryOf<ListEventsQuery>,
) -> Result<Json<Value>, Problem> {
    let partition = hosted.site.partition().clone();
    if let Some(state) = query.state.as_deref().filter(|state| !InboxState::NAMES.contains(state)) {
        return Err(Problem::bad("query", format!("`state` is `{state}`, expected {}", InboxState::NAMES.join(", "))));
    }
    let limit = limit(query.limit)?;
    let account = query.account.as_deref().map(account).transpose()?;
    let (rows, next) =
        read(&hosted.site, move |store| search(store, &partition, &query, account.as_ref(), limit)).await?;
    Ok(Json(page("events", rows.iter().map(summary).collect(), next.map(Value::from))))
}

/// Returns matching rows, and the number after which the next page starts.
fn search(
    store: &dyn Read,
    partition: &Partition,
    query: &ListEventsQuery,
    account: Option<&Account>,
    limit: usize,
) -> Stored<(Vec<InboxRow>, Option<u64>)> {
    let matches = |row: &InboxRow| {
        query.state.as_deref().is_none_or(|state| row.state.name() == state)
            && account.is_none_or(|account| row.event.account.as_ref() == Some(account))
            && query.kind.as_deref().is_none_or(|kind| row.event.kind == kind)
    };
    if query.newest {
        let before = query.before.map_or_else(|| store.inbox_newest().map(|newest| newest + 1), Ok)?;
        return newest_first(store, partition, matches, before, limit);
    }
    let (mut found, mut searched, mut after) = (Vec::new(), 0, query.after.unwrap_or(0));
    loop {
        let rows = match query.state.as_deref() {
            // These have their own index.
            Some("dead") => store.dead(partition, after, PAGE)?,
            Some("pending") => store.failed(partition, after, PAGE)?,
            _ => store.inbox_after(Some(partition), after, PAGE)?,
        };
        let is_last = rows.len() < PAGE;
        searched += rows.len();
        for row in rows {
            after = row.seq;
            if matches(&row) {
                found.push(row);
                if found.len() == limit {
                    return Ok((found, Some(after)));
                }
            }
        }
        if is_last {
            return Ok((found, None));
        }
        if searched >= SEARCHED_MAX {
            return Ok((found, Some(after)));
        }
    }
}

/// Returns matching rows below a number, newest first, and the number before which the next page starts.
fn newest_first(
    store: &dyn Read,
    partition: &Partition,
    matches: impl Fn(&InboxRow) -> bool,
    before: u64,
    limit: usize,
) -> Stored<(Vec<InboxRow>, Option<u64>)> {
    let (mut found, mut searched, mut end) = (Vec::new(), 0, before);
    while end > 1 && searched < SEARCHED_MAX {
        // The numbers have no large gaps, so a window of as many numbers as rows contains all rows below its end.
        let begin = end.saturating_sub(PAGE as u64 + 1);
        let rows = store.inbox_after(Some(partition), begin, PAGE)?;
        searched += PAGE;
        for row in rows.into_iter().rev().filter(|row| row.seq < end) {
            let seq = row.seq;
            if matches(&row) {
                found.push(row);
                if found.len() == limit {
                    return Ok((found, Some(seq).filter(|seq| *seq > 1)));
                }
            }
        }
        end = begin + 1;
    }
    Ok((found, Some(end).filter(|end| *end > 1)))
}

/// Returns an event as JSON, without its payload.
pub(crate) fn summary(row: &InboxRow) -> Value {
    json!({
        "seq": row.seq,
        "id": row.event.id,
        "source": row.event.source,
        "kind": row.event.kind,
        "account": row.event.account.as_ref().map(Account::to_string),
        "received_at": time::text(row.event.received_at),
        "state": row.state.name(),
        "failures": row.failures,
        "outcome": row.outcome.as_ref().map(Outcome::name),
        "reason": row.outcome.as_ref().and_then(Outcome::reason).or_else(|| row.error.clone()),
    })
}

fn run(run: &Run) -> Value {
    let provenance = run.provenance.as_ref().map(|it| json!({"component": it.component_hash, "fuel": it.fuel}));
    json!({
        "at": time::text(run.at),
        "outcome": run.outcome.as_ref().map(Outcome::name),
        "reason": run.outcome.as_ref().and_then(Outcome::reason).or_else(|| run.error.clone()),
        "decided_by": provenance,
    })
}

/// Returns the payload as JSON, or null for an erased event.
fn payload(row: &InboxRow) -> Value {
    if row.erased {
        return Value::Null;
    }
    match &row.event.payload {
        Payload::Payment(bytes) => serde_json::from_slice(bytes).unwrap_or_default(),
        Payload::Command(text) => super::effects::without_secrets(text),
        other => serde_json::to_value(other).unwrap_or_default(),
    }
}

/// Carries out `GET /api/operator/events/SEQ`: the event, its runs, and the effects that it requested.
async fn get(
    State(app): State<AppState>,
    Operator { hosted, .. }: Operator,
    PathPart(seq): PathPart<u64>,
) -> Result<Json<Value>, Problem> {
    let partition = hosted.site.partition().clone();
    let found = read(&hosted.site, move |store| {
        let Some(row) = own(store, &partition, seq)? else { return Ok(None) };
        let effects = match &row.event.account {
            Some(account) => effects_of(store, &partition, account, &row.event.id)?,
            None => Vec::new(),
        };
        Ok(Some((store.runs(seq)?, row, effects)))
    })
    .await?;
    let Some((runs, row, effects)) = found else { return Err(Problem::not_found(format!("no event {seq}"))) };
    let mut answer = summary(&row);
    answer["actor"] = json!(row.event.actor);
    answer["payload"] = payload(&row);
    answer["erased"] = json!(row.erased);
    answer["runs"] = runs.iter().map(run).collect();
    answer["effects"] = effects.iter().map(|row| super::effects::summary(row, &app.changes.tries)).collect();
    Ok(Json(answer))
}

/// Returns an event of this business and mode.
fn own(store: &dyn Read, partition: &Partition, seq: u64) -> Stored<Option<InboxRow>> {
    let row = store.inbox(seq)?;
    Ok(row.filter(|row| row.event.business == partition.business && row.livemode == partition.livemode))
}

fn effects_of(store: &dyn Read, partition: &Partition, account: &Account, id: &str) -> Stored<Vec<EffectRow>> {
    let scope = partition.scope(account.clone());
    let (mut found, mut after) = (Vec::new(), 0);
    loop {
        let rows = store.effects_of(&scope, after, PAGE)?;
        let is_last = rows.len() < PAGE;
        after = rows.last().map_or(after, |row| row.seq);
        found.extend(rows.into_iter().filter(|row| row.caused_by == id));
        if is_last {
            return Ok(found);
        }
    }
}

/// Carries out `POST /api/operator/events/SEQ/redrive`: runs a dead, waiting or rejected event again.
async fn redrive(Operator { hosted, .. }: Operator, PathPart(seq): PathPart<u64>) -> Result<Json<Value>, Problem> {
    let partition = hosted.site.partition().clone();
    if read(&hosted.site, move |store| own(store, &partition, seq)).await?.is_none() {
        return Err(Problem::not_found(format!("no event {seq}")));
    }
    let jobs = hosted.site.jobs().clone();
    let (sender, reports) = oneshot::channel();
    // A redrive waits in the writer's queue, which may be full.
    tokio::task::spawn_blocking(move || {
        let result = jobs.redrive(seq).and_then(host_engine::writer::Ticket::wait);
        drop(sender.send(result));
    });
    let reports = reports.await.map_err(|_| Problem::unavailable("the event was not run"))??;
    let runs: Vec<Value> = reports.iter().map(report).collect();
    Ok(Json(json!({"runs": runs})))
}

pub(super) fn report(report: &Report) -> Value {
    json!({
        "seq": report.seq,
        "id": report.event_id,
        "kind": report.kind,
        "outcome": report.result.name(),
        "reason": report.result.reason(),
    })
}
