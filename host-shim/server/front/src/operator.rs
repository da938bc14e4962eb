//! The operator's API: events ([`events`]), effects ([`effects`]), actions on them ([`intervene`]), accounts ([`accounts`]) beside
//! Stripe's objects ([`stripe`]), and differences of resources ([`drift`]). Only keys of operators may use it.

pub(crate) mod accounts;
pub(crate) mod drift;
pub(crate) mod effects;
pub(crate) mod events;
pub(crate) mod intervene;
pub(crate) mod stripe;
pub mod tools;

use crate::problem::Problem;
use crate::query;
use extension_contract::Account;

/// Rows of a page without `limit`.
const LIMIT_DEFAULT: usize = 50;
/// Maximum number of rows of a page.
const LIMIT_MAX: usize = 500;
/// Maximum number of rows that a search reads for one page. A page may be empty although more pages follow.
const SEARCHED_MAX: usize = 10_000;

fn limit(given: Option<usize>) -> Result<usize, Problem> {
    query::limit(given.unwrap_or(LIMIT_DEFAULT), LIMIT_MAX)
}

fn account(text: &str) -> Result<Account, Problem> {
    text.parse().map_err(|error: extension_contract::BadAccount| Problem::bad("account", error.to_string()))
}
