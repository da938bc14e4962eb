//! Queries of an account.

use super::{Answered, Failed, caller};
use crate::app::App;
use crate::http::{Request, Response};
use crate::platform::Platform;
use extension_contract::{PAGE_ROWS_MAX, Page, Question, Timestamp};
use host_engine::processor::Questions;
use host_engine::{show, time};
use serde_json::{Value, json};

/// Default number of rows on a page.
const LIMIT_DEFAULT: u32 = 100;

fn moment(request: &Request, name: &str) -> Result<Option<Timestamp>, Failed> {
    let Some(text) = request.query(name) else { return Ok(None) };
    let wrong = || Response::error(400, "query", format!("`{name}` is `{text}`, expected a time as RFC 3339"));
    Ok(Some(time::parse(text).ok_or_else(wrong)?))
}

fn needed<T>(name: &str, given: Option<T>) -> Result<T, Failed> {
    given.ok_or_else(|| Response::error(400, "query", format!("expected `{name}` in the query")).into())
}

/// Returns a page of `list`.
pub(super) fn page(request: &Request) -> Result<Page, Failed> {
    let limit = match request.query("limit") {
        None => LIMIT_DEFAULT,
        Some(text) => {
            let limit = text.parse::<u32>().ok().filter(|limit| (1..=PAGE_ROWS_MAX).contains(limit));
            let wrong = || Response::error(400, "query", format!("`limit` is `{text}`, expected 1 to {PAGE_ROWS_MAX}"));
            limit.ok_or_else(wrong)?
        }
    };
    Ok(Page { after: request.query("after").map(str::to_owned), limit })
}

/// Answers a query.
pub(super) fn get(platform: &Platform<'_>, request: &Request, name: &str) -> Answered {
    let caller = caller(platform, request)?;
    let account = caller.account(request)?;
    let at = moment(request, "at")?.unwrap_or(platform.now);
    let question = Question { account, actor: caller.actor, at };
    let mut app = App::open(platform)?;
    let answer = app.in_one_state(|processor| {
        Ok(match name {
            "balances" => {
                let rows = processor.ask_balances(&question)?;
                show::page("balances", rows.iter().map(show::balance).collect(), None)
            }
            "catalog" => {
                let rows = processor.ask_catalog(&question)?;
                show::page("offers", rows.iter().map(show::offer).collect(), None)
            }
            "entitlements" => {
                let rows = processor.ask_entitlements(&question)?;
                show::page("entitlements", rows.iter().map(show::entitlement).collect(), None)
            }
            "usage" => {
                let (start, end) = (moment(request, "start")?, moment(request, "end")?);
                let (start, end) = (needed("start", start)?, needed("end", end)?);
                let rows = processor.ask_usage(&question, start, end)?;
                show::page("usage", rows.iter().map(show::usage).collect(), None)
            }
            "list" => {
                let kind = needed("kind", request.query("kind"))?;
                let page = page(request)?;
                let rows = processor.ask_list(&question, kind, request.query("filter"), &page)?;
                let is_full = rows.len() == page.limit as usize;
                let next: Option<Value> = rows.last().filter(|_| is_full).map(|row| json!(row.id));
                show::page("entries", rows.iter().map(show::listed).collect(), next)
            }
            other => return Err(super::not_found(format!("no query `{other}`")).into()),
        })
    })?;
    Ok(Response::ok(answer))
}
