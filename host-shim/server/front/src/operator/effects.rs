//! Effects: those of an account, or all that have not ended.

use super::intervene::ACTIONS;
use super::{PAGE, SEARCHED_MAX, account, limit};
use crate::extract::{Asked, Operator};
use crate::front::AppState;
use crate::problem::Problem;
use crate::query::read;
use crate::tries::Tries;
use axum::Json;
use axum::extract::State;
use host::show::page;
use host::time;
use host::view::parsed;
use host_store::{EffectRow, OF_HOST, Partition, Read, Stored, TIMER};
use serde::Deserialize;
use serde_json::{Value, json};

/// The query of a list of effects.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    /// All effects of this account; without it, the open effects of all accounts.
    account: Option<String>,
    /// True for the open effects that were tried at least once; timers are not tried.
    #[serde(default)]
    tried: bool,
    after: Option<u64>,
    limit: Option<usize>,
}

/// Returns an effect as JSON. Secrets in the payload are references.
pub(super) fn summary(row: &EffectRow, tries: &Tries) -> Value {
    let failed = tries.of(row).filter(|_| row.state.is_open() && !row.erased);
    let is_providers = !OF_HOST.contains(&&*row.effect.kind);
    json!({
        "seq": row.seq,
        "account": row.scope.account.to_string(),
        "kind": row.effect.kind,
        "key": row.effect.key,
        "generation": row.effect.generation,
        "state": row.state.name(),
        "attempts": row.attempts,
        "last_failure": failed.map(|failed| {
            json!({"attempt": failed.attempt, "code": failed.code, "message": failed.message})
        }),
        "created_at": time::text(row.created_at),
        "due_at": time::text(row.due_at),
        "deadline": row.effect.deadline.map(time::text),
        "caused_by": row.caused_by,
        "actions": if is_providers && row.state.is_open() { ACTIONS.as_slice() } else { &[] },
        "payload": if row.erased { Value::Null } else { parsed(&row.effect.payload) },
    })
}

/// Returns up to `limit` open effects that were tried, after the number `after`, and the number after which the next page begins.
fn tried(store: &dyn Read, partition: &Partition, after: u64, limit: usize) -> Stored<(Vec<EffectRow>, Option<u64>)> {
    let (mut found, mut after) = (Vec::new(), after);
    for _ in 0..SEARCHED_MAX / PAGE {
        let rows = store.effects_open_after(partition, after, PAGE)?;
        let is_last = rows.len() < PAGE;
        for row in rows {
            after = row.seq;
            if row.attempts > 0 && row.effect.kind != TIMER {
                found.push(row);
                if found.len() == limit {
                    return Ok((found, Some(after)));
                }
            }
        }
        if is_last {
            return Ok((found, None));
        }
    }
    Ok((found, Some(after)))
}

/// Carries out `GET /api/operator/effects`.
pub(crate) async fn list(
    State(app): State<AppState>,
    Operator { hosted, .. }: Operator,
    Asked(wanted): Asked<Wanted>,
) -> Result<Json<Value>, Problem> {
    let partition = hosted.site.partition().clone();
    let (limit, after) = (limit(wanted.limit)?, wanted.after.unwrap_or(0));
    let of = wanted.account.as_deref().map(account).transpose()?;
    if wanted.tried && of.is_some() {
        return Err(Problem::bad("query", "expected `tried` or `account`"));
    }
    let (rows, next) = read(&hosted, move |store| {
        let rows = match of {
            Some(account) => store.effects_of(&partition.scope(account), after, limit),
            None if wanted.tried => return tried(store, &partition, after, limit),
            None => store.effects_open_after(&partition, after, limit),
        }?;
        let next = rows.last().filter(|_| rows.len() == limit).map(|row| row.seq);
        Ok((rows, next))
    })
    .await?;
    let tries = app.metrics.tries();
    let shown = rows.iter().map(|row| summary(row, tries)).collect();
    Ok(Json(page("effects", shown, next.map(Value::from))))
}
