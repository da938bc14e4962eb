//! `GET /api/queries/NAME` and the entitlements of an account. Each question is answered from a snapshot, on a thread that
//! never decides.

use crate::access;
use crate::ask::{asked, limit};
use crate::description::{Answer, Shape};
use crate::extract::{KnownCaller, PathPart, QueryOf};
use crate::problem::Problem;
use crate::server_route::ServerRoute;
use crate::state::HostedSite;
use axum::Json;
use extension_contract::{Entitlement, Offer, PAGE_ROWS_MAX, Page, Price, Question, Timestamp};
use host_engine::processor::Questions;
use host_engine::show;
use host_engine::time;
use serde::Deserialize;
use serde_json::{Value, json};

/// The names of the queries, for messages.
const NAMES: [&str; 5] = ["balances", "catalog", "entitlements", "list", "usage"];
/// Default number of rows on a page.
const LIMIT_DEFAULT: u32 = 100;
/// The value of an unlimited amount.
pub(crate) const UNLIMITED: i64 = -1;

/// The members of a query's URL.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Arguments {
    /// The account. By default the key's own, if it has only one.
    account: Option<String>,
    /// Time for which the answer holds, in RFC 3339 format; now by default.
    at: Option<String>,
    /// Start and end of `usage`, in RFC 3339 format.
    start: Option<String>,
    end: Option<String>,
    /// Kind, filter and page of `list`.
    kind: Option<String>,
    filter: Option<String>,
    after: Option<String>,
    limit: Option<u32>,
    /// Entitlement and amount of a check.
    key: Option<String>,
    amount: Option<i64>,
}

/// Returns the question of a caller who can access the account.
fn question(called: &KnownCaller, given: &Arguments) -> Result<Question, Problem> {
    let account = access::account(&called.caller, given.account.as_deref())?;
    let at = match &given.at {
        Some(text) => moment("at", text)?,
        None => called.hosted.site.clock().now(),
    };
    Ok(Question { actor: called.caller.actor_in(&account), account, at })
}

fn moment(name: &str, text: &str) -> Result<Timestamp, Problem> {
    time::parse(text).ok_or_else(|| Problem::bad("query", format!("`{name}` is `{text}`, expected a time as RFC 3339")))
}

fn needed<'a>(name: &str, given: Option<&'a str>) -> Result<&'a str, Problem> {
    given.ok_or_else(|| Problem::bad("query", format!("expected `{name}` in the query")))
}

const ENTITLEMENT: Shape = Shape::new(
    "ServerEntitlement",
    &["key: string", "allowed: integer?", "used: integer?", "resets_at: time?", "ends_at: time?", "sources: string[]"],
);
const ENTITLEMENTS: Shape =
    Shape::new("ServerEntitlements", &["entitlements: ServerEntitlement[]", "next: string?"]).with(&[&ENTITLEMENT]);

/// Returns the routes.
pub(crate) fn routes() -> Vec<ServerRoute> {
    vec![
        ServerRoute::get("/api/queries/{name}", "ask", get)
            .about("Asks a query: `entitlements`, `usage`, `balances`, `list` or `catalog`.")
            .detail("`usage` needs `start` and `end`; `list` takes `kind`, `filter`, `after` and `limit`; `at` is another time.")
            .query(&[
                "account: string?",
                "kind: string?",
                "filter: string?",
                "after: string?",
                "limit: integer?",
                "start: time?",
                "end: time?",
                "at: time?",
            ])
            .answers(Answer::Json),
        ServerRoute::get("/api/entitlements", "listEntitlements", entitlements)
            .about("What an account may use.")
            .query(&["account: string?", "at: time?"])
            .gives(&ENTITLEMENTS),
        ServerRoute::get("/api/entitlements/check", "checkEntitlement", check)
            .about("May the account use this much more? If not, what would allow it.")
            .detail("`allowed`, `used`, `limit`, and the products that would give more.")
            .query(&["account: string?", "key: string", "amount: integer?"])
            .answers(Answer::Json),
    ]
}

/// Carries out `GET /api/queries/NAME`.
async fn get(
    called: KnownCaller,
    PathPart(name): PathPart<String>,
    QueryOf(given): QueryOf<Arguments>,
) -> Result<Json<Value>, Problem> {
    let (question, hosted) = (question(&called, &given)?, called.hosted);
    let answer = match name.as_str() {
        "balances" => {
            let rows = asked(&hosted.site, move |answerer| answerer.ask_balances(&question)).await?;
            show::page("balances", rows.iter().map(show::balance).collect(), None)
        }
        "catalog" => {
            let rows = asked(&hosted.site, move |answerer| answerer.ask_catalog(&question)).await?;
            show::page("offers", rows.iter().map(show::offer).collect(), None)
        }
        "entitlements" => entitlements_of(&hosted, question).await?,
        "usage" => {
            let start = moment("start", needed("start", given.start.as_deref())?)?;
            let end = moment("end", needed("end", given.end.as_deref())?)?;
            let rows = asked(&hosted.site, move |answerer| answerer.ask_usage(&question, start, end)).await?;
            show::page("usage", rows.iter().map(show::usage).collect(), None)
        }
        "list" => list(&hosted, question, given).await?,
        other => {
            let problem = Problem::not_found(format!("no query `{other}`"));
            return Err(problem.with("queries", json!(NAMES)));
        }
    };
    Ok(Json(answer))
}

async fn list(hosted: &HostedSite, question: Question, given: Arguments) -> Result<Value, Problem> {
    let kind = needed("kind", given.kind.as_deref())?.to_owned();
    let limit = limit(given.limit.unwrap_or(LIMIT_DEFAULT), PAGE_ROWS_MAX)?;
    let page = Page { after: given.after, limit };
    let filter = given.filter;
    let rows =
        asked(&hosted.site, move |answerer| answerer.ask_list(&question, &kind, filter.as_deref(), &page)).await?;
    let is_full = rows.len() == limit as usize;
    let next = rows.last().filter(|_| is_full).map(|row| json!(row.id));
    Ok(show::page("entries", rows.iter().map(show::listed).collect(), next))
}

async fn entitlements_of(hosted: &HostedSite, question: Question) -> Result<Value, Problem> {
    let rows = asked(&hosted.site, move |answerer| answerer.ask_entitlements(&question)).await?;
    Ok(show::page("entitlements", rows.iter().map(show::entitlement).collect(), None))
}

/// Carries out `GET /api/entitlements`: the entitlements of an account, now or at a time.
async fn entitlements(called: KnownCaller, QueryOf(given): QueryOf<Arguments>) -> Result<Json<Value>, Problem> {
    let question = question(&called, &given)?;
    entitlements_of(&called.hosted, question).await.map(Json)
}

/// Carries out `GET /api/entitlements/check`: may the account use `amount` more of `key`? If not, the answer lists the
/// products that would allow it.
async fn check(called: KnownCaller, QueryOf(given): QueryOf<Arguments>) -> Result<Json<Value>, Problem> {
    let (question, hosted) = (question(&called, &given)?, called.hosted);
    let key = needed("key", given.key.as_deref())?.to_owned();
    let amount = given.amount.unwrap_or(1);
    if amount < 0 {
        return Err(Problem::bad("query", format!("`amount` is {amount}, expected 0 or more")));
    }
    let wanted = key.clone();
    let (found, offers) = asked(&hosted.site, move |answerer| {
        let rows = answerer.ask_entitlements(&question)?;
        let found = rows.into_iter().find(|row| row.key == wanted);
        let offers = match &found {
            Some(found) if has_room(found, amount) => Vec::new(),
            _ => answerer.ask_catalog(&question)?,
        };
        Ok((found, offers))
    })
    .await?;
    let allowed = found.as_ref().is_some_and(|row| has_room(row, amount));
    let limit = found.as_ref().map_or(0, |row| row.allowed);
    let upgrades = upgrades(&offers, &key, limit);
    Ok(Json(json!({
        "key": key,
        "allowed": allowed,
        "used": found.as_ref().map_or(0, |row| row.used),
        "limit": limit,
        "resets_at": found.and_then(|row| row.resets_at).map(time::text),
        "upgrades": upgrades,
    })))
}

/// Returns the prices on sale that give more of an entitlement than the limit. A price by seat gives more with a larger quantity.
pub(crate) fn upgrades(offers: &[Offer], key: &str, limit: i64) -> Vec<Value> {
    let is_by_seat =
        |price: &Price| serde_json::from_str::<Value>(&price.terms).is_ok_and(|terms| terms["by_seat"] == true);
    let gives = |price: &&Price| {
        let mut grants = price.grants.iter().filter(|grant| grant.key == key);
        price.active && grants.any(|grant| is_more(grant.amount, limit) || grant.amount > 0 && is_by_seat(price))
    };
    let available = offers.iter().filter(|offer| offer.available);
    let found = available.flat_map(|offer| offer.prices.iter().filter(gives).map(move |price| (offer, price)));
    found
        .map(
            |(offer, price)| json!({"product": offer.product.id, "name": offer.product.values.name, "price": price.id}),
        )
        .collect()
}

fn has_room(row: &Entitlement, amount: i64) -> bool {
    row.allowed == UNLIMITED || row.used.checked_add(amount).is_some_and(|used| used <= row.allowed)
}

fn is_more(amount: i64, limit: i64) -> bool {
    limit != UNLIMITED && (amount == UNLIMITED || amount > limit)
}
