//! `GET /api/operator/backups`: the databases that are backed up on a schedule, with their newest backups.

use super::tools::BackupEntry;
use super::{limit, page_of, scope_name};
use crate::description::Shape;
use crate::extract::{Operator, QueryOf};
use crate::problem::Problem;
use crate::server_route::ServerRoute;
use axum::Json;
use host_engine::time;
use serde::Deserialize;
use serde_json::{Value, json};

/// The query.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ListBackupsQuery {
    /// The account of the database.
    account: Option<String>,
    /// Only databases whose backup is late, or only the others.
    late: Option<bool>,
    /// Number of the last entry on the previous page.
    after: Option<usize>,
    limit: Option<usize>,
}

const BACKUP: Shape = Shape::new(
    "ServerBackup",
    &[
        "account: string",
        "resource: string",
        "id: string",
        "every_hours: integer",
        "keep_days: integer",
        "made_at: time?",
        "backup_id: string?",
        "late: boolean",
        "problem: string?",
    ],
);
const BACKUPS: Shape =
    Shape::new("ServerBackups", &["backups: ServerBackup[]", "next: integer?", "total_count: integer"])
        .with(&[&BACKUP]);

/// Returns the routes.
pub(super) fn routes() -> Vec<ServerRoute> {
    vec![
        ServerRoute::get("/api/operator/backups", "listBackups", list)
            .about("Databases that are backed up at regular times: the newest backup, and whether the next is late.")
            .query(&["account: string?", "late: boolean?", "after: integer?", "limit: integer?"])
            .gives(&BACKUPS),
    ]
}

/// Answers the request.
async fn list(
    Operator { hosted, .. }: Operator,
    QueryOf(query): QueryOf<ListBackupsQuery>,
) -> Result<Json<Value>, Problem> {
    let size = limit(query.limit)?;
    let space = format!("{}/", hosted.site.partition().name());
    let scope = scope_name(&hosted, query.account.as_deref())?;
    let Some(backups) = &hosted.tools.backups else {
        return Err(Problem::not_found("the server makes no backups at regular times"));
    };
    let entries = backups.backups();
    let is_wanted = |entry: &BackupEntry| {
        scope.as_ref().is_none_or(|scope| entry.scope == *scope) && query.late.is_none_or(|late| entry.is_late == late)
    };
    let range = (query.after, size);
    Ok(Json(page_of(("backups", &entries), is_wanted, range, |entry| show(entry, &space))))
}

fn show(entry: &BackupEntry, space: &str) -> Value {
    let made_at = entry.made_at_s.map(|seconds| time::text(seconds.saturating_mul(1_000)));
    json!({
        "account": entry.scope.strip_prefix(space).unwrap_or(&entry.scope),
        "resource": entry.resource,
        "id": entry.id,
        "every_hours": entry.every_hours,
        "keep_days": entry.keep_days,
        "made_at": made_at,
        "backup_id": entry.backup_id,
        "late": entry.is_late,
        "problem": entry.problem,
    })
}
