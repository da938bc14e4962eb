//! Effects: those of an account, or all that have not ended.

use super::{account, limit};
use crate::extract::{Asked, Operator};
use crate::problem::Problem;
use crate::query::read;
use axum::Json;
use host::show::page;
use host::time;
use host::view::parsed;
use host_store::EffectRow;
use serde::Deserialize;
use serde_json::{Value, json};

/// The query of a list of effects.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    /// All effects of this account; without it, the open effects of all accounts.
    account: Option<String>,
    after: Option<u64>,
    limit: Option<usize>,
}

/// Returns an effect as JSON. Secrets in the payload are references.
pub(super) fn summary(row: &EffectRow) -> Value {
    json!({
        "seq": row.seq,
        "account": row.scope.account.to_string(),
        "kind": row.effect.kind,
        "key": row.effect.key,
        "generation": row.effect.generation,
        "state": row.state.name(),
        "attempts": row.attempts,
        "created_at": time::text(row.created_at),
        "due_at": time::text(row.due_at),
        "deadline": row.effect.deadline.map(time::text),
        "caused_by": row.caused_by,
        "payload": if row.erased { Value::Null } else { parsed(&row.effect.payload) },
    })
}

/// Carries out `GET /api/operator/effects`.
pub(crate) async fn list(
    Operator { hosted, .. }: Operator,
    Asked(wanted): Asked<Wanted>,
) -> Result<Json<Value>, Problem> {
    let partition = hosted.site.partition().clone();
    let (limit, after) = (limit(wanted.limit)?, wanted.after.unwrap_or(0));
    let of = wanted.account.as_deref().map(account).transpose()?;
    let rows = read(&hosted, move |store| match of {
        Some(account) => store.effects_of(&partition.scope(account), after, limit),
        None => store.effects_open_after(&partition, after, limit),
    })
    .await?;
    let next = rows.last().filter(|_| rows.len() == limit).map(|row| Value::from(row.seq));
    Ok(Json(page("effects", rows.iter().map(summary).collect(), next)))
}
