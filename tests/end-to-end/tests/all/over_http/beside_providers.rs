//! What an operator sees of the providers: Stripe's objects of an account beside the records, and differences of resources.

use super::server::{NOTHING, TestServer};
use end_to_end::world::START_MS;
use host_api::{Differences, DriftCheck, DriftEntry, Tools};
use host_provider_api::{ObjectList, ObjectListError, ObjectPage, ObjectQuery, Registry, Secret};
use host_providers::stripe::{Config, Stripe};
use host_verify::StripeAccess;
use local_stripe::sandbox::{json_of, own_request};
use local_stripe::server::{Options, Server};
use local_stripe::settings::Settings;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokio::runtime::Runtime;

/// The price of Hobby in the catalog. A local Stripe chooses the ids of its prices itself.
const HOBBY: &str = "price_xyz789";

/// A local Stripe with one customer, whose objects are listed over HTTP.
pub struct Account {
    server: Server,
    pub customer: String,
    price: String,
    _runtime: Runtime,
}

impl Account {
    pub fn start() -> Account {
        let settings = Settings { start_s: START_MS / 1_000, ..Settings::default() };
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("threads");
        let server =
            runtime.block_on(Server::start(Options { settings, ..Options::default() })).expect("a local Stripe");
        let mut account = Account { server, customer: String::new(), price: String::new(), _runtime: runtime };
        let card = "pm_card_visa";
        let form = [("payment_method", card), ("invoice_settings[default_payment_method]", card)];
        account.customer = account.make("/v1/customers", &form);
        let product = account.make("/v1/products", &[("name", "Hobby")]);
        let form = [
            ("product", product.as_str()),
            ("currency", "usd"),
            ("unit_amount", "500"),
            ("recurring[interval]", "month"),
        ];
        account.price = account.make("/v1/prices", &form);
        account
    }

    fn send(&self, method: &str, path: &str, form: &[(&str, &str)]) -> Value {
        let response = self.server.handle(&own_request(method, path, form));
        assert_eq!(response.status, 200, "{method} {path}: {}", response.body);
        json_of(&response)
    }

    fn make(&self, path: &str, form: &[(&str, &str)]) -> String {
        self.send("POST", path, form)["id"].as_str().expect("an id").to_owned()
    }

    /// Returns the events that the account has, oldest first, with the price of the catalog.
    fn events(&self) -> Vec<String> {
        let events = self.send("GET", "/v1/events", &[("limit", "100")]);
        let newest_first = events["data"].as_array().expect("a list").iter();
        newest_first.rev().map(|event| event.to_string().replace(&self.price, HOBBY)).collect()
    }

    pub fn access(&self) -> StripeAccess {
        let key = Some(Secret::new("sk_test_of_the_operator"));
        let stripe = Arc::new(Stripe::new(Config { test_key: key, url: self.server.url(), ..Config::default() }));
        let objects = Arc::new(Listed { stripe: stripe.clone(), price: self.price.clone() });
        StripeAccess { objects, events: stripe.clone(), registry: Registry::with_default(stripe) }
    }
}

/// Lists the objects with the price of the catalog.
struct Listed {
    stripe: Arc<Stripe>,
    price: String,
}

impl ObjectList for Listed {
    fn objects(&self, query: &ObjectQuery) -> Result<ObjectPage, ObjectListError> {
        let page = self.stripe.objects(query)?;
        let text = Value::Array(page.objects).to_string().replace(&self.price, HOBBY);
        Ok(ObjectPage { objects: serde_json::from_str(&text).expect("JSON"), next: page.next })
    }
}

fn changed(answer: &Value) -> Vec<(&str, &str)> {
    let changes = answer["changes"].as_array().expect("a list").iter();
    changes.map(|it| (it["kind"].as_str().expect("a kind"), it["what"].as_str().expect("a word"))).collect()
}

#[test]
fn an_operator_sees_what_stripe_has_for_an_account_and_what_a_synchronization_would_change() {
    let stripe = Account::start();
    let served = TestServer::of("solobase").with(|it| it.tools = Tools::new(Some(stripe.access()), None)).start();
    let admin = served.operator();
    served.answer("*", json!({"id": stripe.customer}));
    let register = json!({"email": "ada@example.com"});
    assert_eq!(served.send("POST /api/commands/account.register?account=user:ada", &admin, &register).status, 200);
    served.settle();
    let line = "GET /api/operator/accounts/user:ada/stripe";
    let beside = || served.ok(line, &admin, &NOTHING);
    let nothing = beside();
    assert_eq!((&nothing["customers"], changed(&nothing)), (&json!([stripe.customer]), vec![]), "{nothing}");

    let form = [("customer", stripe.customer.as_str()), ("items[0][price]", stripe.price.as_str())];
    let subscription = stripe.make("/v1/subscriptions", &form);
    let missed = beside();
    let kinds = [("subscription", "only-stripe"), ("invoice", "only-stripe"), ("payment", "only-stripe")];
    let mut found = changed(&missed);
    found.sort_unstable();
    let mut expected = kinds.to_vec();
    expected.sort_unstable();
    assert_eq!(found, expected, "{missed}");
    let resend = |change: &Value| {
        change["mend"]["command"].as_str().expect("a command").starts_with("stripe events resend evt_")
    };
    assert!(missed["changes"].as_array().expect("a list").iter().all(resend), "{missed}");

    for event in stripe.events() {
        assert_eq!(served.deliver(event.as_bytes()).status, 200, "{event}");
    }
    served.settle();
    let same = beside();
    assert_eq!(changed(&same), [], "after the events: {same}");
    let row = &same["objects"]["subscription"][0];
    assert_eq!((&row["ours"]["status"], &row["stripe"]["status"]), (&json!("active"), &json!("active")), "{same}");

    stripe.send("DELETE", &format!("/v1/subscriptions/{subscription}"), &[]);
    let ended = beside();
    assert_eq!(changed(&ended), [("subscription", "differs")], "{ended}");
    let fields = json!([{"field": "status", "from": "active", "to": "canceled"}]);
    assert_eq!(ended["changes"][0]["fields"], fields, "{ended}");

    let unknown = served.send("GET /api/operator/accounts/user:nobody/stripe", &admin, &NOTHING);
    assert_eq!((unknown.status, unknown.code()), (404, "not-found"));
    assert_eq!(served.send("GET /api/operator/accounts/nonsense/stripe", &admin, &NOTHING).code(), "account");
    assert_eq!(served.send("POST /api/operator/accounts/user:ada/stripe", &admin, &NOTHING).status, 405);
    for key in [served.user("ada"), served.service()] {
        assert_eq!(served.send(line, &key, &NOTHING).code(), "forbidden");
    }
    assert_eq!(served.send(line, "key_0", &NOTHING).status, 401);
}

/// A Stripe that does not answer.
struct Silent;

impl ObjectList for Silent {
    fn objects(&self, _: &ObjectQuery) -> Result<ObjectPage, ObjectListError> {
        Err(ObjectListError::Provider("no answer".to_owned()))
    }
}

#[test]
fn a_stripe_that_does_not_answer_is_a_problem_of_its_own() {
    let access = StripeAccess { objects: Arc::new(Silent), ..Account::start().access() };
    let served = TestServer::of("solobase").with(|it| it.tools = Tools::new(Some(access), None)).start();
    let admin = served.operator();
    served.send("POST /api/commands/account.register?account=user:ada", &admin, &json!({"email": "a@example.com"}));
    served.settle();
    let answer = served.send("GET /api/operator/accounts/user:ada/stripe", &admin, &NOTHING);
    assert_eq!((answer.status, answer.code()), (502, "provider"), "{answer:?}");
    assert!(answer.body.contains("no answer"), "{}", answer.body);
    let none = TestServer::start("solobase");
    let admin = none.operator();
    for path in ["/api/operator/accounts/user:ada/stripe", "/api/operator/drift"] {
        assert_eq!(none.send(&format!("GET {path}"), &admin, &NOTHING).status, 404, "{path}: no providers");
    }
}

/// Resources that differ from their records, and the number of comparisons.
#[derive(Default)]
pub struct Differing {
    entries: Mutex<Vec<DriftEntry>>,
    asked: AtomicUsize,
    fails: bool,
}

impl DriftCheck for Differing {
    fn differences(&self) -> Result<Differences, String> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        match self.fails {
            true => Err("the region does not answer".to_owned()),
            false => Ok(Differences {
                entries: self.entries.lock().expect("no panic").clone(),
                not_compared: [("disk".to_owned(), 2)].into(),
            }),
        }
    }

    fn resources(&self) -> Result<BTreeMap<String, usize>, String> {
        Ok([("database".to_owned(), 3)].into())
    }
}

fn entry(kind: &str, user: &str, id: &str) -> DriftEntry {
    DriftEntry {
        kind: kind.to_owned(),
        scope: Some(format!("solobase/test/user:{user}")),
        resource: Some("bucket".to_owned()),
        id: Some(id.to_owned()),
        name: Some(format!("a-bucket-of-{user}")),
        ..DriftEntry::default()
    }
}

#[test]
fn an_operator_sees_differences_of_resources_by_page_and_searches_them() {
    let differing = Arc::new(Differing::default());
    *differing.entries.lock().expect("no panic") = vec![
        entry("lost", "ada", "inst_a/bucket"),
        entry("orphan", "ada", "inst_b/bucket"),
        entry("orphan", "bob", "inst_c/bucket"),
        DriftEntry { kind: "broken".to_owned(), name: Some("odd".to_owned()), ..DriftEntry::default() },
    ];
    let served = TestServer::of("solobase").with(|it| it.tools = Tools::new(None, Some(differing.clone()))).start();
    let admin = served.operator();
    let get = |query: &str| served.get(&format!("/api/operator/drift{query}"), &admin);
    let all = get("");
    assert_eq!((&all["total_count"], &all["next"]), (&json!(4), &Value::Null), "{all}");
    assert_eq!(all["not_compared"], json!({"disk": 2}), "{all}");
    assert_eq!(all["differences"][0]["account"], "user:ada", "{all}");
    assert_eq!(all["differences"][3]["account"], Value::Null, "{all}");
    let first = get("?limit=3");
    let rest = get(&format!("?limit=3&after={}", first["next"]));
    assert_eq!(rest["differences"].as_array().map(Vec::len), Some(1), "{rest}");
    assert_eq!(rest["differences"][0]["name"], "odd");
    let ids = |query: &str| {
        let answer = get(query);
        let list = answer["differences"].as_array().expect("a list").clone();
        list.iter().map(|it| it["id"].as_str().unwrap_or("none").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(ids("?kind=orphan"), ["inst_b/bucket", "inst_c/bucket"]);
    assert_eq!(ids("?account=user:bob"), ["inst_c/bucket"]);
    assert_eq!(ids("?search=inst_a"), ["inst_a/bucket"]);
    assert_eq!(ids("?search=odd"), ["none"]);
    assert_eq!(differing.asked.load(Ordering::Relaxed), 1, "requests within seconds share a comparison");
    for (path, status) in [("?limit=0", 400), ("?colour=red", 400), ("?account=nonsense", 400)] {
        let answer = served.send(&format!("GET /api/operator/drift{path}"), &admin, &NOTHING);
        assert_eq!(answer.status, status, "{path}");
    }
    assert_eq!(served.send("DELETE /api/operator/drift", &admin, &NOTHING).status, 405);
    let user = served.user("ada");
    assert_eq!(served.send("GET /api/operator/drift", &user, &NOTHING).code(), "forbidden");
    assert_eq!(served.send("GET /api/operator/drift", "key_0", &NOTHING).status, 401);
}

#[test]
fn a_comparison_that_fails_says_why_and_is_made_again() {
    let differing = Arc::new(Differing { fails: true, ..Differing::default() });
    let served = TestServer::of("solobase").with(|it| it.tools = Tools::new(None, Some(differing.clone()))).start();
    let admin = served.operator();
    for asked in 1..=2 {
        let answer = served.send("GET /api/operator/drift", &admin, &NOTHING);
        assert_eq!((answer.status, answer.code()), (502, "provider"));
        assert!(answer.body.contains("the region does not answer"), "{}", answer.body);
        assert_eq!(differing.asked.load(Ordering::Relaxed), asked);
    }
}

#[test]
fn the_metrics_have_the_number_of_resources() {
    let served =
        TestServer::of("solobase").with(|it| it.tools = Tools::new(None, Some(Arc::new(Differing::default())))).start();
    let admin = served.operator();
    let line = r#"provisioner_resources{business="solobase",mode="test",resource="database"} 3"#;
    // They are counted beside the requests.
    let is_there = (0..1_000).any(|_| served.send("GET /metrics", &admin, &NOTHING).body.contains(line));
    assert!(is_there, "{line}");
}
