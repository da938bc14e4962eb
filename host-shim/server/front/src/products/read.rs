//! The routes that read: each one asks the extension's queries, on a thread that never decides.

use super::page::Paged;
use super::{Asking, Style, show};
use crate::command::Answered;
use crate::problem::Problem;
use crate::query::{asked, read as read_store};
use extension_contract::{Account, Actor, Offer, PAGE_ROWS_MAX, Page, Question};
use host::processor::{Answerer, AskError, Questions};
use host::read::holder;
use host::view::parsed;
use serde_json::{Value, json};

/// Maximum rows of an account that one request searches. `GET /api/queries/list` has a cursor for more.
const SEARCHED_MAX: usize = 10_000;
/// Beginning of the ids of product types in the catalog's own list of products.
const TYPE_ROW: &str = "type:";

impl Asking {
    /// Returns the question of the caller about an account; without a caller, a question about the catalog.
    fn question(&self, account: Account) -> Question {
        let actor = self.caller.as_ref().map_or_else(Actor::system, |caller| caller.actor_in(&account));
        Question { account, actor, at: self.hosted.site.clock().now() }
    }

    /// Returns the offers on sale.
    pub(super) async fn offers(&self) -> Result<Vec<Offer>, Problem> {
        // Everybody may read the catalog, so the question needs no account of the caller.
        let at = self.hosted.site.clock().now();
        let question = Question { account: Account::Platform, actor: Actor::system(), at };
        asked(&self.hosted, move |answerer| answerer.ask_catalog(&question)).await
    }

    /// Returns the entries of a list of an account, each with its id.
    pub(super) async fn listed(&self, account: Account, kind: &'static str) -> Result<Vec<Value>, Problem> {
        let question = self.question(account);
        let found = asked(&self.hosted, move |answerer| whole_list(answerer, &question, kind, None)).await?;
        found.ok_or_else(|| too_many(kind))
    }

    /// Returns an entry of a list of an account.
    pub(super) async fn entry(&self, account: Account, kind: &'static str, id: &str) -> Result<Value, Problem> {
        let (question, wanted) = (self.question(account), id.to_owned());
        let found = asked(&self.hosted, move |answerer| one_entry(answerer, &question, kind, &wanted)).await?;
        found.ok_or_else(|| not_found(id))
    }

    /// Returns the account of a purchase: the caller's own; for a caller that reaches all accounts and names none, the one
    /// that has the purchase.
    pub(super) async fn buyer(&self) -> Result<Account, Problem> {
        let caller = self.caller()?;
        if self.filter.names_account() || caller.own_account().is_some() {
            return self.account();
        }
        let (partition, claim) = (self.hosted.site.partition().clone(), format!("purchase:{}", self.id));
        let found = read_store(&self.hosted, move |store| holder(store, &partition, &claim)).await?;
        found.filter(|account| caller.reaches(account)).ok_or_else(|| not_found(&self.id))
    }

    /// Returns the name of the product type that the query names.
    fn wanted_type(&self) -> Result<Option<(&str, bool)>, Problem> {
        let Some(name) = self.filter.product_type.as_deref() else { return Ok(None) };
        let types = self.hosted.site.product_types();
        let found = types.iter().find(|it| it.is_named(name));
        found.map(|it| Some((it.name.as_str(), it.is_sold))).ok_or_else(|| {
            let names: Vec<&str> = types.iter().map(|it| it.name.as_str()).collect();
            Problem::bad("query", format!("`type` is `{name}`, expected {}", names.join(", ")))
        })
    }

    fn is_wanted(&self, product: &Value) -> bool {
        let is = |wanted: &Option<String>, value: &Value| wanted.as_ref().is_none_or(|wanted| value == wanted.as_str());
        is(&self.filter.status, &product["status"])
            && is(&self.filter.health_status, &product["metadata"]["health_status"])
    }

    /// Returns true for a product of a type of the catalog; the catalog's own rows also have its settings.
    fn is_product(&self, found: &Value) -> bool {
        let types = self.hosted.site.product_types();
        found["type"].as_str().is_some_and(|name| types.iter().any(|it| it.is_named(name)))
    }

    /// Returns a list of products in the style of the route.
    fn products(&self, products: Vec<Value>) -> Result<Answered, Problem> {
        let wanted = products.into_iter().filter(|product| self.is_wanted(product)).collect();
        let paged = self.filter.page_of(wanted)?;
        Ok(Answered::ok(match self.style {
            Style::Records => paged.records(),
            Style::Plain | Style::Extension => paged.named("products"),
        }))
    }

    /// Returns one object in the style of the route.
    pub(super) fn object(&self, object: Value) -> Value {
        match self.style {
            Style::Records => show::record(object),
            Style::Plain | Style::Extension => object,
        }
    }
}

/// Another's id and an unknown id are answered alike.
pub(super) fn not_found(id: &str) -> Problem {
    Problem::not_found(format!("no `{id}`"))
}

/// The answer for a list that is too long.
pub(crate) fn too_many(kind: &str) -> Problem {
    let detail = format!("the account has more than {SEARCHED_MAX} {kind}: read them at /api/queries/list");
    Problem::new(axum::http::StatusCode::UNPROCESSABLE_ENTITY, "too-many", detail)
}

/// Returns all entries of a list; none if there are too many.
pub(crate) fn whole_list(
    answerer: &mut Answerer,
    question: &Question,
    kind: &str,
    filter: Option<&str>,
) -> Result<Option<Vec<Value>>, AskError> {
    let (rows, is_whole) = answerer.ask_whole_list(question, kind, filter, SEARCHED_MAX)?;
    let own = rows.iter().filter(|row| !row.id.starts_with(TYPE_ROW));
    Ok(is_whole.then(|| own.map(|row| parsed(&row.value)).collect()))
}

/// Finds an entry by its id. Lists are in byte order of the ids, so the search begins just before the id.
fn one_entry(answerer: &mut Answerer, question: &Question, kind: &str, id: &str) -> Result<Option<Value>, AskError> {
    let last = id.char_indices().next_back().map_or(0, |(at, _)| at);
    let mut after = Some(id[..last].to_owned()).filter(|before| !before.is_empty());
    if id.is_empty() || id.starts_with(TYPE_ROW) {
        return Ok(None);
    }
    loop {
        let rows = answerer.ask_list(question, kind, None, &Page { after: after.take(), limit: PAGE_ROWS_MAX })?;
        if let Some(found) = rows.iter().find(|row| row.id == id) {
            return Ok(Some(parsed(&found.value)));
        }
        match rows.last() {
            Some(row) if rows.len() == PAGE_ROWS_MAX as usize && *row.id < *id => after = Some(row.id.clone()),
            _ => return Ok(None),
        }
    }
}

/// `GET /api/products`: the products of an account if the query names one, or a type whose products belong to accounts;
/// otherwise the products on sale.
pub(super) async fn list(asking: &Asking) -> Result<Answered, Problem> {
    let wanted = asking.wanted_type()?;
    let is_sold = wanted.map_or(!asking.filter.names_account(), |(_, is_sold)| is_sold);
    let products = match is_sold {
        true => asking.offers().await?.iter().map(show::offer).collect(),
        false => asking.listed(asking.account()?, "products").await?,
    };
    asking.products(of_type(products, wanted.map(|(name, _)| name)))
}

fn of_type(products: Vec<Value>, wanted: Option<&str>) -> Vec<Value> {
    products.into_iter().filter(|product| wanted.is_none_or(|name| product["type"] == name)).collect()
}

/// The products of an account; for operators, those of the platform, also withdrawn ones.
pub(super) async fn own(asking: &Asking) -> Result<Answered, Problem> {
    let wanted = asking.wanted_type()?.map(|(name, _)| name);
    let mut products = asking.listed(asking.account_or_platform()?, "products").await?;
    products.retain(|product| asking.is_product(product));
    asking.products(of_type(products, wanted))
}

/// One product: of the products on sale, or of the account.
pub(super) async fn one(asking: &Asking) -> Result<Answered, Problem> {
    let offers = asking.offers().await?;
    let product = match offers.iter().find(|offer| offer.product.id == asking.id) {
        Some(offer) => show::offer(offer),
        None => asking.entry(asking.account_or_platform()?, "products", &asking.id).await?,
    };
    if !asking.is_product(&product) {
        return Err(not_found(&asking.id));
    }
    Ok(Answered::ok(asking.object(product)))
}

/// `GET /b/products/catalog`.
pub(super) async fn catalog(asking: &Asking) -> Result<Answered, Problem> {
    let wanted = asking.wanted_type()?.map(|(name, _)| name);
    let offers = asking.offers().await?;
    asking.products(of_type(offers.iter().map(show::offer).collect(), wanted))
}

/// `GET /b/products/catalog/ID`.
pub(super) async fn offer(asking: &Asking) -> Result<Answered, Problem> {
    let offers = asking.offers().await?;
    let found = offers.iter().find(|offer| offer.product.id == asking.id).ok_or_else(|| not_found(&asking.id))?;
    Ok(Answered::ok(asking.object(show::offer(found))))
}

/// `GET /api/products/ID/health`.
pub(super) async fn health(asking: &Asking) -> Result<Answered, Problem> {
    let product = asking.entry(asking.account()?, "products", &asking.id).await?;
    Ok(Answered::ok(show::health(&product)))
}

/// The product types.
pub(super) fn types(asking: &Asking) -> Result<Answered, Problem> {
    let types = asking.hosted.site.product_types().iter();
    let shown = types.map(|it| json!({"id": it.name, "name": it.name, "aliases": it.aliases, "is_sold": it.is_sold}));
    let paged = asking.filter.page_of(shown.collect())?;
    Ok(Answered::ok(match asking.style {
        Style::Records => paged.records(),
        Style::Plain | Style::Extension => paged.named("product_types"),
    }))
}

/// The purchases of an account.
pub(super) async fn purchases(asking: &Asking) -> Result<Answered, Problem> {
    let account = asking.account()?;
    let name = account.to_string();
    let listed = asking.listed(account, "purchases").await?;
    let wanted = listed.iter().filter(|it| asking.filter.status.as_ref().is_none_or(|wanted| it["status"] == *wanted));
    let paged: Paged = asking.filter.page_of(wanted.map(|it| show::purchase(it, &name)).collect())?;
    Ok(Answered::ok(match asking.style {
        Style::Records => paged.records(),
        Style::Plain | Style::Extension => paged.by_offset("purchases"),
    }))
}

/// One purchase with its lines.
pub(super) async fn purchase(asking: &Asking) -> Result<Answered, Problem> {
    let account = asking.buyer().await?;
    let name = account.to_string();
    let listed = asking.entry(account, "purchases", &asking.id).await?;
    Ok(Answered::ok(json!({"purchase": show::purchase(&listed, &name), "line_items": show::lines(&listed)})))
}

/// `GET /b/products/subscription`.
pub(super) async fn subscription(asking: &Asking) -> Result<Answered, Problem> {
    let all = asking.listed(asking.account()?, "subscriptions").await?;
    let offers = asking.offers().await?;
    Ok(Answered::ok(json!({"subscription": show::subscription(&all, &offers)})))
}
