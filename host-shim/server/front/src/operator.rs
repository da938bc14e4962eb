//! The operator's API: events ([`events`]), effects ([`effects`]) and accounts ([`accounts`]). Only keys of operators may use
//! it.

pub(crate) mod accounts;
pub(crate) mod effects;
pub(crate) mod events;

use crate::access;
use crate::front::{AppState, HostedSite};
use crate::problem::Problem;
use axum::http::HeaderMap;
use extension_contract::Account;
use host_store::Partition;
use serde_json::{Value, json};

/// Rows of a page without `limit`.
const LIMIT_DEFAULT: usize = 50;
/// Maximum number of rows of a page.
const LIMIT_MAX: usize = 500;
/// Maximum number of rows that a search reads for one page. A page may be empty although more pages follow.
const SEARCHED_MAX: usize = 10_000;

/// Checks that the caller is an operator, and returns the business and mode.
fn partition(app: &AppState, hosted: &HostedSite, headers: &HeaderMap) -> Result<Partition, Problem> {
    match access::caller(&*app.authenticator, hosted, headers)?.is_operator() {
        true => Ok(hosted.site.partition().clone()),
        false => Err(Problem::forbidden("only an operator may do this")),
    }
}

fn limit(given: Option<usize>) -> Result<usize, Problem> {
    let limit = given.unwrap_or(LIMIT_DEFAULT);
    match (1..=LIMIT_MAX).contains(&limit) {
        true => Ok(limit),
        false => Err(Problem::bad("query", format!("`limit` is {limit}, expected 1 to {LIMIT_MAX}"))),
    }
}

fn account(text: &str) -> Result<Account, Problem> {
    text.parse().map_err(|error: extension_contract::BadAccount| Problem::bad("account", error.to_string()))
}

/// Returns the JSON of a page. `next` is the value of `after` for the following page.
fn page(name: &str, rows: Vec<Value>, next: Option<Value>) -> Value {
    json!({name: rows, "next": next})
}
