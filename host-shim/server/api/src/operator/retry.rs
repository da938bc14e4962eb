//! `POST /api/operator/instances/retry`: retries failed instances in batches, either all of them or those with a
//! certain failure.

use super::waiting::waiting;
use super::{account, limit};
use crate::ask::read;
use crate::body;
use crate::command::{self, Answered};
use crate::description::Shape;
use crate::extract::Operator;
use crate::problem::Problem;
use crate::server_route::ServerRoute;
use crate::state::{AppState, HostedSite};
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use extension_contract::Account;
use host_business::routes::limits::COMMAND_BYTES_MAX;
use host_store::Read;
use serde::Deserialize;
use serde_json::{Value, json};

/// The command that retries an instance.
const RETRY: &str = "instance.retry";

/// Which failed instances are retried. Without a member, all are.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RetryRequest {
    /// Name of the provider whose step failed.
    provider: Option<String>,
    /// The step that failed, such as `database/ensure`, or its first part, such as `database`.
    step: Option<String>,
    /// Code of the failure.
    code: Option<String>,
    /// Part of the failure message. Case is ignored.
    message: Option<String>,
    /// The account after which the batch starts.
    after: Option<String>,
    /// Number of instances in the batch; an account's instances are all in one batch.
    limit: Option<usize>,
    /// True to only list the instances.
    #[serde(default)]
    dry_run: bool,
}

impl RetryRequest {
    /// Returns true for an instance with this failure, whatever the provider.
    fn has(&self, instance: &Value) -> bool {
        let error = &instance["metadata"]["error"];
        let text = |name: &str| error[name].as_str().unwrap_or_default();
        let step = text("step");
        let is_step =
            |wanted: &String| step == wanted || step.strip_prefix(&**wanted).is_some_and(|rest| rest.starts_with('/'));
        let contains = |part: &String| text("message").to_lowercase().contains(&part.to_lowercase());
        // An account that cannot be read is listed as failed, without an instance.
        instance["id"].is_string()
            && self.step.as_ref().is_none_or(is_step)
            && self.code.as_ref().is_none_or(|wanted| text("code") == wanted)
            && self.message.as_ref().is_none_or(contains)
    }
}

/// Returns the kind of the failed effect of each instance.
async fn kinds(hosted: &HostedSite, failed: &[Value]) -> Result<Vec<Option<String>>, Problem> {
    let partition = hosted.site.partition().clone();
    let effects = failed.iter().map(|instance| {
        let key = instance["id"].as_str().zip(instance["metadata"]["error"]["step"].as_str());
        Ok((account(instance["account"].as_str().unwrap_or_default())?, key.map(|(id, step)| format!("{id}/{step}"))))
    });
    let effects = effects.collect::<Result<Vec<(Account, Option<String>)>, Problem>>()?;
    let kind_of = move |store: &dyn Read, (of, key): (Account, Option<String>)| {
        let Some(key) = key else { return Ok(None) };
        Ok(store.effect(&partition.scope(of), &key)?.pop().map(|row| row.effect.kind))
    };
    read(&hosted.site, move |store| effects.into_iter().map(|effect| kind_of(store, effect)).collect()).await
}

const RETRIED: Shape = Shape::new(
    "ServerRetried",
    &["dry_run: boolean", "matched: integer", "retried: integer", "instances: json[]", "next: string?"],
);

/// Returns the routes.
pub(super) fn routes() -> Vec<ServerRoute> {
    vec![
        ServerRoute::post("/api/operator/instances/retry", "retryInstances", post)
            .about("Tries failed instances again, in batches.")
            .body(&[
                "provider: string?",
                "step: string?",
                "code: string?",
                "message: string?",
                "after: string?",
                "limit: integer?",
                "dry_run: boolean?",
            ])
            .gives(&RETRIED),
    ]
}

/// Carries out `POST /api/operator/instances/retry`.
async fn post(
    State(app): State<AppState>,
    Operator { hosted, caller }: Operator,
    headers: HeaderMap,
    body: Body,
) -> Result<Answered, Problem> {
    let bytes = body::read(&headers, body, app.limits.body, COMMAND_BYTES_MAX).await?;
    let request: RetryRequest = match bytes.is_empty() {
        true => RetryRequest::default(),
        false => serde_json::from_slice(&bytes).map_err(|error| Problem::bad("malformed", error.to_string()))?,
    };
    let size = limit(request.limit)?;
    let (failed, next) = waiting(&app, &hosted).await?.failed(request.after.as_deref(), size);
    let failed: Vec<Value> = failed.into_iter().filter(|instance| request.has(instance)).collect();
    let kinds = kinds(&hosted, &failed).await?;
    let mut results = Vec::new();
    for (instance, kind) in failed.iter().zip(kinds) {
        let provider = kind.map(|kind| hosted.site.provider_of(&kind));
        if request.provider.is_some() && request.provider != provider {
            continue;
        }
        let mut result = json!({"account": instance["account"], "id": instance["id"], "name": instance["name"],
            "provider": provider, "error": instance["metadata"]["error"]});
        if !request.dry_run {
            let of = account(instance["account"].as_str().unwrap_or_default())?;
            let payload = json!({"id": instance["id"]}).to_string();
            let id = command::id(&app, &caller, &of.to_string(), &HeaderMap::new())?;
            let caller = caller.clone();
            match command::run_with_id(&app, &hosted, caller, of, RETRY, payload, id).await {
                Ok(_) => result["retried"] = json!(true),
                Err(problem) => {
                    (result["retried"], result["problem"]) = (json!(false), json!(problem.detail()));
                }
            }
        }
        results.push(result);
    }
    let retried = results.iter().filter(|result| result["retried"] == true).count();
    Ok(Answered::ok(json!({"dry_run": request.dry_run, "matched": results.len(), "retried": retried,
        "instances": results, "next": next})))
}
