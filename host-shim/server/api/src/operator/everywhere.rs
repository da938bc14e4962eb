//! Lists across all accounts: `GET /api/operator/tasks` lists the steps that wait for a person, `GET /api/operator/instances` the
//! instances.

use super::waiting::waiting;
use super::{SEARCHED_MAX, limit};
use crate::ask::{asked, read};
use crate::description::Shape;
use crate::extract::{Operator, QueryOf};
use crate::operator::found::{FAILED, unreadable};
use crate::problem::Problem;
use crate::products::DELETED;
use crate::server_route::ServerRoute;
use crate::state::{AppState, HostedSite};
use axum::Json;
use axum::extract::State;
use extension_contract::{Actor, PAGE_ROWS_MAX, Page, Question};
use host_engine::processor::{AskError, Questions};
use host_engine::show::page;
use host_engine::view::parsed;
use serde::Deserialize;
use serde_json::{Value, json};

/// Separates the account and the instance id in the cursor of a page.
const WITHIN: char = '#';

/// Maximum number of queries to the extension for one page.
const ACCOUNTS_MAX: usize = SEARCHED_MAX / 10;

/// The query of a list of steps.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ListTasksQuery {
    /// The account after which the page starts.
    after: Option<String>,
    limit: Option<usize>,
}

/// The query of a list of instances.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ListInstancesQuery {
    /// Only instances with this status; without it, all that are not deleted.
    status: Option<String>,
    /// True to include deleted instances.
    #[serde(default)]
    deleted: bool,
    /// Where the page starts: after an account, or after an instance within it: `ACCOUNT#ID`.
    after: Option<String>,
    limit: Option<usize>,
}

const TASKS: Shape = Shape::new("ServerTasks", &["tasks: json[]", "next: string?"]);
const INSTANCES: Shape = Shape::new("ServerInstances", &["instances: json[]", "next: string?"]);

/// Returns the routes.
pub(super) fn routes() -> Vec<ServerRoute> {
    vec![
        ServerRoute::get("/api/operator/instances", "listInstances", instances)
            .about("The instances of all accounts.")
            .detail("Without deleted ones unless `deleted=true` or `status=terminated`.")
            .query(&["status: string?", "deleted: boolean?", "after: string?", "limit: integer?"])
            .gives(&INSTANCES),
        ServerRoute::get("/api/operator/tasks", "listTasks", tasks)
            .about("The steps that wait for a person, of all accounts.")
            .query(&["after: string?", "limit: integer?"])
            .gives(&TASKS),
    ]
}

/// Carries out `GET /api/operator/tasks`.
async fn tasks(
    State(app): State<AppState>,
    Operator { hosted, .. }: Operator,
    QueryOf(query): QueryOf<ListTasksQuery>,
) -> Result<Json<Value>, Problem> {
    let limit = limit(query.limit)?;
    let (tasks, next) = waiting(&app, &hosted).await?.tasks(query.after.as_deref(), limit);
    Ok(Json(page("tasks", tasks, next.map(Value::from))))
}

/// Carries out `GET /api/operator/instances`. A page may be empty even if more pages follow.
async fn instances(
    State(app): State<AppState>,
    Operator { hosted, .. }: Operator,
    QueryOf(ListInstancesQuery { status, deleted, after, limit }): QueryOf<ListInstancesQuery>,
) -> Result<Json<Value>, Problem> {
    if status.as_deref() == Some(FAILED) {
        let limit = self::limit(limit)?;
        let (failed, next) = waiting(&app, &hosted).await?.failed(after.as_deref(), limit);
        return Ok(Json(page("instances", failed, next.map(Value::from))));
    }
    // The products of the catalog do not have the status of an instance.
    let is_wanted = move |instance: &Value| match (&status, instance["status"].as_str()) {
        (Some(query), found) => found == Some(query),
        (None, found) => found.is_some_and(|found| deleted || found != DELETED),
    };
    let (instances, next) = entries(&hosted, after, limit, is_wanted).await?;
    Ok(Json(page("instances", instances, next.map(Value::from))))
}

/// Returns the matching instances with their accounts, and where the next page starts.
async fn entries(
    hosted: &HostedSite,
    after: Option<String>,
    given: Option<usize>,
    is_wanted: impl Fn(&Value) -> bool + Send + 'static,
) -> Result<(Vec<Value>, Option<String>), Problem> {
    let (partition, at, limit) = (hosted.site.partition().clone(), hosted.site.clock().now(), limit(given)?);
    let scopes = read(&hosted.site, move |store| store.scopes(Some(&partition))).await?;
    let found = asked(&hosted.site, move |answerer| -> Result<_, AskError> {
        let (begun, mut row) = match after.as_deref().map(|after| after.rsplit_once(WITHIN).unwrap_or((after, ""))) {
            None => (None, None),
            Some((account, "")) => (Some(account), None),
            Some((account, id)) => (Some(account), Some(id.to_owned())),
        };
        let is_within = row.is_some();
        let accounts = scopes.into_iter().map(|scope| (scope.account.to_string(), scope.account));
        let rest = accounts.filter(|(name, _)| begun.is_none_or(|begun| **name > *begun || is_within && name == begun));
        let (mut found, mut last, mut asked) = (Vec::new(), None, 0);
        for (name, account) in rest {
            let is_begun = begun == Some(&*name);
            let mut after = row.take().filter(|_| is_begun);
            let question = Question { account, actor: Actor::system(), at };
            loop {
                if asked == ACCOUNTS_MAX {
                    return Ok((found, last));
                }
                asked += 1;
                let rows = match answerer.ask_list(&question, "instances", None, &Page { after, limit: PAGE_ROWS_MAX })
                {
                    Ok(rows) => rows,
                    // A failing account does not hide the others.
                    Err(error) => {
                        found.push(unreadable(&name, &error));
                        break;
                    }
                };
                for row in &rows {
                    last = Some(format!("{name}{WITHIN}{}", row.id));
                    let mut entry = parsed(&row.value);
                    if is_wanted(&entry) {
                        entry["account"] = json!(name);
                        found.push(entry);
                        if found.len() == limit {
                            return Ok((found, last));
                        }
                    }
                }
                if rows.len() < PAGE_ROWS_MAX as usize {
                    break;
                }
                after = rows.last().map(|row| row.id.clone());
            }
            last = Some(format!("{name}{WITHIN}"));
            if found.len() == limit {
                return Ok((found, last));
            }
        }
        Ok((found, None))
    });
    found.await
}
