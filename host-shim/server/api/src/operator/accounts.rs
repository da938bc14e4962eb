//! Accounts, and everything that the store contains about one account, in pages.

use super::waiting::waiting;
use super::{account, limit};
use crate::ask::read;
use crate::description::Shape;
use crate::extract::{Operator, PathPart, QueryOf};
use crate::problem::Problem;
use crate::server_route::ServerRoute;
use crate::state::{AppState, HostedSite};
use axum::Json;
use axum::extract::State;
use extension_contract::{ADDRESS_CLAIMS, Account, CONNECTED_ACCOUNT_CLAIMS, address_hash};
use host_engine::show::page;
use host_engine::view::page_of;
use host_identity::Holder;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// Source of Stripe's events.
const STRIPE: &str = "stripe";

/// The query of a list of accounts.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ListAccountsQuery {
    /// The id of an object or event of Stripe; or a part of the account's id, or of its owner's name or address. Case is ignored.
    search: Option<String>,
    /// The account after which the page begins.
    after: Option<String>,
    limit: Option<usize>,
}

/// Returns the owner of an account as part of an answer; nothing on a server without users.
fn shown(hosted: &HostedSite, account: &Account) -> Result<Value, Problem> {
    let holder = match &hosted.users {
        Some(users) => users.identity().users().holder(hosted.site.partition().livemode, account)?,
        None => Holder::default(),
    };
    Ok(json!({"account": account.to_string(), "name": holder.name, "email": holder.email}))
}

/// The claims on Stripe's objects, by the prefix of the objects' ids.
const CLAIMS: [(&str, &str); 9] = [
    ("cus_", "stripe-customer:"),
    ("sub_", "stripe-subscription:"),
    ("in_", "stripe-invoice:"),
    ("pi_", "stripe-payment-intent:"),
    ("ch_", "stripe-charge:"),
    ("py_", "stripe-charge:"),
    ("cs_", "stripe-session:"),
    ("acct_", CONNECTED_ACCOUNT_CLAIMS),
    ("pur_", "purchase:"),
];

/// Returns the account found by the id of an object or event, or by a confirmed e-mail address. Reads no other account.
async fn of_text(hosted: &HostedSite, text: &str) -> Result<Option<Account>, Problem> {
    let partition = hosted.site.partition().clone();
    if text.starts_with("evt_") {
        let id = text.to_owned();
        let found = read(&hosted.site, move |store| store.event(&partition, STRIPE, &id)).await?;
        return Ok(found.and_then(|row| row.event.account));
    }
    let of_object = CLAIMS.iter().find(|(begin, _)| text.starts_with(begin)).map(|(_, claim)| format!("{claim}{text}"));
    let of_address = || text.contains('@').then(|| format!("{ADDRESS_CLAIMS}{}", address_hash(text)));
    let Some(claim) = of_object.or_else(of_address) else { return Ok(None) };
    let key = format!("{}//{claim}", partition.name());
    let found = read(&hosted.site, move |store| store.claims(&[key])).await?;
    Ok(found.into_iter().flatten().next().and_then(|claim| claim.holder))
}

const ACCOUNT: Shape = Shape::new("ServerAccount", &["account: string", "name: string?", "email: string?"]);
const ACCOUNTS: Shape = Shape::new("ServerAccounts", &["accounts: ServerAccount[]", "next: string?"]).with(&[&ACCOUNT]);
const ROWS: Shape =
    Shape::new("ServerAccountRows", &["...ServerAccount", "revision: integer", "rows: json", "next: json"])
        .with(&[&ACCOUNT]);

/// Returns the routes.
pub(super) fn routes() -> Vec<ServerRoute> {
    vec![
        ServerRoute::get("/api/operator/accounts", "listAccounts", list)
            .about("Accounts, each with name and address.")
            .detail(
                "`search` is a part of one of them or of the id, the number of an invoice, or the id of an object or an event of Stripe (`cus_`, `sub_`, `in_`, \
                 `pi_`, `ch_`, `cs_`, `acct_`, `evt_`).",
            )
            .query(&["search: string?", "after: string?", "limit: integer?"])
            .gives(&ACCOUNTS),
        ServerRoute::get("/api/operator/accounts/{account}", "getAccount", get)
            .about("An account with its rows, at most `limit` of each section.")
            .detail("`next` has the sections with more, which `section` and `after` read.")
            .query(&["section: string?", "after: string?", "limit: integer?"])
            .gives(&ROWS),
    ]
}

/// Carries out `GET /api/operator/accounts`.
async fn list(
    State(app): State<AppState>,
    Operator { hosted, .. }: Operator,
    QueryOf(ListAccountsQuery { search, after, limit: given }): QueryOf<ListAccountsQuery>,
) -> Result<Json<Value>, Problem> {
    let (partition, limit) = (hosted.site.partition().clone(), limit(given)?);
    let after = after.as_deref().map(account).transpose()?;
    if let (Some(text), None) = (search.as_deref().map(str::trim).filter(|text| !text.is_empty()), &after) {
        let mut found = of_text(&hosted, text).await?;
        if found.is_none() && text.contains('-') {
            found = waiting(&app, &hosted).await?.with_number(text);
        }
        if let Some(found) = found {
            return Ok(Json(page("accounts", vec![shown(&hosted, &found)?], None)));
        }
    }
    let named: BTreeSet<Account> = match (&hosted.users, &search) {
        (Some(users), Some(part)) => {
            let users = users.identity().users();
            users.search(partition.livemode, part, after.as_ref(), limit)?.into_iter().collect()
        }
        _ => BTreeSet::new(),
    };
    let (search, after) = (search.map(|part| part.to_lowercase()), after.map(|after| after.to_string()));
    let found = read(&hosted.site, move |store| {
        let scopes = store.scopes(Some(&partition))?.into_iter();
        let all = scopes.map(|scope| (scope.account.to_string(), scope.account));
        let is_wanted = |(id, account): &(String, Account)| {
            after.as_ref().is_none_or(|after| id > after)
                && search.as_ref().is_none_or(|part| id.to_lowercase().contains(part) || named.contains(account))
        };
        Ok(all.filter(is_wanted).take(limit).map(|(_, account)| account).collect::<Vec<_>>())
    })
    .await?;
    let next = found.last().filter(|_| found.len() == limit).map(|last| json!(last.to_string()));
    let accounts = found.iter().map(|account| shown(&hosted, account)).collect::<Result<_, _>>()?;
    Ok(Json(page("accounts", accounts, next)))
}

/// The query of the rows of an account.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AccountRowsQuery {
    /// Only rows of this section, for example `purchases` or `records/ledger`.
    section: Option<String>,
    /// The id after which the page of the section begins.
    after: Option<String>,
    /// Maximum number of rows of each section.
    limit: Option<usize>,
}

/// Carries out `GET /api/operator/accounts/ACCOUNT`: its owner, and a page of its rows, by section and id. `next` lists the sections with
/// more rows.
async fn get(
    Operator { hosted, .. }: Operator,
    PathPart(name): PathPart<String>,
    QueryOf(AccountRowsQuery { section, after, limit: given }): QueryOf<AccountRowsQuery>,
) -> Result<Json<Value>, Problem> {
    let (partition, limit) = (hosted.site.partition().clone(), limit(given)?);
    if after.is_some() && section.is_none() {
        return Err(Problem::bad("query", "expected `section` with `after`"));
    }
    let of = account(&name)?;
    let mut answer = shown(&hosted, &of)?;
    let scope = partition.scope(of);
    let found = read(&hosted.site, move |store| match store.account(&scope)?.revision {
        0 => Ok(None),
        revision => Ok(Some((revision, page_of(store, &scope, section.as_deref(), after.as_deref(), limit)?))),
    })
    .await?;
    let Some((revision, found)) = found else { return Err(Problem::not_found(format!("no account `{name}`"))) };
    let sections = found.rows.sections.into_iter();
    let sections: Map<String, Value> =
        sections.map(|(section, rows)| (section, Value::Object(rows.into_iter().collect()))).collect();
    (answer["revision"], answer["rows"]) = (json!(revision), Value::Object(sections));
    answer["next"] = json!(found.next);
    Ok(Json(answer))
}
