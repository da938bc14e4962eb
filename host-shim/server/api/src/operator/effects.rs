//! Effects: those of an account, all that have not ended, or only the stuck ones among these.

use super::{PAGE, SEARCHED_MAX, account, limit};
use crate::ask::read;
use crate::description::Shape;
use crate::extract::{Operator, QueryOf};
use crate::problem::Problem;
use crate::server_route::ServerRoute;
use crate::state::AppState;
use crate::tries::Tries;
use axum::Json;
use axum::extract::State;
use extension_contract::Timestamp;
use host_engine::show::page;
use host_engine::time;
use host_engine::view::parsed;
use host_store::{EffectRow, EffectState, OF_HOST, Partition, Read, Stored};
use serde::Deserialize;
use serde_json::{Value, json};

/// Names of the actions that an operator may carry out on an open effect of a provider.
const ACTIONS: [&str; 3] = ["retry", "adopt", "abandon"];
/// How late an effect may start, or its answer arrive, before an operator should look at it. A call takes at most some minutes.
const LONG_MS: i64 = 10 * 60 * 1_000;

/// The query of a list of effects.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ListEffectsQuery {
    /// All effects of this account; without it, the open effects of all accounts.
    account: Option<String>,
    /// True for the open effects that have failed at least once or have waited for [`LONG_MS`].
    #[serde(default)]
    stuck: bool,
    after: Option<u64>,
    limit: Option<usize>,
}

/// Returns the payload of a command or an effect as JSON, without the references to the secrets of a mail: what they refer to, such as
/// a login link, is for its recipient only.
pub(super) fn without_secrets(payload: &str) -> Value {
    let mut payload = parsed(payload);
    if let Some(Value::Object(secrets)) = payload.get_mut("secrets") {
        secrets.iter_mut().for_each(|(name, secret)| *secret = json!(format!("[{}]", name.replace('_', " "))));
    }
    payload
}

/// Returns an effect as JSON. Secrets in the payload are references.
pub(super) fn summary(row: &EffectRow, tries: &Tries) -> Value {
    let failed = tries.of(row).filter(|_| row.state != EffectState::Cancelled && !row.erased);
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
        "payload": if row.erased { Value::Null } else { without_secrets(&row.effect.payload) },
    })
}

/// Returns whether an open effect has failed or has been waiting longer than usual. Work that its provider reports as in progress is
/// not stuck, however long it takes: watching an instance's health lasts as long as the instance is healthy.
fn is_stuck(row: &EffectRow, tries: &Tries, now: Timestamp) -> bool {
    let is_late = row.due_at.saturating_add(LONG_MS) <= now;
    let in_progress = row.lease.token.is_some();
    !OF_HOST.contains(&&*row.effect.kind)
        && match row.state {
            // An attempt that ends without a result is followed by a wait.
            EffectState::Queued => row.attempts > 0 || is_late,
            EffectState::Running => tries.of(row).is_some() || !in_progress && (row.attempts > 1 || is_late),
            EffectState::Finished | EffectState::Cancelled => false,
        }
}

/// Returns up to `limit` open effects that are stuck, starting after the number `after`, and the number after which the next page
/// starts.
fn stuck(
    store: &dyn Read,
    partition: &Partition,
    is_stuck: impl Fn(&EffectRow) -> bool,
    after: u64,
    limit: usize,
) -> Stored<(Vec<EffectRow>, Option<u64>)> {
    let (mut found, mut after) = (Vec::new(), after);
    for _ in 0..SEARCHED_MAX / PAGE {
        let rows = store.effects_open_after(partition, after, PAGE)?;
        let is_last = rows.len() < PAGE;
        for row in rows {
            after = row.seq;
            if is_stuck(&row) {
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

pub(super) const EFFECT: Shape = Shape::new(
    "ServerEffect",
    &[
        "seq: integer",
        "account: string",
        "kind: string",
        "key: string",
        "generation: integer",
        "state: string",
        "attempts: integer",
        "last_failure: json",
        "created_at: time",
        "due_at: time",
        "deadline: time?",
        "caused_by: string",
        "actions: string[]",
        "payload: json",
    ],
);
const EFFECTS: Shape = Shape::new("ServerEffects", &["effects: ServerEffect[]", "next: integer?"]).with(&[&EFFECT]);

/// Returns the routes.
pub(super) fn routes() -> Vec<ServerRoute> {
    vec![
        ServerRoute::get("/api/operator/effects", "listEffects", list)
            .about("Effects of an account, or the open ones of all.")
            .detail(
                "With `stuck=true` those that failed at least once or have waited for ten minutes. `last_failure` (`attempt`, `code`, \
                 `message`) is why the last attempt of this server failed.",
            )
            .query(&["account: string?", "stuck: boolean?", "after: integer?", "limit: integer?"])
            .gives(&EFFECTS),
    ]
}

/// Carries out `GET /api/operator/effects`.
async fn list(
    State(app): State<AppState>,
    Operator { hosted, .. }: Operator,
    QueryOf(query): QueryOf<ListEffectsQuery>,
) -> Result<Json<Value>, Problem> {
    let partition = hosted.site.partition().clone();
    let (limit, after) = (limit(query.limit)?, query.after.unwrap_or(0));
    let of = query.account.as_deref().map(account).transpose()?;
    if query.stuck && of.is_some() {
        return Err(Problem::bad("query", "expected `stuck` or `account`"));
    }
    let (changes, now) = (app.changes.clone(), hosted.site.clock().now());
    let (rows, next) = read(&hosted.site, move |store| {
        let rows = match of {
            Some(account) => store.effects_of(&partition.scope(account), after, limit),
            None if query.stuck => {
                return stuck(store, &partition, |row| is_stuck(row, &changes.tries, now), after, limit);
            }
            None => store.effects_open_after(&partition, after, limit),
        }?;
        let next = rows.last().filter(|_| rows.len() == limit).map(|row| row.seq);
        Ok((rows, next))
    })
    .await?;
    let tries = &app.changes.tries;
    let shown = rows.iter().map(|row| summary(row, tries)).collect();
    Ok(Json(page("effects", shown, next.map(Value::from))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use extension_contract::{Account, Effect};
    use host_provider_api::{Call, CallOutcome};
    use host_store::Lease;

    const NOW: Timestamp = 100 * LONG_MS;

    /// A row of a kind in a given state, due a minute ago.
    fn row(kind: &str, state: EffectState, attempts: u32, token: Option<&str>) -> EffectRow {
        let partition = Partition { business: "shop".to_owned(), livemode: false };
        EffectRow {
            seq: 1,
            scope: partition.scope(Account::User("ada".to_owned())),
            effect: Effect {
                kind: kind.to_owned(),
                to: None,
                key: "k".to_owned(),
                generation: 1,
                payload: "{}".to_owned(),
                context: "{}".to_owned(),
                reply_to: None,
                ordering_key: None,
                not_before: None,
                deadline: None,
                retry: None,
            },
            state,
            attempts,
            due_at: NOW - 60_000,
            created_at: NOW - 60_000,
            caused_by: "evt_1".to_owned(),
            lease: Lease { token: token.map(str::to_owned), ..Lease::default() },
            erased: false,
        }
    }

    #[test]
    fn the_link_of_a_mail_is_shown_to_nobody() {
        let payload =
            r#"{"template": "password_reset", "to": "ada@example.com", "secrets": {"link": "secret:vault/link-1"}}"#;
        let sent = row("mail.send", EffectState::Finished, 1, None);
        let sent = EffectRow { effect: Effect { payload: payload.to_owned(), ..sent.effect.clone() }, ..sent };
        let shown = summary(&sent, &Tries::default());
        let expected = json!({"template": "password_reset", "to": "ada@example.com", "secrets": {"link": "[link]"}});
        assert_eq!(shown["payload"], expected);
    }

    #[test]
    fn what_failed_or_waits_for_long_is_stuck_and_a_watch_of_health_is_not() {
        use EffectState::{Finished, Queued, Running};
        let tries = Tries::default();
        let old = |row: EffectRow| EffectRow { due_at: NOW - LONG_MS, ..row };
        for (row, expected, why) in [
            (row("mail.send", Queued, 1, None), true, "it failed once"),
            (row("mail.send", Queued, 0, None), false, "it begins now"),
            (old(row("mail.send", Queued, 0, None)), true, "nobody has begun it"),
            (row("mail.send", Running, 1, None), false, "its first call"),
            (row("mail.send", Running, 2, None), true, "its second call"),
            (old(row("mail.send", Running, 1, None)), true, "a call without an answer"),
            (old(row("probe.watch", Running, 1, Some("1:0"))), false, "the instance is healthy"),
            (old(row("probe.watch", Running, 2, Some("1:0"))), false, "and was so at the last start"),
            (old(row(host_store::TIMER, Queued, 0, None)), false, "the host's own"),
            (row("mail.send", Finished, 3, None), false, "it has ended"),
        ] {
            assert_eq!(is_stuck(&row, &tries, NOW), expected, "{why}");
        }
        let watch = row("probe.watch", Running, 1, Some("1:0"));
        let call = Call { scope: watch.scope.name(), key: "k".to_owned(), generation: 1, ..Call::default() };
        tries.note(&call, &CallOutcome::retry("unreachable", "").into());
        assert!(is_stuck(&watch, &tries, NOW), "a watch that failed");
    }
}
