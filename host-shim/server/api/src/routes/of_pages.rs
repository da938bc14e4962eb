//! The values that expressions in pages and forms may use: those of routes, and the site.

use super::reads::Reader;
use super::{CALLER, caller_shown, scope_of};
use crate::access;
use crate::problem::Problem;
use crate::shares::Peer;
use crate::state::{AppState, HostedSite};
use axum::http::request::Parts;
use extension_contract::Account;
use host_business::routes::{PAGE, PAGE_ROWS_MAX, Read, SITE, Scope};
use host_identity::access::Caller;
use serde_json::{Map, Value, json};

/// What a page's expressions may use in addition to the values that every request has.
pub(crate) struct PageValues {
    /// Values of the path.
    pub(crate) path: Map<String, Value>,
    /// Values of the query.
    pub(crate) query: Map<String, Value>,
    /// The account named in the query.
    pub(crate) account: Option<String>,
}

/// Runs the queries of a page. A public page reads only the catalog, and may have no caller.
pub(crate) async fn page_values(
    app: &AppState,
    hosted: &HostedSite,
    parts: &Parts,
    caller: Option<Caller>,
    reads: &[Read],
    values: PageValues,
) -> Result<Scope, Problem> {
    let PageValues { path, query, account: named } = values;
    let scope = scope_of(hosted, [("path", path), ("query", query), ("body", Map::new())]).with(SITE, site(hosted));
    let account = match &caller {
        Some(caller) if named.is_some() || caller.own_account().is_some() => {
            Some(access::account(caller, named.as_deref())?)
        }
        Some(_) => Some(Account::Platform),
        None => None,
    };
    let scope = match &caller {
        Some(caller) => {
            let mut shown = caller_shown(app, caller, &parts.headers, parts.extensions.get::<Peer>().copied());
            shown["account"] = Value::from(account.as_ref().map(ToString::to_string));
            scope.with(CALLER, shown)
        }
        None => scope,
    };
    let page = (PAGE_ROWS_MAX as usize, None);
    Reader { hosted, account, caller, page }.read(reads, scope).await
}

/// Returns the values for the expressions of a form on a page.
pub(crate) fn form_scope(hosted: &HostedSite, page: &str, values: &Map<String, Value>) -> Scope {
    let none = Map::new;
    let scope = scope_of(hosted, [("path", none()), ("query", none()), ("body", values.clone())]);
    scope.with(SITE, site(hosted)).with(PAGE, page)
}

fn site(hosted: &HostedSite) -> Value {
    json!({"url": hosted.url})
}
