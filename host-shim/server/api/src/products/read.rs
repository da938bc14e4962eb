//! The routes that read: each runs queries of the extension, on a thread that never decides.

use super::page::{Paged, Window};
use super::{ProductsRequest, Style, show};
use crate::ask::{asked, read as read_store};
use crate::command::Answered;
use crate::lists::{List, one_entry};
use crate::problem::Problem;
use crate::site::ProductType;
use extension_contract::{Account, Actor, Offer, Page, Question};
use host_engine::processor::Questions;
use host_engine::read::holder;
use host_engine::show::listed_offer;
use serde_json::{Value, json};
use std::ops::ControlFlow;

/// The status of an instance that is deleted.
pub(crate) const DELETED: &str = "terminated";

impl ProductsRequest {
    /// Returns a question about an account on behalf of the caller, or of the system if there is no caller.
    fn question(&self, account: Account) -> Question {
        let actor = self.caller.as_ref().map_or_else(Actor::system, |caller| caller.actor_in(&account));
        Question { account, actor, at: self.hosted.site.clock().now() }
    }

    /// Returns the offers on sale.
    pub(super) async fn offers(&self) -> Result<Vec<Offer>, Problem> {
        // Everybody may read the catalog, so the question needs none of the caller's accounts.
        let at = self.hosted.site.clock().now();
        let question = Question { account: Account::Platform, actor: Actor::system(), at };
        asked(&self.hosted.site, move |answerer| answerer.ask_catalog(&question)).await
    }

    /// Returns a page of the list `offers`, with the last id that was read.
    async fn listed_offers(&self, filter: String, page: Page) -> Result<(Vec<Offer>, Option<String>), Problem> {
        let at = self.hosted.site.clock().now();
        let question = Question { account: Account::Platform, actor: Actor::system(), at };
        let limit = page.limit as usize;
        let rows =
            asked(&self.hosted.site, move |answerer| answerer.ask_list(&question, "offers", Some(&filter), &page));
        let rows = rows.await?;
        let next = rows.last().filter(|_| rows.len() == limit).map(|row| row.id.clone());
        Ok((rows.iter().filter_map(|row| listed_offer(&row.value)).collect(), next))
    }

    /// Returns a product on sale.
    async fn offer_of(&self, id: &str) -> Result<Option<Offer>, Problem> {
        let (mut offers, _) = self.listed_offers(format!("id:{id}"), Page { after: None, limit: 1 }).await?;
        Ok(offers.pop())
    }

    /// Filters a list of an account with `is_wanted` and returns the page that the query requests. Only this page is kept
    /// in memory while the list is read and counted.
    async fn listed(
        &self,
        account: Account,
        kind: &'static str,
        is_wanted: impl Fn(&Value) -> bool + Send + 'static,
    ) -> Result<Paged, Problem> {
        let window = self.filter.window()?;
        let Window { offset, size, .. } = window;
        let list = List::new(self.question(account), kind);
        let take = move |(entries, total): &mut (Vec<Value>, usize), (_, entry): (String, Value)| {
            if is_wanted(&entry) {
                if *total >= offset && entries.len() < size {
                    entries.push(entry);
                }
                *total += 1;
            }
            Ok(ControlFlow::Continue(()))
        };
        let (entries, total) = list.each(&self.hosted, (Vec::new(), 0), take).await?;
        Ok(window.of(entries, total))
    }

    /// Returns an entry of a list of an account.
    pub(super) async fn entry(&self, account: Account, kind: &'static str, id: &str) -> Result<Value, Problem> {
        let (question, wanted) = (self.question(account), id.to_owned());
        let found = asked(&self.hosted.site, move |answerer| one_entry(answerer, &question, kind, &wanted)).await?;
        found.ok_or_else(|| not_found(id))
    }

    /// Returns the account of a purchase: the caller's own, or the one that has the purchase if the caller can access all
    /// accounts and names none.
    pub(super) async fn buyer(&self) -> Result<Account, Problem> {
        let caller = self.caller()?;
        if self.filter.names_account() || caller.own_account().is_some() {
            return self.account();
        }
        let (partition, claim) = (self.hosted.site.partition().clone(), format!("purchase:{}", self.id));
        let found = read_store(&self.hosted.site, move |store| holder(store, &partition, &claim)).await?;
        found.filter(|account| caller.reaches(account)).ok_or_else(|| not_found(&self.id))
    }

    /// Returns the name of the product type that the query names, and whether its products are sold.
    fn wanted_type(&self) -> Result<Option<(&str, bool)>, Problem> {
        let Some(name) = self.filter.product_type.as_deref() else { return Ok(None) };
        let types = self.hosted.site.product_types();
        let found = types.iter().find(|it| it.is_named(name));
        found.map(|it| Some((it.name.as_str(), it.is_sold))).ok_or_else(|| {
            let names: Vec<&str> = types.iter().map(|it| it.name.as_str()).collect();
            Problem::bad("query", format!("`type` is `{name}`, expected {}", names.join(", ")))
        })
    }

    /// Returns a filter for the products that the query requests, by type and status. Without a status, deleted instances
    /// are left out unless the query asks for them: they are kept forever, since purchases and resources refer to them.
    fn wanted(&self, of_type: Option<&str>) -> impl Fn(&Value) -> bool + Send + 'static {
        let (status, health) = (self.filter.status.clone(), self.filter.health_status.clone());
        let of_type = of_type.map(str::to_owned);
        let with_deleted = self.filter.deleted || status.is_some();
        let is = |wanted: &Option<String>, value: &Value| wanted.as_ref().is_none_or(|wanted| value == wanted.as_str());
        move |product| {
            is(&of_type, &product["type"])
                && is(&status, &product["status"])
                && is(&health, &product["metadata"]["health_status"])
                && (with_deleted || product["status"] != DELETED)
        }
    }

    /// Filters the offers and returns the page that the query requests.
    fn offered(&self, offers: &[Offer], of_type: Option<&str>) -> Result<Paged, Problem> {
        self.filter.page_of(offers.iter().map(show::offer).filter(self.wanted(of_type)).collect())
    }

    /// Returns a list of products in the style of the route.
    fn products(&self, paged: Paged) -> Answered {
        Answered::ok(match self.style {
            Style::Records => paged.records(),
            Style::Plain | Style::Extension => paged.named("products"),
        })
    }

    /// Returns one object in the style of the route.
    pub(super) fn object(&self, object: Value) -> Value {
        match self.style {
            Style::Records => show::record(object),
            Style::Plain | Style::Extension => object,
        }
    }
}

/// The answer for an id, which is the same for an unknown id and for an id of another account.
pub(super) fn not_found(id: &str) -> Problem {
    Problem::not_found(format!("no `{id}`"))
}

/// `GET /api/products`: the products of an account if the query names one, or a type whose products belong to accounts;
/// otherwise the products on sale.
pub(super) async fn list(asking: &ProductsRequest) -> Result<Answered, Problem> {
    if asking.filter.after.is_some() {
        return catalog(asking).await;
    }
    let wanted = asking.wanted_type()?;
    let is_sold = wanted.map_or(!asking.filter.names_account(), |(_, is_sold)| is_sold);
    let name = wanted.map(|(name, _)| name);
    Ok(asking.products(match is_sold {
        true => asking.offered(&asking.offers().await?, name)?,
        false => asking.listed(asking.account()?, "products", asking.wanted(name)).await?,
    }))
}

/// The products of an account. For operators, the products of the platform, including withdrawn ones.
pub(super) async fn own(asking: &ProductsRequest) -> Result<Answered, Problem> {
    let is_wanted = asking.wanted(asking.wanted_type()?.map(|(name, _)| name));
    let types = asking.hosted.clone();
    let is_product = move |found: &Value| is_product(types.site.product_types(), found) && is_wanted(found);
    let listed = asking.listed(asking.account_or_platform()?, "products", is_product).await?;
    Ok(asking.products(listed))
}

/// Returns whether a row is a product: its type is one of the catalog's. The platform's rows also include the settings of
/// the catalog, which are not products.
fn is_product(types: &[ProductType], found: &Value) -> bool {
    found["type"].as_str().is_some_and(|name| types.iter().any(|it| it.is_named(name)))
}

/// One product, either on sale or of the account.
pub(super) async fn one(asking: &ProductsRequest) -> Result<Answered, Problem> {
    let product = match asking.offer_of(&asking.id).await? {
        Some(offer) => show::offer(&offer),
        None => asking.entry(asking.account_or_platform()?, "products", &asking.id).await?,
    };
    if !is_product(asking.hosted.site.product_types(), &product) {
        return Err(not_found(&asking.id));
    }
    Ok(Answered::ok(asking.object(product)))
}

/// The offers. With `after`, returns a page of all products of a type, sorted by id. If accounts list the products of this
/// type, other views of the catalog contain only the first ones.
pub(super) async fn catalog(asking: &ProductsRequest) -> Result<Answered, Problem> {
    let wanted = asking.wanted_type()?.map(|(name, _)| name);
    if let Some(after) = &asking.filter.after {
        let Some(name) = wanted else {
            return Err(Problem::bad("query", "`after` needs `type`: expected the type whose products are listed"));
        };
        let limit = u32::try_from(asking.filter.window()?.size).unwrap_or(u32::MAX);
        let page = Page { after: Some(after.clone()).filter(|after| !after.is_empty()), limit };
        let (offers, next) = asking.listed_offers(name.to_owned(), page).await?;
        let products = offers.iter().map(show::offer);
        return Ok(Answered::ok(match asking.style {
            Style::Records => json!({"records": products.map(show::record).collect::<Vec<_>>(), "next": next}),
            Style::Plain | Style::Extension => json!({"products": products.collect::<Vec<_>>(), "next": next}),
        }));
    }
    Ok(asking.products(asking.offered(&asking.offers().await?, wanted)?))
}

/// `GET /b/products/catalog/ID`.
pub(super) async fn offer(asking: &ProductsRequest) -> Result<Answered, Problem> {
    let found = asking.offer_of(&asking.id).await?.ok_or_else(|| not_found(&asking.id))?;
    Ok(Answered::ok(asking.object(show::offer(&found))))
}

/// `GET /api/products/ID/health`.
pub(super) async fn health(asking: &ProductsRequest) -> Result<Answered, Problem> {
    let product = asking.entry(asking.account()?, "products", &asking.id).await?;
    Ok(Answered::ok(show::health(&product)))
}

/// The product types.
pub(super) fn types(asking: &ProductsRequest) -> Result<Answered, Problem> {
    let types = asking.hosted.site.product_types().iter();
    let shown = types.map(|it| json!({"id": it.name, "name": it.name, "aliases": it.aliases, "is_sold": it.is_sold}));
    let paged = asking.filter.page_of(shown.collect())?;
    Ok(Answered::ok(match asking.style {
        Style::Records => paged.records(),
        Style::Plain | Style::Extension => paged.named("product_types"),
    }))
}

/// The purchases of an account.
pub(super) async fn purchases(asking: &ProductsRequest) -> Result<Answered, Problem> {
    let account = asking.account()?;
    let name = account.to_string();
    let status = asking.filter.status.clone();
    let is_wanted = move |it: &Value| status.as_ref().is_none_or(|wanted| it["status"] == *wanted);
    let mut paged = asking.listed(account, "purchases", is_wanted).await?;
    paged.entries.iter_mut().for_each(|it| *it = show::purchase(it, &name));
    Ok(Answered::ok(match asking.style {
        Style::Records => paged.records(),
        Style::Plain | Style::Extension => paged.by_offset("purchases"),
    }))
}

/// One purchase with its lines.
pub(super) async fn purchase(asking: &ProductsRequest) -> Result<Answered, Problem> {
    let account = asking.buyer().await?;
    let name = account.to_string();
    let listed = asking.entry(account, "purchases", &asking.id).await?;
    Ok(Answered::ok(json!({"purchase": show::purchase(&listed, &name), "line_items": show::lines(&listed)})))
}

/// `GET /b/products/subscription`.
pub(super) async fn subscription(asking: &ProductsRequest) -> Result<Answered, Problem> {
    let list = List::new(asking.question(asking.account()?), "subscriptions");
    let all = list.whole(&asking.hosted, |_| Ok(true)).await?;
    let offers = asking.offers().await?;
    Ok(Answered::ok(json!({"subscription": show::subscription(&all, &offers)})))
}
