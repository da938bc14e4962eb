//! `POST /api/operator/effects/SEQ/ACTION`: an operator retries, adopts or abandons an effect that has not ended.

use super::events::RUNS;
use super::events::report;
use crate::accept::{answer_of, soon};
use crate::ask::read;
use crate::body;
use crate::command::Answered;
use crate::extract::{Operator, PathPart};
use crate::problem::Problem;
use crate::server_route::ServerRoute;
use crate::state::AppState;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use extension_contract::{EffectDecl, JSON_BYTES_MAX};
use host_business::routes::limits::COMMAND_BYTES_MAX;
use host_engine::outbox::{InterveneError, Intervention, OpenEffect};
use host_engine::view::parsed;
use host_engine::writer::JobError;
use serde::Deserialize;
use serde_json::{Value, json};

/// Maximum length of the reason for an abandonment, in bytes.
const REASON_BYTES_MAX: usize = 1_000;

/// The body of an action.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ActionRequest {
    /// The outputs of an adopted effect, as its provider would have returned them.
    outputs: Option<Value>,
    /// The reason for abandoning the effect, which is passed to the extension.
    reason: Option<String>,
}

/// Returns the routes.
pub(super) fn routes() -> Vec<ServerRoute> {
    vec![
        ServerRoute::post("/api/operator/effects/{seq}/{action}", "intervene", post)
            .about("Retries, adopts or abandons an open effect.")
            .detail(
                "`retry`: the next attempt begins now. `adopt`: it was done by hand, with `outputs` as its provider would answer: \
                 `{\"outputs\": {\"id\": \"cus_1\"}}`. `abandon`: it fails for good, with the `reason` that the extension receives.",
            )
            .body(&["outputs: json?", "reason: string?"])
            .gives(&RUNS),
    ]
}

/// Carries out `POST /api/operator/effects/SEQ/ACTION`.
async fn post(
    State(app): State<AppState>,
    Operator { hosted, caller }: Operator,
    PathPart((seq, action)): PathPart<(u64, String)>,
    headers: HeaderMap,
    body: Body,
) -> Result<Answered, Problem> {
    let bytes = body::read(&headers, body, app.limits.body, COMMAND_BYTES_MAX).await?;
    let given = match bytes.is_empty() {
        true => ActionRequest::default(),
        false => serde_json::from_slice(&bytes).map_err(|error| Problem::bad("malformed", error.to_string()))?,
    };
    let intervention = intervention(&action, given)?;
    let partition = hosted.site.partition().clone();
    let found = read(&hosted.site, move |store| {
        let row = store.effect_at(seq)?;
        Ok(row.filter(|row| row.state.is_open() && row.scope.partition() == partition))
    });
    let Some(row) = found.await? else { return Err(Problem::not_found(format!("no open effect {seq}"))) };
    if let Intervention::Adopt(outputs) = &intervention {
        check(outputs, &row.effect.kind, hosted.site.effects())?;
    }
    let effect = OpenEffect { scope: row.scope, key: row.effect.key, generation: row.effect.generation };
    let jobs = hosted.site.jobs();
    let send = |answer| jobs.try_intervene_then(effect, intervention, caller.actor, answer);
    let reports = soon(answer_of(send)).await?;
    Ok(Answered::ok(json!({"runs": reports.iter().map(report).collect::<Vec<_>>()})))
}

/// Checks that outputs have the members that the extension expects for a kind.
fn check(outputs: &Value, kind: &str, declared: &[EffectDecl]) -> Result<(), Problem> {
    let schema = declared.iter().find(|effect| effect.kind == kind).map(|effect| parsed(&effect.result_schema));
    let needed = schema.as_ref().and_then(|schema| schema["required"].as_array()).into_iter().flatten();
    let missing: Vec<&str> = needed.filter_map(Value::as_str).filter(|name| outputs.get(name).is_none()).collect();
    match missing.is_empty() {
        true => Ok(()),
        false => Err(Problem::bad("outputs", format!("`{kind}` also has the outputs {}", missing.join(", ")))),
    }
}

fn intervention(action: &str, given: ActionRequest) -> Result<Intervention, Problem> {
    match (action, given) {
        ("retry", ActionRequest { outputs: None, reason: None }) => Ok(Intervention::Retry),
        ("adopt", ActionRequest { outputs: Some(outputs @ Value::Object(_)), reason: None }) => {
            match outputs.to_string().len() <= JSON_BYTES_MAX {
                true => Ok(Intervention::Adopt(outputs)),
                false => Err(Problem::bad("outputs", format!("expected at most {JSON_BYTES_MAX} bytes"))),
            }
        }
        ("abandon", ActionRequest { outputs: None, reason: Some(reason) })
            if !reason.trim().is_empty() && reason.len() <= REASON_BYTES_MAX =>
        {
            Ok(Intervention::Abandon(reason))
        }
        ("retry", _) => Err(Problem::bad("malformed", "expected no members")),
        ("adopt", _) => Err(Problem::bad("malformed", "expected `outputs`, an object as the provider would answer")),
        ("abandon", _) => {
            Err(Problem::bad("malformed", format!("expected `reason`, a text of at most {REASON_BYTES_MAX} bytes")))
        }
        (other, _) => Err(Problem::not_found(format!("no action `{other}`: expected retry, adopt or abandon"))),
    }
}

impl From<InterveneError> for Problem {
    fn from(error: InterveneError) -> Self {
        match error {
            InterveneError::NotOpen { .. } => Problem::not_found(error.to_string()),
            InterveneError::HostsOwn { .. } => Problem::new(StatusCode::CONFLICT, "hosts-own", error.to_string()),
            InterveneError::Outbox(error) => JobError::Failed(error).into(),
        }
    }
}
