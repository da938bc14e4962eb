//! Lists of all accounts: `GET /api/operator/tasks` has the steps that wait for a person, `GET /api/operator/instances` the instances.

use super::waiting::{FAILED, unreadable, waiting};
use super::{SEARCHED_MAX, limit};
use crate::extract::{Asked, Operator};
use crate::front::{AppState, HostedSite};
use crate::problem::Problem;
use crate::query::{asked, read};
use axum::Json;
use axum::extract::State;
use extension_contract::{Actor, Question};
use host::processor::{AskError, Questions};
use host::show::page;
use host::view::parsed;
use serde::Deserialize;
use serde_json::{Value, json};

/// Accounts that are asked for one page; each is a question to the extension.
const ACCOUNTS_MAX: usize = SEARCHED_MAX / 10;

/// The query of a list of steps.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    /// The account after which the page begins.
    after: Option<String>,
    limit: Option<usize>,
}

/// The query of a list of instances.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WantedInstances {
    /// Only instances with this status.
    status: Option<String>,
    /// The account after which the page begins.
    after: Option<String>,
    limit: Option<usize>,
}

/// Carries out `GET /api/operator/tasks`.
pub(crate) async fn tasks(
    State(app): State<AppState>,
    Operator { hosted, .. }: Operator,
    Asked(wanted): Asked<Wanted>,
) -> Result<Json<Value>, Problem> {
    let limit = limit(wanted.limit)?;
    let (tasks, next) = waiting(&app, &hosted).await?.tasks(wanted.after.as_deref(), limit);
    Ok(Json(page("tasks", tasks, next.map(Value::from))))
}

/// Carries out `GET /api/operator/instances`. A page may be empty although more pages follow. The instances of an account are on one page.
pub(crate) async fn instances(
    State(app): State<AppState>,
    Operator { hosted, .. }: Operator,
    Asked(WantedInstances { status, after, limit }): Asked<WantedInstances>,
) -> Result<Json<Value>, Problem> {
    if status.as_deref() == Some(FAILED) {
        let limit = self::limit(limit)?;
        let (failed, next) = waiting(&app, &hosted).await?.failed(after.as_deref(), limit);
        return Ok(Json(page("instances", failed, next.map(Value::from))));
    }
    // The products of the catalog have no status of an instance.
    let is_wanted = move |instance: &Value| match &status {
        Some(status) => instance["status"] == **status,
        None => instance["status"].is_string(),
    };
    let (instances, next) = entries(&hosted, after, limit, is_wanted).await?;
    Ok(Json(page("instances", instances, next.map(Value::from))))
}

/// Returns the wanted instances, each with its account, and the account after which the next page begins.
async fn entries(
    hosted: &HostedSite,
    after: Option<String>,
    given: Option<usize>,
    is_wanted: impl Fn(&Value) -> bool + Send + 'static,
) -> Result<(Vec<Value>, Option<String>), Problem> {
    let (partition, at, limit) = (hosted.site.partition().clone(), hosted.site.clock().now(), limit(given)?);
    let scopes = read(hosted, move |store| store.scopes(Some(&partition))).await?;
    let found = asked(hosted, move |answerer| -> Result<_, AskError> {
        let accounts = scopes.into_iter().map(|scope| (scope.account.to_string(), scope.account));
        let rest = accounts.filter(|(name, _)| after.as_ref().is_none_or(|after| name > after));
        let (mut found, mut last) = (Vec::new(), None);
        for (searched, (name, account)) in rest.enumerate() {
            if found.len() >= limit || searched == ACCOUNTS_MAX {
                return Ok((found, last));
            }
            let question = Question { account, actor: Actor::system(), at };
            match answerer.ask_whole_list(&question, "instances", None, usize::MAX) {
                Ok((rows, _)) => {
                    found.extend(rows.iter().map(|row| parsed(&row.value)).filter(&is_wanted).map(|mut entry| {
                        entry["account"] = json!(name);
                        entry
                    }));
                }
                // One account hides no other.
                Err(error) => found.push(unreadable(&name, &error)),
            }
            last = Some(name);
        }
        Ok((found, None))
    });
    found.await
}
