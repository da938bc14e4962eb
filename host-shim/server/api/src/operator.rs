//! The operator's API: events ([`events`]), effects ([`effects`]), actions on them ([`intervene`]), retries of failed instances
//! ([`retry`]), accounts ([`accounts`]) compared with Stripe's objects ([`stripe`]), previews of mails ([`mails`]), differences of
//! resources from their records ([`drift`]) and their backups ([`backups`]). Only operators' keys may use it.

mod accounts;
mod backups;
mod drift;
mod effects;
pub(crate) mod events;
mod everywhere;
pub(crate) mod found;
mod intervene;
pub(crate) mod mails;
mod retry;
mod revenue;
mod stripe;
pub(crate) mod waiting;

pub mod tools;

use crate::ask;
use crate::description::Access;
use crate::problem::Problem;
use crate::server_route::ServerRoute;
use crate::state::HostedSite;
use extension_contract::Account;
use serde_json::{Value, json};

/// Default number of rows on a page.
const LIMIT_DEFAULT: usize = 50;
/// Maximum number of rows on a page.
const LIMIT_MAX: usize = 500;
/// Maximum number of rows that a search reads for one page. A page may be empty even if more pages follow.
const SEARCHED_MAX: usize = 10_000;
/// Rows per query of a search.
const PAGE: usize = 500;

/// Returns the routes.
pub(crate) fn routes() -> Vec<ServerRoute> {
    let all = [
        events::routes(),
        everywhere::routes(),
        retry::routes(),
        effects::routes(),
        intervene::routes(),
        accounts::routes(),
        revenue::routes(),
        stripe::routes(),
        backups::routes(),
        mails::routes(),
        drift::routes(),
    ];
    all.into_iter().flatten().map(|route| route.by(Access::Operators)).collect()
}

fn limit(given: Option<usize>) -> Result<usize, Problem> {
    ask::limit(given.unwrap_or(LIMIT_DEFAULT), LIMIT_MAX)
}

fn account(text: &str) -> Result<Account, Problem> {
    text.parse().map_err(|error: extension_contract::BadAccount| Problem::bad("account", error.to_string()))
}

/// Returns the name of an account's scope in a site, which consists of business, mode and account; none without an account.
fn scope_name(hosted: &HostedSite, account_name: Option<&str>) -> Result<Option<String>, Problem> {
    let account = account_name.map(account).transpose()?;
    Ok(account.map(|account| hosted.site.partition().scope(account).name()))
}

/// Filters a complete list and returns a page of the matching entries, starting after the entry with the number `after`.
fn page_of<T>(
    (name, entries): (&str, &[T]),
    is_wanted: impl Fn(&T) -> bool,
    (after, size): (Option<usize>, usize),
    show: impl Fn(&T) -> Value,
) -> Value {
    let matching = entries.iter().enumerate().filter(|(_, entry)| is_wanted(entry));
    let rest = matching.skip_while(|(at, _)| after.is_some_and(|after| *at <= after));
    let shown: Vec<(usize, &T)> = rest.take(size).collect();
    let next = shown.last().filter(|_| shown.len() == size).map(|(at, _)| json!(at));
    let mut answer = host_engine::show::page(name, shown.iter().map(|(_, entry)| show(entry)).collect(), next);
    answer["total_count"] = json!(entries.len());
    answer
}
