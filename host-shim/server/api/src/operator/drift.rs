//! `GET /api/operator/drift`: differences between the providers' resources and the records, with pages and a search.
//!
//! The first page makes a new comparison unless the last one is only seconds old; the other pages show the same
//! comparison.

use super::tools::{Compared, Differences, DriftEntry, Tools};
use super::{limit, page_of, scope_name};
use crate::description::Shape;
use crate::extract::{Operator, QueryOf};
use crate::problem::Problem;
use crate::server_route::ServerRoute;
use axum::Json;
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a comparison counts as new. Listing the resources of a cloud takes seconds.
const NEW: Duration = Duration::from_secs(10);

/// The query.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ListDriftQuery {
    /// Kind of difference.
    kind: Option<String>,
    /// The account of the resource.
    account: Option<String>,
    /// Part of the resource's id or name.
    search: Option<String>,
    /// Number of the last difference on the previous page.
    after: Option<usize>,
    limit: Option<usize>,
}

const DIFFERENCE: Shape = Shape::new(
    "ServerDifference",
    &[
        "drift: string",
        "account: string?",
        "resource: string?",
        "id: string?",
        "name: string?",
        "is: string?",
        "recorded: string?",
        "problem: string?",
    ],
);
const DIFFERENCES: Shape = Shape::new(
    "ServerDifferences",
    &["differences: ServerDifference[]", "next: integer?", "total_count: integer", "not_compared: json"],
)
.with(&[&DIFFERENCE]);

/// Returns the routes.
pub(super) fn routes() -> Vec<ServerRoute> {
    vec![
        ServerRoute::get("/api/operator/drift", "listDrift", list)
            .about("Resources that differ from their records, as `provisioner drift` reports.")
            .query(&["kind: string?", "account: string?", "search: string?", "after: integer?", "limit: integer?"])
            .gives(&DIFFERENCES),
    ]
}

/// Answers the request.
async fn list(
    Operator { hosted, .. }: Operator,
    QueryOf(query): QueryOf<ListDriftQuery>,
) -> Result<Json<Value>, Problem> {
    let size = limit(query.limit)?;
    let space = format!("{}/", hosted.site.partition().name());
    let scope = scope_name(&hosted, query.account.as_deref())?;
    let tools = &hosted.tools;
    if tools.drift.is_none() {
        return Err(Problem::not_found("the server has no providers that list their resources"));
    }
    let found = compared(tools, query.after.is_some()).await?;
    let contains = |text: &Option<String>, part: &str| text.as_ref().is_some_and(|text| text.contains(part));
    let is_wanted = |entry: &DriftEntry| {
        query.kind.as_ref().is_none_or(|kind| entry.kind == *kind)
            && (scope.is_none() || entry.scope == scope)
            && query.search.as_deref().is_none_or(|part| contains(&entry.id, part) || contains(&entry.name, part))
    };
    let range = (query.after, size);
    let mut page = page_of(("differences", &found.entries), is_wanted, range, |entry| show(entry, &space));
    page["not_compared"] = json!(found.not_compared);
    Ok(Json(page))
}

fn show(entry: &DriftEntry, space: &str) -> Value {
    let account = entry.scope.as_deref().map(|scope| scope.strip_prefix(space).unwrap_or(scope));
    json!({
        "drift": entry.kind,
        "account": account,
        "resource": entry.resource,
        "id": entry.id,
        "name": entry.name,
        "is": entry.is,
        "recorded": entry.recorded,
        "problem": entry.problem,
    })
}

/// Returns the last comparison if it is new or a later page is requested; otherwise makes a new one.
async fn compared(tools: &Tools, is_later_page: bool) -> Result<Arc<Differences>, Problem> {
    let Some(check) = tools.drift.clone() else { return Ok(Arc::default()) };
    let mut last = tools.compared.lock().await;
    if let Some(compared) = last.as_ref().filter(|last| is_later_page || last.at.elapsed() < NEW) {
        return Ok(compared.found.clone());
    }
    let found = tokio::task::spawn_blocking(move || check.differences()).await;
    let found = found.map_err(|_| Problem::unavailable("the resources were not compared"))?;
    let found = found.map_err(|text| Problem::new(StatusCode::BAD_GATEWAY, "provider", text))?;
    let found = Arc::new(found);
    *last = Some(Compared { at: Instant::now(), found: found.clone() });
    Ok(found)
}
