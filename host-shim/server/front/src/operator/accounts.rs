//! Accounts, and everything that the store has of one account.

use super::{account, limit};
use crate::extract::{Asked, Named, Operator};
use crate::problem::Problem;
use crate::query::read;
use axum::Json;
use host::show::page;
use host::view::rows_of;
use host_store::NotState;
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// The query of a list of accounts.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    /// A part of the account's text.
    search: Option<String>,
    /// The account after which the page begins.
    after: Option<String>,
    limit: Option<usize>,
}

/// Carries out `GET /api/operator/accounts`.
pub(crate) async fn list(
    Operator { hosted, .. }: Operator,
    Asked(Wanted { search, after, limit: given }): Asked<Wanted>,
) -> Result<Json<Value>, Problem> {
    let partition = hosted.site.partition().clone();
    let limit = limit(given)?;
    let names = read(&hosted, move |store| {
        let scopes = store.scopes(Some(&partition))?;
        let names = scopes.into_iter().map(|scope| scope.account.to_string());
        let is_wanted = |name: &String| {
            search.as_ref().is_none_or(|part| name.contains(part.as_str()))
                && after.as_ref().is_none_or(|after| name > after)
        };
        Ok(names.filter(is_wanted).take(limit).collect::<Vec<_>>())
    })
    .await?;
    let next = names.last().filter(|_| names.len() == limit).map(|name| json!(name));
    Ok(Json(page("accounts", names.into_iter().map(Value::from).collect(), next)))
}

/// Carries out `GET /api/operator/accounts/ACCOUNT`: all rows, by section and id.
pub(crate) async fn get(Operator { hosted, .. }: Operator, Named(name): Named<String>) -> Result<Json<Value>, Problem> {
    let partition = hosted.site.partition().clone();
    let scope = partition.scope(account(&name)?);
    let found = read(&hosted, move |store| match store.revision(&scope)? {
        0 => Ok(None),
        revision => Ok(Some((revision, rows_of(store, &scope, &NotState::default())?))),
    })
    .await?;
    let Some((revision, rows)) = found else { return Err(Problem::not_found(format!("no account `{name}`"))) };
    let sections: Map<String, Value> =
        rows.sections.into_iter().map(|(section, rows)| (section, Value::Object(rows.into_iter().collect()))).collect();
    Ok(Json(json!({"account": name, "revision": revision, "rows": sections})))
}
