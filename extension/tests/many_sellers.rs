//! A view of the catalog costs the same for any number of sellers, and the list `offers` has every product, a page at a time.

use extension_contract::*;
use instance_provisioner::Provisioner;
use serde_json::{Value, json};

/// Number of products that accounts list: 10 000 sellers with 50 each.
const LISTED: usize = 500_000;

/// A host whose catalog has a plan of the operators and the products of all sellers, every tenth of which is on sale.
#[derive(Default)]
struct Host {
    /// Number of products that were read.
    read: usize,
}

fn product(id: String, product_type: &str, active: bool, metadata: &Value) -> Product {
    let values = ProductValues {
        product_type: product_type.to_owned(),
        name: id.clone(),
        description: String::new(),
        active,
        price: None,
        interval: None,
        filters: Vec::new(),
        metadata: metadata.to_string(),
    };
    Product { id, owner: Account::Platform, values, version: 1, deleted: false }
}

fn agent(number: usize) -> Product {
    let metadata = json!({"slug": number.to_string(), "creator": "user:zoe"});
    product(format!("prod_{number:06}"), "agent", number.is_multiple_of(10), &metadata)
}

fn types() -> Vec<Product> {
    let fields = json!([{"name": "slug", "type": "string"}, {"name": "creator", "type": "string"}]);
    let agent = json!({"name": "agent", "catalog": true, "infer_by": "slug", "fields": fields, "listing": "approved",
        "split": {"to": "{product.creator}", "share_bp": 9_000}});
    let plan = json!({"name": "plan", "catalog": true, "infer_by": "slug", "fields": fields, "family": "plan"});
    [("agent", agent), ("plan", plan)]
        .map(|(name, decl)| product(format!("type:{name}"), "product_type", true, &decl))
        .to_vec()
}

impl Imports for Host {
    fn open(&mut self, _: &Placement, facts: &[String]) -> Imported<Opened> {
        let here =
            Here { account: Account::Platform, rows: Vec::new(), catalog: Vec::new(), facts: vec![false; facts.len()] };
        Ok(Opened::Here(Box::new(here)))
    }

    fn load(&mut self, keys: &[RowKey]) -> Imported<Vec<Option<StoredRow>>> {
        Ok(vec![None; keys.len()])
    }

    fn more(&mut self, _: &Selection, _: u32) -> Imported<Vec<StoredRow>> {
        Ok(Vec::new())
    }

    fn known(&mut self, facts: &[String]) -> Imported<Vec<bool>> {
        Ok(vec![false; facts.len()])
    }

    fn begun(&mut self, effects: &[String]) -> Imported<Vec<bool>> {
        Ok(vec![false; effects.len()])
    }

    fn claims_take(&mut self, keys: &[String]) -> Imported<Vec<ClaimState>> {
        Ok(vec![ClaimState::Free; keys.len()])
    }

    fn claims_mine(&mut self, _: &str) -> Imported<Vec<String>> {
        Ok(Vec::new())
    }

    fn catalog_read(&mut self, keys: &[CatalogKey]) -> Imported<Vec<Option<CatalogRow>>> {
        let row = |key: &CatalogKey| match key {
            CatalogKey::Product(id) => {
                let number = id.strip_prefix("prod_").and_then(|number| number.parse().ok());
                number.filter(|number| *number < LISTED).map(|number| CatalogRow::Product(agent(number)))
            }
            CatalogKey::Price(_) | CatalogKey::Setting(_) => None,
        };
        Ok(keys.iter().map(row).collect())
    }

    fn catalog_find(&mut self, query: &CatalogQuery, page: &Page) -> Imported<Vec<Product>> {
        let CatalogQuery::ProductType(name) = query else { panic!("{query:?} reads the products of all sellers") };
        let after = page.after.as_deref();
        let found: Vec<Product> = match name.as_str() {
            "product_type" => types().into_iter().filter(|row| after.is_none_or(|after| &*row.id > after)).collect(),
            "plan" => vec![product("prod_plan".to_owned(), "plan", true, &json!({"slug": "plan"}))],
            _ => {
                let number = |id: &str| id.strip_prefix("prod_").and_then(|number| number.parse::<usize>().ok());
                let first = after.and_then(number).map_or(0, |number| number + 1);
                (first..LISTED).take(page.limit as usize).map(agent).collect()
            }
        };
        self.read += found.len();
        Ok(found)
    }

    fn log_write(&mut self, _: LogLevel, _: &str, _: &[(String, String)]) {}
}

fn question() -> Question {
    Question { account: Account::Platform, actor: Actor::system(), at: 0 }
}

#[test]
fn a_view_of_the_catalog_reads_the_first_products_of_the_sellers_and_all_of_the_operators() {
    let mut host = Host::default();
    let offers = Provisioner.catalog(&mut host, &question()).expect("the catalog");
    let ids: Vec<&str> = offers.iter().map(|offer| offer.product.id.as_str()).collect();
    assert_eq!((ids.len(), ids.first(), ids.last()), (21, Some(&"prod_000000"), Some(&"prod_plan")));
    assert!(host.read < 210, "{} products were read", host.read);
}

#[test]
fn the_list_of_offers_goes_on_behind_any_product() {
    let mut host = Host::default();
    let mut list = |filter: &str, after: Option<&str>, limit: u32| {
        host.read = 0;
        let page = Page { after: after.map(str::to_owned), limit };
        let rows = Provisioner.list(&mut host, &question(), "offers", Some(filter), &page).expect("a page");
        (rows.into_iter().map(|row| (row.id, row.value != "{}")).collect::<Vec<_>>(), host.read)
    };
    let (rows, read) = list("agent", Some("prod_400000"), 20);
    let shown: Vec<&str> = rows.iter().filter(|(_, shown)| *shown).map(|(id, _)| id.as_str()).collect();
    assert_eq!((shown, rows.len()), (vec!["prod_400010", "prod_400020"], 20));
    assert!(read <= 22, "{read} products were read");
    assert_eq!(list("agent", Some("prod_499990"), 20).0.len(), 9, "the last page");
    assert_eq!(list("id:prod_123450", None, 1).0, [("prod_123450".to_owned(), true)]);
    assert_eq!(list("id:prod_123451", None, 1).0, [("prod_123451".to_owned(), false)], "it is not on sale");
    assert_eq!(list("id:prod_none", None, 1).0, []);
}
