//! The products and prices of 2Bot at a Stripe server: made by the host through the provider of Stripe, and compared with the
//! catalog.

use end_to_end::hosts::carry_out;
use end_to_end::world::{START_MS, root, twobot};
use host_business::Setup;
use host_business::folder::BusinessFolder;
use host_engine::Host;
use host_engine::clock::Clock;
use host_provider_api::scripted::Scripted;
use host_provider_api::{Registry, Secret};
use host_providers::stripe::{Config, Stripe};
use host_store::SqliteStore;
use local_stripe::sandbox::{json_of, own_request};
use local_stripe::server::{Options, Server};
use local_stripe::settings::Settings;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use tokio::runtime::{Builder, Runtime};

/// A local Stripe.
struct AtStripe {
    server: Server,
    _runtime: Runtime,
}

impl AtStripe {
    fn start() -> AtStripe {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("threads");
        let settings = Settings { start_s: START_MS / 1_000, ..Settings::default() };
        let server =
            runtime.block_on(Server::start(Options { settings, ..Options::default() })).expect("a local Stripe");
        AtStripe { server, _runtime: runtime }
    }

    /// Returns all objects of a list.
    fn list(&self, kind: &str) -> Vec<Value> {
        let response = self.server.handle(&own_request("GET", &format!("/v1/{kind}"), &[("limit", "100")]));
        assert_eq!(response.status, 200, "{}", response.body);
        let page = json_of(&response);
        assert_eq!(page["has_more"], false);
        page["data"].as_array().expect("a list").clone()
    }

    /// Creates an object and returns it.
    fn make(&self, path: &str, form: &[(&str, &str)]) -> Value {
        let response = self.server.handle(&own_request("POST", path, form));
        assert_eq!(response.status, 200, "{path}: {}", response.body);
        json_of(&response)
    }

    /// Starts a host of a business and lets it make what is missing at Stripe.
    fn start_host(&self, business: &BusinessFolder, store: &Path) -> Host {
        let provider = Stripe::new(Config {
            test_key: Some(Secret::new("sk_test_bots")),
            url: self.server.url(),
            ..Config::default()
        });
        let mut registry = Registry::with_default(Arc::new(Scripted::new()));
        registry.register(&["stripe"], Arc::new(provider));
        let store = Box::new(SqliteStore::open(store).expect("a store"));
        let runner = host_replay::native::runners().make().expect("the library");
        let setup = Setup::new(business.clone(), false, &[], None);
        let (mut host, _) = setup.start(store, runner, registry, Clock::manual(START_MS)).expect("a host");
        let now = host.clock_mut().now();
        host.outbox_mut().advance_to(now).expect("carried out");
        host
    }
}

/// Copies the business without the ids of the prices, so that the host makes them.
fn without_ids(folder: &Path) -> BusinessFolder {
    let of = root().join("fixtures/businesses/twobot");
    let text = |name: &str| fs::read_to_string(of.join(name)).expect("a file");
    let catalog: Vec<String> = text("catalog.yml")
        .lines()
        .map(|line| match line.split_once(", id: {test: price_") {
            Some((before, rest)) => format!("{before}{}", rest.split_once('}').expect("the end of the ids").1),
            None => line.to_owned(),
        })
        .collect();
    let business = text("business.yml");
    let policy = "sync_prices: false";
    assert_eq!(business.matches(policy).count(), 1);
    fs::write(folder.join("catalog.yml"), catalog.join("\n")).expect("written");
    fs::write(folder.join("business.yml"), business.replace(policy, "sync_prices: true")).expect("written");
    BusinessFolder::load(folder).expect("a business")
}

/// Returns the ten products with metadata of add-ons and boosters, by the catalog's id.
fn sold(products: &[Value]) -> BTreeMap<String, &Value> {
    let kinds = ["workspace_addon", "org_pool_booster"].map(|kind| json!(kind));
    let of_kind = products.iter().filter(|product| kinds.contains(&product["metadata"]["product_type"]));
    of_kind.map(|product| (product["metadata"]["product"].as_str().expect("an id").to_owned(), product)).collect()
}

// covers: BOT-01, BOT-09, BOT-10
#[test]
fn the_ten_products_and_their_twenty_prices_are_made_at_stripe_and_equal_the_catalog() {
    let stripe = AtStripe::start();
    let folder = tempfile::tempdir().expect("a folder");
    let copy = folder.path().join("twobot");
    fs::create_dir(&copy).expect("made");
    let business = without_ids(&copy);
    let store = folder.path().join("store.db");
    stripe.start_host(&business, &store);
    let (products, prices) = (stripe.list("products"), stripe.list("prices"));
    let made = sold(&products);
    let catalog = twobot().catalog["products"].as_array().expect("a list");
    let wanted: Vec<&Value> = catalog.iter().filter(|product| !product["stripe_metadata"].is_null()).collect();
    assert_eq!((made.len(), wanted.len()), (10, 10));
    let mut of_ten = 0;
    for product in wanted {
        let id = product["id"].as_str().expect("an id");
        let there = made.get(id).unwrap_or_else(|| panic!("{id} is not at Stripe"));
        for member in ["name", "description"] {
            assert_eq!(there[member], product[member], "{id}");
        }
        // Besides the marks of the host, the metadata are those of the requirement, and all are texts.
        let metadata = there["metadata"].as_object().expect("an object");
        let own = metadata.iter().filter(|(name, _)| *name != "product" && !name.starts_with("provisioner_"));
        let own: serde_json::Map<String, Value> = own.map(|(name, value)| (name.clone(), value.clone())).collect();
        assert_eq!(Value::Object(own), product["stripe_metadata"], "{id}");
        assert!(metadata.values().all(Value::is_string), "{id}");
        let of_product = prices.iter().filter(|price| price["product"] == there["id"]);
        let found: BTreeMap<&str, &Value> =
            of_product.map(|price| (price["recurring"]["interval"].as_str().expect("an interval"), price)).collect();
        assert_eq!(found.len(), 2, "{id}");
        for (interval, price) in &found {
            of_ten += 1;
            assert_eq!(price["unit_amount"], product["prices"][interval]["amount"], "{id}");
            let terms = (&price["currency"], &price["recurring"]["interval_count"], &price["active"]);
            assert_eq!(terms, (&json!("usd"), &json!(1), &json!(true)), "{id}");
        }
    }
    assert_eq!(of_ten, 20);
    // Another start on the same store makes nothing again.
    stripe.start_host(&business, &store);
    assert_eq!((stripe.list("products").len(), stripe.list("prices").len()), (products.len(), prices.len()));
}

/// Delivers a webhook's body or a command, and carries out its effects.
fn applies(host: &mut Host, body: &Value) {
    let reports = carry_out(host, &twobot().name, body);
    assert_eq!(reports[0].result.name(), "applied", "{body}: {reports:?}");
}

// covers: BOT-23
#[test]
fn a_booster_is_paid_by_the_organizations_customer_in_a_session_that_names_both() {
    let stripe = AtStripe::start();
    let folder = tempfile::tempdir().expect("a folder");
    let copy = folder.path().join("twobot");
    fs::create_dir(&copy).expect("made");
    let mut host = stripe.start_host(&without_ids(&copy), &folder.path().join("store.db"));
    let (products, prices) = (stripe.list("products"), stripe.list("prices"));
    let price = |product: &str| {
        let there = products.iter().find(|it| it["metadata"]["product"] == product).expect("a product");
        let monthly = |it: &&Value| it["product"] == there["id"] && it["recurring"]["interval"] == "month";
        prices.iter().find(monthly).expect("a price")["id"].as_str().expect("an id").to_owned()
    };
    let card = "pm_card_visa";
    let form = [("payment_method", card), ("invoice_settings[default_payment_method]", card)];
    let customer = stripe.make("/v1/customers", &form)["id"].as_str().expect("an id").to_owned();
    let plan = price("org_growth");
    let form = [("customer", &*customer), ("items[0][price]", &plan), ("metadata[organization_id]", "O")];
    stripe.make("/v1/subscriptions", &form);
    let events = stripe.list("events");
    let created = events.iter().find(|event| event["type"] == "customer.subscription.created").expect("an event");
    applies(&mut host, created);
    let buy = json!({"id": "buy_1", "command": "purchase.create", "account": "organization:O",
        "timestamp": START_MS / 1_000, "actor": {"kind": "user", "id": "M", "roles": ["owner"]},
        "payload": {"product_type": "org_pool_booster", "item": "ORG_MEDIUM", "interval": "month"}});
    applies(&mut host, &buy);

    let sessions = stripe.list("checkout/sessions");
    let [session] = sessions.as_slice() else { panic!("{} sessions", sessions.len()) };
    assert_eq!((&session["mode"], &session["customer"]), (&json!("subscription"), &json!(customer)));
    let metadata = &session["metadata"];
    assert_eq!((&metadata["organization_id"], &metadata["booster_id"]), (&json!("O"), &json!("ORG_MEDIUM")));
    let page = "https://app.2bot.example/dashboard/settings/organization/billing/workspace";
    assert_eq!(session["success_url"], format!("{page}?success=true"));
    assert_eq!(session["cancel_url"], format!("{page}?canceled=true"));
    let id = session["id"].as_str().expect("an id");
    let lines = stripe.server.handle(&own_request("GET", &format!("/v1/checkout/sessions/{id}/line_items"), &[]));
    let lines = json_of(&lines);
    let sold: Vec<(&Value, &Value)> = lines["data"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|line| (&line["price"]["id"], &line["quantity"]))
        .collect();
    assert_eq!(sold, [(&json!(price("org_pool_booster_medium")), &json!(1))]);
    // The subscription that the session creates has the same metadata.
    stripe.make(&format!("/v1/payment_pages/{id}/confirm"), &[("payment_method", card)]);
    let bought = stripe.list("subscriptions");
    let booster = bought.iter().find(|it| it["metadata"]["booster_id"] == "ORG_MEDIUM").expect("a subscription");
    assert_eq!((&booster["metadata"]["organization_id"], &booster["customer"]), (&json!("O"), &json!(customer)));
}
