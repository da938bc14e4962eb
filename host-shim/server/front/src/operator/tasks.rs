//! `GET /api/operator/tasks`: the steps that wait for a person, of all accounts.

use super::{SEARCHED_MAX, limit};
use crate::extract::{Asked, Operator};
use crate::problem::Problem;
use crate::query::{asked, read};
use crate::show::page;
use axum::Json;
use extension_contract::{Actor, Question};
use host::processor::{AskError, Questions};
use host::view::parsed;
use serde::Deserialize;
use serde_json::{Value, json};

/// Maximum number of steps of one account that are read.
const STEPS_MAX: usize = 1_000;
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

/// Carries out `GET /api/operator/tasks`. A page may be empty although more pages follow.
pub(crate) async fn list(
    Operator { hosted, .. }: Operator,
    Asked(Wanted { after, limit: given }): Asked<Wanted>,
) -> Result<Json<Value>, Problem> {
    let (partition, at, limit) = (hosted.site.partition().clone(), hosted.site.clock().now(), limit(given)?);
    let scopes = read(&hosted, move |store| store.scopes(Some(&partition))).await?;
    let found = asked(&hosted, move |answerer| -> Result<_, AskError> {
        let accounts = scopes.into_iter().map(|scope| (scope.account.to_string(), scope.account));
        let rest = accounts.filter(|(name, _)| after.as_ref().is_none_or(|after| name > after));
        let (mut tasks, mut last) = (Vec::new(), None);
        for (searched, (name, account)) in rest.enumerate() {
            if tasks.len() >= limit || searched == ACCOUNTS_MAX {
                return Ok((tasks, last));
            }
            let question = Question { account, actor: Actor::system(), at };
            let (rows, _) = answerer.ask_whole_list(&question, "tasks", STEPS_MAX)?;
            tasks.extend(rows.iter().map(|row| {
                let mut task = parsed(&row.value);
                task["account"] = json!(name);
                task
            }));
            last = Some(name);
        }
        Ok((tasks, None))
    });
    let (tasks, next) = found.await?;
    Ok(Json(page("tasks", tasks, next.map(Value::from))))
}
