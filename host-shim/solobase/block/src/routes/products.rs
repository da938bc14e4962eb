//! Product routes: the catalog, and an account's products, purchases and subscriptions. Each is a query or a command.

use super::{Answered, Caller, Failed, caller, commands, not_found};
use crate::app::App;
use crate::http::{Request, Response};
use crate::platform::Platform;
use extension_contract::{Account, Actor, ActorKind, Page, Question};
use host_engine::processor::Questions;
use host_engine::show;
use serde_json::{Map, Value, json};

/// Returns the object in the body.
fn object(request: &Request) -> Result<Map<String, Value>, Failed> {
    if request.body.is_empty() {
        return Ok(Map::new());
    }
    super::body(request)
}

/// Answers a request to one of the routes.
pub(super) fn answer(platform: &Platform<'_>, request: &Request, parts: &[&str]) -> Answered {
    match (request.method(), parts) {
        ("GET", ["catalog"]) => offers(platform, request, None),
        ("GET", ["catalog", id]) => offers(platform, request, Some(id)),
        ("GET", [kind @ ("products" | "purchases")]) => list(platform, request, kind, None),
        ("GET", [kind @ ("products" | "purchases"), id]) => list(platform, request, kind, Some(id)),
        ("GET", ["subscription"]) => list(platform, request, "subscriptions", None),
        ("POST", ["products"]) => {
            let (caller, product) = (caller(platform, request)?, object(request)?);
            let kind = if product.contains_key("type") { "product.create" } else { "instance.create" };
            run(platform, request, &caller, kind, product)
        }
        ("PUT" | "PATCH", ["products", id]) => {
            let (caller, mut product) = (caller(platform, request)?, object(request)?);
            product.insert("id".to_owned(), json!(id));
            run(platform, request, &caller, "product.update", product)
        }
        ("DELETE", ["products", id]) => {
            let (caller, mut payload) = (caller(platform, request)?, object(request)?);
            payload.insert("id".to_owned(), json!(id));
            if let Some(name) = request.query("confirm") {
                payload.insert("confirm".to_owned(), json!(name));
            }
            run(platform, request, &caller, "instance.delete", payload)
        }
        ("POST", ["purchases"]) => {
            let caller = caller(platform, request)?;
            run(platform, request, &caller, "purchase.create", object(request)?)
        }
        (method, _) => Err(not_found(format!("no route {method} /{}", parts.join("/"))).into()),
    }
}

fn run(
    platform: &Platform<'_>,
    request: &Request,
    caller: &Caller,
    kind: &str,
    payload: Map<String, Value>,
) -> Answered {
    commands::run(platform, request, caller, caller.account(request)?, kind, Value::Object(payload).to_string())
}

/// Returns the products on sale, for everybody.
fn offers(platform: &Platform<'_>, request: &Request, id: Option<&str>) -> Answered {
    let nobody = Actor { kind: ActorKind::User, subject: String::new(), roles: Vec::new() };
    let (actor, account) = request.user().unwrap_or((nobody, Account::Platform));
    let mut app = App::open(platform)?;
    match id {
        None => {
            let question = Question { account, actor, at: platform.now };
            let offers = app.in_one_state(|processor| Ok(processor.ask_catalog(&question)?))?;
            Ok(Response::ok(show::page("offers", offers.iter().map(show::offer).collect(), None)))
        }
        Some(id) => {
            let question = Question { account: Account::Platform, actor: Actor::system(), at: platform.now };
            let (filter, page) = (format!("id:{id}"), Page { after: None, limit: 1 });
            let rows =
                app.in_one_state(|processor| Ok(processor.ask_list(&question, "offers", Some(&filter), &page)?))?;
            let found = rows.first().and_then(|row| show::listed_offer(&row.value));
            found.map(|offer| Response::ok(show::offer(&offer))).ok_or_else(|| not_found(format!("no `{id}`")).into())
        }
    }
}

/// Returns the entries of an account.
fn list(platform: &Platform<'_>, request: &Request, kind: &str, id: Option<&str>) -> Answered {
    let caller = caller(platform, request)?;
    let question = Question { account: caller.account(request)?, actor: caller.actor, at: platform.now };
    let mut app = App::open(platform)?;
    match id {
        None => {
            let page = super::queries::page(request)?;
            let rows = app.in_one_state(|processor| Ok(processor.ask_list(&question, kind, None, &page)?))?;
            let is_full = rows.len() == page.limit as usize;
            let next: Option<Value> = rows.last().filter(|_| is_full).map(|row| json!(row.id));
            Ok(Response::ok(show::page(kind, rows.iter().map(show::listed).collect(), next)))
        }
        Some(id) => {
            let rows = app.in_one_state(|processor| {
                let (found, _) = processor.ask_whole_list(&question, kind, None, usize::MAX)?;
                Ok(found)
            })?;
            let found = rows.iter().find(|row| row.id == id);
            found.map(|row| Response::ok(show::listed(row))).ok_or_else(|| not_found(format!("no `{id}`")).into())
        }
    }
}
